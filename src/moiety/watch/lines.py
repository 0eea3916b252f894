"""Log lines: one JSON object each, made of what `shapes` and `origins` let through, for every logger of the process.

A line of ours is a constant sentence and one dictionary: `_log.info("%(part)s: refused %(kind)s", {"part": …})`.
"""

from __future__ import annotations

import collections
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from moiety.watch.origins import kind_of, places, template
from moiety.watch.shapes import Withheld, clean

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from typing import TextIO

OURS: Final = "moiety"
WITHHELD: Final = "a line was withheld: its text does not stand in the source"
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_FIELD: Final = re.compile(r"%\((\w+)\)[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]")

_JSON: Final = structlog.processors.JSONRenderer(ensure_ascii=False)
_told: collections.Counter[str] = collections.Counter()


def begin(level: str, stream: TextIO) -> None:
    """Let every logger of this process write JSON lines to `stream` from now on, at `level` and above."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter())
    handler.addFilter(_worth_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in list(logging.root.manager.loggerDict):
        # A library that brought handlers of its own speaks through ours as well.
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # What cannot be written is no reason to write its content elsewhere (logging, `Handler.handleError`).
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _catch_what_nobody_catches()


def written() -> dict[str, int]:
    """Count the lines by level since the start, and under `withheld` the values and texts that were left out."""
    return {level: _told[level] for level in (*LEVELS, "withheld")}


class Formatter(logging.Formatter):
    """Writes a record, of the standard library or of structlog, as one line of JSON, from cleaned parts alone."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line; to be called in the thread that logs."""
        return str(_JSON(None, "", _sieved(record)))


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out what libraries say at debug: their words would be withheld anyway."""
    return record.levelno > logging.DEBUG or _ours(record)


def _ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == OURS


def _sieved(record: logging.LogRecord) -> dict[str, Any]:
    """Build a line from what of a record may be written."""
    level = record.levelname.lower() if record.levelname.lower() in LEVELS else "info"
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": _module(record.name),
    }
    if isinstance(record.msg, dict):  # structlog's: the event cannot be checked, the keys can
        values, left_out = _values({key: value for key, value in record.msg.items() if key != "event"})
        event, left_out = WITHHELD, left_out + 1
    else:
        text = template(record)
        values, left_out = _values(record.args if isinstance(record.args, dict) else {})
        left_out += (text is None) + (0 if isinstance(record.args, dict) else len(record.args or ()))
        event = WITHHELD if text is None else _filled(text, values)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        values |= {"error": str(kind_of(error)), "at": str(places(error))}
    # A library's values are left out of every line of its own: only what we left out of ours is worth a look.
    left_out = left_out if _ours(record) else 0
    _told[level] += 1
    _told["withheld"] += left_out
    line |= {"event": event, **values}
    return line | ({"withheld": left_out} if left_out else {})


def _values(given: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Clean what is given; gives also how much was left out."""
    values, left_out = {}, 0
    for key, value in given.items():
        try:
            values[key] = clean(key, value)
        except Withheld:
            left_out += 1
    return values, left_out


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """Put cleaned values into a constant sentence; a value that was left out shows as its key in brackets."""

    def fill(found: re.Match[str]) -> str:
        key = found[1]
        return found[0] % values if key in values else f"[{key}]"

    return _FIELD.sub(fill, text)


def _module(name: str) -> str:
    """Give a logger's name as far as it is that of a loaded module."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name or "root"


# ---- what Python itself would print ----


def _catch_what_nobody_catches() -> None:
    """Let errors that nobody catches, in any thread or destructor, leave a line and not their text."""
    log = logging.getLogger(OURS)

    def at_the_end(_kind: type[BaseException], error: BaseException, _trace: Any) -> None:
        log.critical("the process ends by an error that nobody foresaw", exc_info=_of(error))

    def in_a_thread(told: threading.ExceptHookArgs) -> None:
        log.error("a thread ended by an error that nobody foresaw", exc_info=_of(told.exc_value))

    def in_passing(told: Any) -> None:
        log.error("an error was met where none can be raised", exc_info=_of(told.exc_value))

    sys.excepthook = at_the_end
    threading.excepthook = in_a_thread
    sys.unraisablehook = in_passing


def _of(error: BaseException | None) -> Any:
    return None if error is None else (type(error), error, error.__traceback__)


def on_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let an event loop's own words about lost errors leave a line of ours."""

    def lost(_loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        logging.getLogger(OURS).error("work in the background failed", exc_info=_of(told.get("exception")))

    loop.set_exception_handler(lost)
