"""House rules that can be read off the files: sizes, what is never logged, where packages come from."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
# What no logger and no printer may ever be handed.
SECRET = re.compile(
    r"embedding|probe|template|seed|name|reference|reason|passphrase|token|secret|private", re.IGNORECASE
)
LOGGING = {"debug", "info", "warning", "error", "critical", "exception", "log"}
LOGGERS = {"_log", "log", "access_log", "logger", "logging"}


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_files_are_short() -> None:
    pages = [path for path in _tracked() if path.suffix in {".css", ".js", ".mjs"}]
    assert {path.suffix for path in pages} == {".css", ".js", ".mjs"}
    looked_at = {*SOURCES, *TESTS, *pages}
    assert {_id(path) for path in looked_at if len(path.read_text().splitlines()) > LINES_MAX} == set()
    assert Path(__file__).resolve() in TESTS


def test_functions_are_short() -> None:
    long = {
        f"{_id(path)}: {node.name}"
        for path in (*SOURCES, *TESTS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == set()


def unexplained(source: str) -> list[str]:
    """Find what tells the checker of types to look away, without a reason beside it."""
    # Written apart, so that this file does not find itself.
    return [
        line.strip()
        for line in source.splitlines()
        if re.search(r"# type" + r": ignore(\[[a-z, -]+\])?(?!.* # \S)", line)
    ]


def test_nothing_is_ignored_without_a_reason() -> None:
    mark = "# type" + ": ignore"
    assert unexplained(f"x = 1  {mark}[arg-type]\ny = 2  {mark}\nz = 3  {mark}[misc]  # so it is\n") == [
        f"x = 1  {mark}[arg-type]",
        f"y = 2  {mark}",
    ]
    assert {_id(path): found for path in (*SOURCES, *TESTS) if (found := unexplained(path.read_text()))} == {}


def _words(node: ast.AST) -> set[str]:
    """Give every name and attribute that a logged expression reads; what a dotted `__name__` reads is a type's."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.Attribute) and one.attr != "__name__":
            found.add(one.attr)
    return found


def logged_secrets(source: str) -> set[str]:
    """Find what is handed to a logger although its name says that it must not be."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if name not in LOGGERS or node.func.attr not in LOGGING:
            continue
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            found |= {word for word in _words(argument) if SECRET.search(word)}
    return found


# Names of files of ours and of types of errors say nothing about a person.
PROCESSES_OF_DRILLS = {"src/moiety/drill/weakened.py"}
MAY_BE_LOGGED = {
    "src/moiety/wire/stream_server.py": {"name"},
    "src/moiety/wire/links.py": {"filename", "name"},
    "src/moiety/api/shell.py": {"filename", "name"},
}


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_no_logger_is_handed_what_is_secret(path: Path) -> None:
    assert logged_secrets(path.read_text()) <= MAY_BE_LOGGED.get(_id(path), set())


def test_the_rule_about_loggers_sees_what_it_must() -> None:
    assert logged_secrets("_log.info('x %s', face.embedding)") == {"embedding"}
    assert logged_secrets("log.warning(f'{who.reference} {len(probes)}')") == {"reference", "probes"}
    assert logged_secrets("logging.error('x', extra={'a': reason})") == {"reason"}
    assert logged_secrets("_log.info('x %s', type(error).__name__)") == set()


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_only_commands_and_parts_print(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    # A weakened part is a process of its own, whose lines its supervisor reads.
    assert not calls or "src/moiety/cli/" in _id(path) or _id(path) in PROCESSES_OF_DRILLS


def test_requirements_name_no_address() -> None:
    for path in sorted((ROOT / "requirements").iterdir()):
        text = path.read_text()
        assert not re.search(r"https?://|file:|--index-url|--extra-index|\.whl", text), path.name
        pinned = re.findall(r"^([A-Za-z0-9_.-]+(?:\[[^\]]*\])?)(==)?", text, re.MULTILINE)
        if path.suffix == ".txt":
            assert all(sign == "==" for _, sign in pinned), path.name
            assert text.count("--hash=sha256:") >= len(pinned), path.name


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    # Written apart, so that this file does not find itself.
    folders = re.compile("/" + r"(?:home|Users|root|work)/[a-z]")
    found = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if folders.search(text):
            found.append(_id(path))
    assert found == []


def test_what_the_readme_tells_to_make_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"install", "demo", "test", "test-fast", "check", "bench"} <= targets
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    asked = {word for one in documents for word in re.findall(r"`make ([a-z-]+)", one.read_text())}
    assert asked
    assert asked <= targets


def test_one_version_of_python_stands_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == ">=3.11"
    assert project["tool"]["ruff"]["target-version"] == "py311"
    assert "--python-version 3.11" in (ROOT / "Makefile").read_text()
    assert "3.11" in (ROOT / "README.md").read_text()


def test_no_unfinished_work_is_marked() -> None:
    # Written apart, so that this file does not find itself.
    marks = re.compile("TO" + "DO|FIX" + r"ME|X" + "XX|NotImplemented" + "Error")
    assert [_id(path) for path in _tracked() if path.suffix == ".py" and marks.search(path.read_text())] == []
