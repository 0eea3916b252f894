"""Who an organisation's provider says sits at a browser: for ten minutes, in memory, for one sign-in with a passkey.

It opens nothing. It only has to be the same person whose passkey signs.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from moiety.access.provider import Request
from moiety.foundation.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from moiety.access.provider import Answer, Organisation, Provider
    from moiety.access.sealing import Sealing
    from moiety.foundation.clock import Clock

WAIT_SECONDS: Final = 600.0
HELD_MAX: Final = 4096
BACK: Final = "/oidc/back"
NOT_OURS: Final = (
    "This answer of your organisation's sign-in was not asked for by this browser, or is spent; begin again."
)
REFUSED: Final = "Your organisation's sign-in let nobody in."
SAY_WHO: Final = "Your organisation has to say first who you are."
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, repr=False)
class _Begun:
    """A sign-in that waits for the provider's answer, of the browser with this mark."""

    until: float
    browser: bytes
    asked: Request


def _mark(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _hold(table: OrderedDict[bytes, _V], key: bytes, value: _V) -> None:
    """Keep an entry, and the newest few thousand only."""
    table[key] = value
    while len(table) > HELD_MAX:
        table.popitem(last=False)


class Identified:
    """The browsers that an organisation's provider has spoken for. Used by the event loop's thread alone."""

    def __init__(self, organisation: Organisation, provider: Provider, sealing: Sealing, clock: Clock) -> None:
        """Begin with none."""
        self._of = organisation
        self._provider = provider
        self._sealing = sealing
        self._clock = clock
        self._begun: OrderedDict[bytes, _Begun] = OrderedDict()
        self._known: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    @property
    def needed(self) -> bool:
        """Whether nobody comes in without it."""
        return self._of.needed

    async def begin(self, gate: str) -> tuple[str, str]:
        """Begin at the gate with this origin; gives the provider's address and the secret of the browser's cookie.

        Raises:
            Unavailable: the provider does not answer.

        """
        asked = Request(gate + BACK, *(secrets.token_urlsafe(32) for _ in range(3)))
        address = await self._provider.address_for(asked)
        secret = secrets.token_urlsafe(32)
        _hold(self._begun, _mark(asked.state), _Begun(self._clock.now() + WAIT_SECONDS, _mark(secret), asked))
        return address, secret

    async def finish(self, secret: str, state: str, answer: Answer | None) -> None:
        """Take the provider's answer, None where it let nobody in; from then on the browser is known.

        Raises:
            Unauthenticated: this browser asked for no such answer, or it came twice or late.
            Forbidden: the provider let nobody in, or the answer is not its own.
            Unavailable: the provider does not answer.

        """
        begun = self._begun.pop(_mark(state), None)
        if begun is None or begun.until <= self._clock.now() or begun.browser != _mark(secret):
            raise Unauthenticated(NOT_OURS)
        if answer is None:
            raise Forbidden(REFUSED)
        subject = await self._provider.subject(begun.asked, answer)
        mark = self._sealing.subject_mark(self._of.issuer, subject)
        _hold(self._known, begun.browser, (self._clock.now() + WAIT_SECONDS, mark))

    def known(self, secret: str) -> bytes | None:
        """Give the mark of whoever the provider says sits at a browser."""
        until, mark = self._known.get(_mark(secret), (0.0, None))
        return mark if until > self._clock.now() else None

    def must_be_known(self, secret: str) -> bytes | None:
        """Do as `known`.

        Raises:
            Forbidden: nobody is known there, and without it nobody comes in.

        """
        mark = self.known(secret)
        if mark is None and self.needed:
            raise Forbidden(SAY_WHO)
        return mark

    def forget(self, secret: str) -> None:
        """Forget a browser: the sign-in is done, or somebody leaves."""
        self._known.pop(_mark(secret), None)

    async def leaving(self, gate: str) -> str | None:
        """Give the address at which a person signs out at the provider; raises as `begin`."""
        return await self._provider.leaving(gate + "/sign-in")
