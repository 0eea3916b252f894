"""Where text comes from: what stands in the program's own code is no personal data; all other text may be.

CPython keeps every string that stands in a function's source in `co_consts` of its code (docs.python.org, inspect).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.foundation.errors import Fault, Refusal
from moiety.watch.closed import known

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator
    from types import CodeType, FrameType

LEFT_OUT = "…"
FRAMES_MAX = 6
HOME = str(Path(__file__).resolve().parents[1])
_NUMBER = re.compile(r"\d{1,9}")


class Spot(str):
    """A place in source code, made from a traceback; see `place`."""

    __slots__ = ()


class ErrorKind(str):
    """The name of a class of errors; see `kind_of`."""

    __slots__ = ()


def kind_of(error: BaseException) -> ErrorKind:
    """Name an error's class, or the nearest above it that stands in a loaded module under its own name."""
    for kind in type(error).__mro__:
        module = sys.modules.get(kind.__module__)
        if module is not None and getattr(module, kind.__name__, None) is kind:
            return ErrorKind(kind.__name__)
    return ErrorKind("BaseException")


def place(error: BaseException) -> Spot:
    """Say in which file and line an error arose: `rows.py:149`, or `?` where it was never raised."""
    codes = list(_steps(error))
    return Spot(_spot(*codes[-1]) if codes else "?")


def places(error: BaseException) -> Spot:
    """Say by which functions an error came, innermost first: `read:149 < load:80`."""
    steps = list(_steps(error))[-FRAMES_MAX:]
    return Spot(" < ".join(f"{code.co_name}:{line}" for code, line in reversed(steps)) or "?")


def _steps(error: BaseException) -> Iterator[tuple[CodeType, int]]:
    """Give the code and line of each function that an error came through, outermost first."""
    at = error.__traceback__
    while at:
        yield at.tb_frame.f_code, at.tb_lineno
        at = at.tb_next


def _spot(code: CodeType, line: int) -> str:
    return f"{Path(code.co_filename).name}:{line}"


def template(record: logging.LogRecord) -> str | None:
    """Give a record's text as it stands in the source that logs it; None where it does not stand there.

    To be called while the record is handled, in the thread that logs.
    """
    text = record.msg
    code = _logging_code(record)
    if not isinstance(text, str) or code is None:
        return None
    return text if any(one is text or one == text for one in _strings(code)) else None


def _logging_code(record: logging.LogRecord) -> CodeType | None:
    """Find the code that logs a record on the stack."""
    at: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to the stack; `inspect` reads files
    while at:
        code = at.f_code
        if (code.co_filename, code.co_name, at.f_lineno) == (record.pathname, record.funcName, record.lineno):
            return code
        at = at.f_back
    return None


def sentence(error: BaseException) -> str:
    """Give of an error's sentence what stands in the code that raised it; `…` is what does not.

    A refusal that a peer told, or whose sentence was put together elsewhere, is named by its slug and place.
    """
    if not isinstance(error, Refusal | Fault):
        return f"{kind_of(error)} at {place(error)}"
    text = str(error)
    if text == (type(error).__doc__ or "").split("\n", 1)[0] or known("why", text):
        return text
    pieces = {one for code, _ in _steps(error) if code.co_filename.startswith(HOME) for one in _strings(code)}
    told = _covered(text, pieces)
    where = f" at {place(error)}" if error.__traceback__ else ""
    return told or (error.slug if isinstance(error, Refusal) else "fault") + where


def _covered(text: str, pieces: Iterable[str]) -> str:
    """Keep of `text` the pieces that are constants with a space in them, and short whole numbers between them."""
    constants = sorted({one for one in pieces if " " in one and len(one) > 1}, key=len, reverse=True)
    told, gap, at = "", "", 0
    found = False
    while at < len(text):
        piece = next((one for one in constants if text.startswith(one, at)), "")
        if piece:
            told, gap, found = told + _between(gap) + piece, "", True
        else:
            gap += text[at]
        at += len(piece) or 1
    return told + _between(gap) if found else ""


def _between(gap: str) -> str:
    """Keep a short number; what else stands between constants is left out."""
    if not gap or _NUMBER.fullmatch(gap):
        return gap
    return LEFT_OUT


def _strings(code: CodeType) -> Iterator[str]:
    """Give the strings that stand in a function's source."""
    return (one for one in code.co_consts if isinstance(one, str))
