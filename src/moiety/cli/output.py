"""What commands print: words for people, and with --json one object as the last line for machines."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from moiety.cli.exits import Exit, exit_of
from moiety.foundation.errors import Fault, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Words go to standard error, so that standard output is for results alone.
_words = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell the user one line."""
    _words.print(text, markup=False)


def result(found: dict[str, Any], *, as_json: bool, lines: list[str] | None = None) -> None:
    """Print a result: as one JSON object, or as lines for people."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False))  # noqa: T201 - this is the command's output
    else:
        for line in lines if lines is not None else [f"{key}: {value}" for key, value in found.items()]:
            print(line)  # noqa: T201 - as above
    sys.stdout.flush()


def fail(error: Refusal | Fault, *, as_json: bool) -> NoReturn:
    """End with one line and the exit code of the error."""
    slug = error.slug if isinstance(error, Refusal) else "fault"
    say(f"moiety: {error}")
    if as_json:
        result({"error": {"code": slug, "detail": str(error)}}, as_json=True)
    raise SystemExit(int(exit_of(error)))


def interrupted() -> NoReturn:
    """End because the user said so."""
    say("moiety: interrupted")
    raise SystemExit(int(Exit.INTERRUPTED))


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far long work is, on standard error; gives a function that advances by a number."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_words, transient=not _words.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
