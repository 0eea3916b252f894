"""House rules about logging that can be read off the source, so that nobody has to remember them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from moiety.watch import KEYS

ROOT = Path(__file__).resolve().parents[2]
# The weaknesses of drills are careless on purpose.
SOURCES = sorted(path for path in (ROOT / "src").rglob("*.py") if path.name != "weak_gate.py")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
LOGGERS = {"_log", "log", "access_log"}
OPTIONS = {"exc_info"}
# Who makes names of errors and places out of tracebacks.
MAKER = "watch/origins.py"


def _calls(source: str) -> list[ast.Call]:
    """Find the calls of loggers."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    ]


def _dictionaries(source: str) -> dict[str, set[str]]:
    """Collect the keys that each variable's dictionaries have."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, set()).update(_keys(node.value))
    return found


def _keys(made: ast.Dict) -> set[str]:
    return {str(key.value) for key in made.keys if isinstance(key, ast.Constant)}


def broken(source: str) -> list[str]:
    """Find calls that say anything but a constant sentence with values by declared keys."""
    found, known = [], _dictionaries(source)
    for call in _calls(source):
        sentence, values = call.args[0], call.args[1:]
        if not isinstance(sentence, ast.Constant) or not isinstance(sentence.value, str):
            found.append(f"{call.lineno}: the sentence is no constant")
            continue
        if {one.arg for one in call.keywords} - OPTIONS or len(values) > 1 or re.search(r"%[^(%]", sentence.value):
            found.append(f"{call.lineno}: values go by keys, in one dictionary")
            continue
        asked = set(re.findall(r"%\((\w+)\)", sentence.value))
        for one in values:
            given = _keys(one) if isinstance(one, ast.Dict) else known.get(getattr(one, "id", ""), set())
            asked |= given if isinstance(one, ast.Dict) else set()
        found += [f"{call.lineno}: moiety.watch.shapes declares no key {key!r}" for key in sorted(asked - set(KEYS))]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src" / "moiety")))
def test_every_line_is_a_constant_sentence_with_values_by_declared_keys(path: Path) -> None:
    assert broken(path.read_text()) == []


def test_the_rule_sees_what_it_must() -> None:
    assert broken("_log.info('%(part)s came', {'part': 1})") == []
    assert broken("log.info('came')") == []
    assert len(broken("_log.info(f'{x} came')")) == 1
    assert len(broken("_log.info('%s came', x)")) == 1
    assert len(broken("_log.info('came', extra={'x': x})")) == 1
    assert len(broken("_log.info('%(color)s came', {'color': x})")) == 1
    assert len(broken("_log.info('came', {'part': 1, 'color': x})")) == 1


def test_nobody_else_makes_places_and_names_of_errors() -> None:
    makers = re.compile(r"\b(?:Spot|ErrorKind)\(")
    assert [str(path) for path in SOURCES if makers.search(path.read_text()) and not str(path).endswith(MAKER)] == []


def test_every_logger_is_of_the_standard_library_and_goes_by_a_name_that_the_rules_know() -> None:
    made = re.compile(r"^(\w+) = .*getLogger\(", re.MULTILINE)
    found = {name for path in SOURCES for name in made.findall(path.read_text())}
    assert found <= LOGGERS
    assert not [path for path in SOURCES if "structlog" in path.read_text() and path.name != "lines.py"]


def test_there_is_no_shape_of_free_text() -> None:
    assert {shape.name for shape in KEYS.values()} == {
        "WORD", "COUNT", "MEASURE", "GALLERY", "CALLER", "ROW", "MARK", "ERROR", "PLACE", "WHY",
    }  # fmt: skip
    assert not {"subject", "name", "reference", "reason", "operator", "person", "photo"} & set(KEYS)
