"""A power cut at a chosen step of the gate, in its process alone.

Python runs this file because a test put its folder onto PYTHONPATH. The step is read from the file that CRASH_AT names,
so that one gate can be armed while it runs:

before:KIND       when the gate is about to send the first message of that kind
only:KIND:ROLE    when ROLE has answered it and no other vault has heard of it
after:KIND        when all have answered
inside:FUNCTION   in the function's transaction, before it is committed
after:FUNCTION    when it is committed
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def _step() -> str:
    return Path(os.environ["CRASH_AT"]).read_text()


def _at(step: str) -> None:
    """End as in a power cut if this is the step."""
    if _step() == step:
        os.kill(os.getpid(), signal.SIGKILL)


def _install() -> None:
    """Put the steps around messages and transactions."""
    from moiety.matching.links import Links  # noqa: PLC0415 - only the process of the gate loads it
    from moiety.storage import Store  # noqa: PLC0415 - as above
    from moiety.wire.links import Client  # noqa: PLC0415 - as above

    call, both, begin = Client.call, Links.both, Store.begin

    async def called(self: Client, kind: Any, *rest: Any, **named: Any) -> Any:
        _at(f"before:{kind.name}")
        word, _, wanted = _step().partition(f":{kind.name}:")
        if word == "only" and self._role != wanted:
            await asyncio.sleep(60)
        answer = await call(self, kind, *rest, **named)
        _at(f"only:{kind.name}:{self._role}")
        if kind.name not in {"PREPARE", "COMMIT", "ERASE"}:
            _at(f"after:{kind.name}")
        return answer

    async def called_both(self: Links, kind: Any, *rest: Any) -> Any:
        answers = await both(self, kind, *rest)
        _at(f"after:{kind.name}")
        return answers

    def begun(self: Store) -> Any:
        name = sys._getframe(1).f_code.co_name

        @contextmanager
        def around() -> Iterator[Any]:
            with begin(self) as tx:
                yield tx
                _at(f"inside:{name}")
            _at(f"after:{name}")

        return around()

    for owner, name, put in ((Client, "call", called), (Links, "both", called_both), (Store, "begin", begun)):
        setattr(owner, name, put)


if "CRASH_AT" in os.environ and "moiety.cli.part" in sys.orig_argv and "gate" in sys.orig_argv:
    _install()
