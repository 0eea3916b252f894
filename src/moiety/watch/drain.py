"""Standard error of a part: nothing that a library writes there past Python's loggers reaches the log's file.

Descriptor 2 becomes a pipe; what comes through it is counted, never kept. Log lines go to where it led before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

STANDARD_ERROR = 2
CHUNK_BYTES = 1 << 16
PAUSE_SECONDS = 1.0


@contextlib.contextmanager
def drained() -> Iterator[TextIO]:
    """Give a stream to where standard error led, and let nothing else get there until the block ends."""
    sys.stderr.flush()
    before = os.dup(STANDARD_ERROR)
    out, into = os.pipe()
    os.dup2(into, STANDARD_ERROR)
    os.close(into)
    threading.Thread(target=_count, args=(out,), name="drain", daemon=True).start()
    stream = os.fdopen(os.dup(before), "w", buffering=1, encoding="utf-8", errors="replace")
    try:
        yield stream
    finally:
        with contextlib.suppress(ValueError, OSError):
            sys.stderr.flush()
        os.dup2(before, STANDARD_ERROR)  # the pipe's last writer goes, and its reader ends
        os.close(before)


def _count(out: int) -> None:
    """Read until the last writer is gone; say at most once a second how much came."""
    with os.fdopen(out, "rb", buffering=0) as pipe:
        while found := pipe.read(CHUNK_BYTES):
            _log.warning("%(bytes)d bytes on standard error were not written here", {"bytes": len(found)})
            time.sleep(PAUSE_SECONDS)
