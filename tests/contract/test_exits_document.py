"""docs/cli.md says what the commands, their options and the exit codes are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from moiety.cli.exits import MEANING, Exit, exit_of
from moiety.cli.main import application
from moiety.foundation.errors import Fault, slugs

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give every command with its words."""
    children: dict[str, Any] = getattr(group, "commands", {})
    if not children:
        yield " ".join(path), group
    for name, child in children.items():
        yield from _commands(child, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(application())))


def _sections() -> dict[str, str]:
    """Read the document's part about each command, by the command's words."""
    parts = re.split(r"^### moiety ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        title, _, text = part.partition("\n")
        words = [word for word in title.split() if word.islower()]
        found[" ".join(words)] = text
    return found


def test_every_command_is_described_and_no_other() -> None:
    assert sorted(_sections()) == sorted(COMMANDS)


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_option_has_a_line(words: str) -> None:
    text = _sections()[words]
    described = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \| (.+) \|$", text, re.MULTILINE)
    written = {tuple(re.findall(r"`([^`]+)`", names)): says for names, says in described}
    expected = {}
    for one in COMMANDS[words].params:
        argument = one.param_type_name == "argument"
        names = (one.metavar or str(one.name).upper(),) if argument else (*one.opts, *one.secondary_opts)
        required = " Required." if one.required and not argument else ""
        expected[names] = str(getattr(one, "help", None)) + required
    assert written == expected


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_command_has_json_and_says_its_keys(words: str) -> None:
    assert any("--json" in one.opts for one in COMMANDS[words].params)
    assert re.search(r"JSON keys[^:]*: `", _sections()[words])


def test_the_table_of_exit_codes_is_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {int(code): says for code, says in rows} == {int(code): says for code, says in MEANING.items()}
    assert set(MEANING) == set(Exit)


def test_every_refusal_has_an_exit_code_that_says_it_failed() -> None:
    codes = {slug: exit_of(kind()) for slug, kind in slugs().items()}
    assert Exit.OK not in codes.values()
    assert codes["no-face"] is Exit.BAD_INPUT
    assert codes["unknown-gallery"] is Exit.NOT_FOUND
    assert codes["duplicate-photo"] is Exit.ALREADY_THERE
    assert codes["key-expired"] is Exit.DENIED
    assert codes["part-down"] is codes["disk-full"] is Exit.UNAVAILABLE
    assert exit_of(Fault("damaged")) is Exit.FAULT
