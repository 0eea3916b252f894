"""Processes in one thread under a time of their own: an event loop whose timers jump and whose threads are thrown dice.

Every task, timer and thread's work belongs to the process that began it. When a process dies, none of them moves any
more: no `finally` runs on, nothing is closed, as if the power had been cut.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import heapq
import itertools
import os
import random
import traceback
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from moiety.foundation.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

Result = TypeVar("Result")

START = 1_800_000_000.0
CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
# What belongs to no process and goes on whoever dies: the wires, the disks.
NOBODY = Context()


class Died(BaseException):
    """The process in which this is raised has ended; nobody catches it but the loop."""


class Gone(Exception):  # noqa: N818 - what happened to a process, not to us
    """The process that was asked something died over it."""


class Process:
    """One incarnation of one part."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        """Begin to live."""
        self.name = name
        self.alive = True
        self.loop = loop
        self.gone: asyncio.Future[None] = loop.create_future()
        self.at_death: list[Callable[[], object]] = []
        self._context = copy_context()
        self._context.run(CURRENT.set, self)

    def spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Begin a task that belongs to this process."""
        return self.loop.create_task(work, context=self._context.copy())

    async def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let the process do something, from outside.

        Raises:
            Gone: it died first.

        """
        task = self.spawn(work)
        try:
            await asyncio.wait((task, self.gone), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not self.alive:
            raise Gone(self.name)
        return task.result()

    def die(self) -> None:
        """End at once."""
        if self.alive:
            self.alive = False
            for left in self.at_death:
                left()
            self.gone.set_result(None)


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    numbers = itertools.count()

    def __init__(self, *given: Any, **named: Any) -> None:
        self._number = next(self.numbers)
        super().__init__(*given, **named)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Time stands still while anybody has something to do, and then jumps to the next timer."""

    def __init__(self, dice: random.Random) -> None:
        """Throw `dice` for how long a thread takes."""
        super().__init__()
        inner: Any = self
        inner._clock_resolution = 1e-9
        self._inner = inner
        self._now = 0.0
        self._dice = dice
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._complaint)
        self.complaints: list[str] = []
        # Tasks are kept to the end of the run, so that none is torn down while the others live.
        self.tasks: list[asyncio.Task[Any]] = []

    def _make_task(self, loop: Any, coro: Any, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = _Task(coro, loop=loop, **named)
        self.tasks.append(task)
        return task

    def _complaint(self, _: Any, context: dict[str, Any]) -> None:
        """Note what went wrong with nobody there to hear it."""
        error = context.get("exception")
        if not isinstance(error, Died):
            self.complaints.append(f"{context['message']}: {error!r}")

    def time(self) -> float:
        """Seconds since the run began."""
        return self._now

    def suspend(self, seconds: float) -> None:
        """Let time pass while nobody works, as on a machine that sleeps: whatever was due by then is due at once."""
        self._now += seconds

    def _run_once(self) -> None:
        """Run what is ready; when nothing is, jump to the next timer."""
        ready, scheduled = self._inner._ready, self._inner._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._inner._stopping:
            if not scheduled:
                raise RuntimeError("Everybody waits for something that nobody will do.")
            self._now = max(self._now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        for _ in range(len(ready)):
            handle = ready.popleft()
            process = handle._context.get(CURRENT)
            if not handle._cancelled and (process is None or process.alive):
                handle._run()

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Leave a cancelled timer to be dropped when its time comes."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector here."""

    def run_in_executor(  # type: ignore[override]  # with types that can be read
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do a thread's work in one go, now or a little later; who is cancelled meanwhile may have come too late."""
        assert executor is None
        future = self.create_future()

        def work() -> None:
            if future.cancelled() and self._dice.random() < 0.5:
                return
            try:
                result = func(*args)
            except Died:
                return
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - as a thread hands on whatever happens in it
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_later(self._dice.choice((0.0, 0.0, 0.001, 0.02)), work)
        return future

    def unheard(self) -> list[str]:
        """Say which tasks have failed unexpectedly, with nobody there to look at it: something does not go on."""
        told = []
        for task in self.tasks:
            if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
                error = task.exception()
                if not isinstance(error, Died | Refusal):
                    told.append("".join(traceback.format_exception(error)))
        return told

    def bury(self) -> None:
        """At the end of the run: let go of every task without a word."""
        for task in self.tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # a task of the dead is no mistake
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        self.tasks.clear()
        self.close()


class VirtualClock:
    """A part's clock: the loop's time, and what this one is wrong by."""

    def __init__(self, loop: VirtualLoop, wrong: float = 0.0) -> None:
        """Be `wrong` by so many seconds."""
        self._loop = loop
        self._wrong = wrong

    def now(self) -> float:
        """Seconds since 1970."""
        return START + self._loop.time() + self._wrong

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return self._loop.time()


class Trace:
    """What happened, in one hash, and in lines where somebody wants to read them."""

    def __init__(self, *, keep: bool = False) -> None:
        """Keep the lines too, or not."""
        self._hash = hashlib.blake2b()
        self.lines: list[str] | None = [] if keep else None

    def note(self, line: str) -> None:
        """Add one event."""
        self._hash.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    def digest(self) -> str:
        """Name the run by all that happened in it."""
        return base64.b32encode(self._hash.digest()[:10]).decode().lower()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let the system's randomness come from `seed`, but for what OpenSSL draws by itself."""
    drawn = random.Random(seed ^ 0x5EED).randbytes  # noqa: S311 - a run that can be repeated
    with mock.patch.object(os, "urandom", drawn), mock.patch.object(random, "_urandom", drawn):
        yield
