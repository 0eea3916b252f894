"""How much the API takes at once: sizes, rates, pictures in work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from moiety.access import Allowance
from moiety.foundation.errors import ImageTooLarge, RateLimited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

MIB: Final = 1024 * 1024

# Names of the rate limiter's buckets.
FOR_OWNER: Final = "owner"
FOR_KEY: Final = "key"
FOR_STRANGER: Final = "stranger"
FOR_FAILURE: Final = "failure"
FOR_REPORT: Final = "report"
FOR_ANSWER: Final = "report-answer"
FOR_REPORT_NEAR: Final = "report-network"
FOR_REPORT_ALL: Final = "report-all"
FOR_REPORT_FIRST: Final = "report-first"
FOR_REPORT_NEW: Final = "report-newcomers"

_KEY_RATE: Final = Allowance(per_minute=3_000, burst=100)
# The owner enrols in bulk and measures; this stops a runaway loop, nothing else.
_OWNER_RATE: Final = Allowance(per_minute=120_000, burst=4_000)
_STRANGER_RATE: Final = Allowance(per_minute=1_200, burst=300)
# A stranger with a hole to report sends one report, and perhaps two more; so often they ask for the answer, too. At six
# an hour one address needs more than three days to fill the inbox, which ends at 500 that wait.
_REPORTS: Final = Allowance(per_minute=0.1, burst=10)
_DAY_MINUTES: Final = 24 * 60
_NEAR: Final = Allowance(per_minute=48 / _DAY_MINUTES, burst=20)
_TOGETHER: Final = Allowance(per_minute=40 / _DAY_MINUTES, burst=40)
_FIRST: Final = Allowance(per_minute=1 / _DAY_MINUTES, burst=1)
_NEWCOMERS: Final = Allowance(per_minute=60 / _DAY_MINUTES, burst=60)
_FAILURES: Final = Allowance(per_minute=20, burst=30)


@dataclass(frozen=True, slots=True)
class Inbox:
    """How many reports the inbox takes of all strangers together, all of it counted in memory and by no name.

    From one network (an IPv4 /24, an IPv6 /48) come `near`, of all `together`. Beside those there are places for
    `newcomers`, one for each network a day (`first`): whoever fills all others from a few networks shuts nobody out.
    """

    near: Allowance = _NEAR
    together: Allowance = _TOGETHER
    first: Allowance = _FIRST
    newcomers: Allowance = _NEWCOMERS


_INBOX: Final = Inbox()


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults suit one site; all of them may be set.

    `image_bytes` and `json_bytes` bound one picture and one JSON body (or the words beside a picture). Rates are per
    caller: a key, the owner, or for what needs no key the client's address; `failures` are wrong keys per address,
    `reports` what strangers send to the inbox and ask of it, which is bounded for all of them by `inbox`.
    `pictures_at_once` are worked on, `pictures_waiting` more may wait in memory; the next is told to come again.
    """

    image_bytes: int = 12 * MIB
    json_bytes: int = 64 * 1024
    body_seconds: float = 30.0
    pictures_at_once: int = 8
    pictures_waiting: int = 40
    key_rate: Allowance = _KEY_RATE
    owner_rate: Allowance = _OWNER_RATE
    stranger_rate: Allowance = _STRANGER_RATE
    failures: Allowance = _FAILURES
    reports: Allowance = _REPORTS
    inbox: Inbox = _INBOX

    def rates(self) -> dict[str, Allowance]:
        """Name the allowances for `RateLimiter`."""
        return {
            FOR_OWNER: self.owner_rate,
            FOR_KEY: self.key_rate,
            FOR_STRANGER: self.stranger_rate,
            FOR_FAILURE: self.failures,
            FOR_REPORT: self.reports,
            FOR_ANSWER: self.reports,
            FOR_REPORT_NEAR: self.inbox.near,
            FOR_REPORT_ALL: self.inbox.together,
            FOR_REPORT_FIRST: self.inbox.first,
            FOR_REPORT_NEW: self.inbox.newcomers,
        }


async def read_body(request: Request, bytes_max: int, seconds: float, *, pictures: bool) -> bytes:
    """Read the whole body into memory, and no byte more than `bytes_max`.

    Raises:
        ImageTooLarge: a body with pictures is larger.
        HTTPException: another body is larger (413), or it did not arrive within `seconds` (408).

    """

    def too_large() -> Exception:
        mib = bytes_max // MIB
        return ImageTooLarge(f"The upload is larger than {mib} MiB.") if pictures else HTTPException(413)

    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told[:20]) > bytes_max:
        raise too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise too_large()
    except TimeoutError:
        raise HTTPException(408) from None
    except ClientDisconnect:
        raise HTTPException(400) from None
    return bytes(body)


class Queue:
    """Pictures in the house: so many in work, so many waiting in memory, and no more."""

    def __init__(self, at_once: int, waiting: int) -> None:
        """Let `at_once` be worked on while `waiting` others wait."""
        self._room = at_once + waiting
        self._work = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place while the body is read and answered.

        Raises:
            RateLimited: the house is full.

        """
        if not self._room:
            raise RateLimited("Too many pictures are being worked on; try again in 1 s.", wait_s=1)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn to be worked on."""
        async with self._work:
            yield
