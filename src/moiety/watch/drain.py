"""Standard error of a part: nothing that a library writes there past Python's loggers reaches the log's file.

Descriptor 2 leads nowhere while a part runs; log lines go to where it led before. A pipe that somebody reads would tell
how much was written, but a library that fills it while it holds the interpreter's lock would wait for ever.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD_ERROR = 2


@contextlib.contextmanager
def drained() -> Iterator[TextIO]:
    """Give a stream to where standard error led, and let nothing else get there until the block ends.

    The stream stays open: what is logged after the block is logged as well.
    """
    sys.stderr.flush()
    before = os.dup(STANDARD_ERROR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STANDARD_ERROR)
    os.close(nowhere)
    try:
        yield os.fdopen(os.dup(before), "w", buffering=1, encoding="utf-8", errors="replace")
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stderr.flush()
        os.dup2(before, STANDARD_ERROR)
        os.close(before)
