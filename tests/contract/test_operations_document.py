"""The commands that docs/operations.md and docs/incidents.md tell operators to type exist, with those options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from moiety.cli.main import application

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENTS = ("operations.md", "incidents.md")


def _typed() -> list[str]:
    """List the lines of all boxes, and what stands in the text between backticks, that begin with `moiety`."""
    text = "\n".join(DOCS.joinpath(name).read_text() for name in DOCUMENTS)
    boxes = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for box in boxes for line in box.splitlines()]
    spoken = re.findall(
        r"`(moiety [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).replace("\n", " ")
    )
    return sorted({line.split(" #")[0].strip() for line in [*lines, *spoken] if line.startswith("moiety ")})


def _command(words: list[str]) -> tuple[Any, list[str]]:
    """Find the command that words name; gives it and the words behind it."""
    at: Any = typer.main.get_command(application())
    while words and getattr(at, "commands", None):
        commands: dict[str, Any] = at.commands
        if words[0] not in commands:
            # Words that may be left out.
            at = commands.get("make") or commands["run"]
            continue
        at, words = commands[words[0]], words[1:]
    return at, words


@pytest.mark.parametrize("line", _typed())
def test_what_the_document_tells_to_type_is_a_command(line: str) -> None:
    command, rest = _command(shlex.split(line)[1:])
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} if command else set()
    assert {word for word in rest if word.startswith("--")} <= known


def test_backups_and_restores_are_among_them() -> None:
    told = " ".join(_typed())
    for word in ("backup gate", "backup list", "restore vault-b", "reconcile", "drill restore", "witness tombstones"):
        assert f"moiety {word}" in told
