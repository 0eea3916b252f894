"""The command line loads the commands of its first word alone, and finds all of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any, Final

import pytest
import typer

from moiety.cli.main import COMMANDS, GROUPS, application


def known(word: str | None = None) -> set[str]:
    return set(typer.main.get_command(application(word)).commands)  # type: ignore[attr-defined]  # it is a group


def test_every_word_of_the_table_is_a_command_and_every_command_a_word() -> None:
    assert known() == known("rubbish") == COMMANDS.keys() | GROUPS.keys()


@pytest.mark.parametrize("word", sorted(COMMANDS | GROUPS))
def test_a_word_is_found_without_the_others(word: str) -> None:
    assert word in known(word)
    assert known(word) <= {one for one in COMMANDS if COMMANDS[one] == COMMANDS.get(word)} | {word}


def test_asking_loads_neither_the_kernel_nor_tables() -> None:
    loaded = "from moiety.cli.main import application; application('identify'); import sys; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {"numba", "sqlalchemy", "fastapi"} & set(told.stdout.split())


def below(command: Any) -> set[str]:
    """Name every command of a tree."""
    inner = getattr(command, "commands", {})
    return {name for one in inner for name in (one, *(f"{one} {deeper}" for deeper in below(inner[one])))}


HEAD: Final = "from __future__ import annotations\nimport typer\nfrom moiety.cli.main import application\n"
WHOLE: Final = typer.main.get_command(application())


@pytest.mark.parametrize("word", sorted(GROUPS))
def test_a_group_is_whole_alone(word: str) -> None:
    alone = f"print(*below(typer.main.get_command(application({word!r}))), sep='\\n')"
    program = "\n".join((HEAD, inspect.getsource(below), alone))
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(told.stdout.splitlines()) == {one for one in below(WHOLE) if one.split()[0] == word}
