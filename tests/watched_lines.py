"""The log of a part, in a test: what `moiety.watch.lines` writes, and everything put back as it was."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from moiety.watch import lines

if TYPE_CHECKING:
    from collections.abc import Iterator


class Written(io.StringIO):
    """A log's file."""

    def lines(self) -> list[dict[str, Any]]:
        """Read its lines."""
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def last(self) -> dict[str, Any]:
        """Read its last line."""
        return self.lines()[-1]


@contextmanager
def written(level: str = "debug") -> Iterator[Written]:
    """Let this process log as a part does, into memory."""
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    others = [(one, list(one.handlers), one.propagate) for one in loggers]
    before = (list(root.handlers), root.level, logging.raiseExceptions)
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    stream = Written()
    lines.begin(level, stream)
    try:
        yield stream
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.raiseExceptions = before[2]
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        for logger, handlers, propagate in others:
            logger.handlers[:] = handlers
            logger.propagate = propagate
        structlog.reset_defaults()
