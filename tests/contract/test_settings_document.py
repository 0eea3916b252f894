"""Settings are one table: in the code, in docs/settings.md, and nowhere else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from moiety.foundation import settings
from moiety.foundation.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NAMES = {setting.name for setting in SETTINGS}
# Besides our own: where a user keeps caches (XDG Base Directory Specification).
OTHERS = {"XDG_CACHE_HOME", "DISPLAY", "WAYLAND_DISPLAY", "TMPDIR"}
# Drills set variables for the parts that they start, and put back what was there.
SETTER = "drill/ground.py"
READER = "foundation/settings.py"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_document_says_what_the_table_says() -> None:
    lines = (ROOT / "docs" / "settings.md").read_text().splitlines()
    written = [_cells(line) for line in lines if line.startswith("| `MOIETY_")]
    expected = [
        [
            f"`{one.name}`",
            f"`{one.default}`" if one.default else "",
            one.meaning,
            ", ".join(f"`{value}`" for value in one.allowed),
        ]
        for one in SETTINGS
    ]
    assert written == expected


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src" / "moiety")))
def test_no_source_file_names_another_variable(path: Path) -> None:
    named = set(re.findall(r"MOIETY_[A-Z0-9_]+", path.read_text()))
    assert named <= NAMES


def _read_by_name(tree: ast.AST) -> set[str]:
    """Find which variables a file reads from the environment: `os.environ[x]`, `os.environ.get(x)`, `os.getenv(x)`."""
    found = set()
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            key = node.slice
        elif isinstance(node, ast.Call) and re.search(
            r"(environ\.(get|pop|setdefault)|getenv)$", ast.unparse(node.func)
        ):
            key = node.args[0]
        if key is not None:
            found.add(str(key.value) if isinstance(key, ast.Constant) else "?")
    return found


def test_only_the_table_reads_our_variables() -> None:
    read = {
        str(path.relative_to(ROOT / "src" / "moiety")): _read_by_name(ast.parse(path.read_text())) for path in SOURCES
    }
    assert read.pop(READER) == read.pop(SETTER) == {"?"}
    assert set().union(*read.values()) <= OTHERS


def test_a_default_is_one_of_the_values_allowed() -> None:
    assert [one.name for one in SETTINGS if one.allowed and one.default not in one.allowed] == []
    assert all(settings.setting(name) is not None for name in NAMES)
