"""Tickets and browser sessions, in memory alone: a restart ends them all."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import Unauthenticated

if TYPE_CHECKING:
    from moiety.foundation.clock import Clock

TICKET_SECONDS: Final = 120.0
SESSION_SECONDS: Final = 12 * 3600.0
IDLE_SECONDS: Final = 3600.0
TICKETS_MAX: Final = 32
SESSIONS_MAX: Final = 64


@dataclass(slots=True)
class _Session:
    ends_at: float
    seen_at: float


def _mark(secret: str) -> bytes:
    """Keep the hash only: what lies in memory opens nothing."""
    return hashlib.sha256(secret.encode()).digest()


class Sessions:
    """Who came in through a ticket. Used by the event loop's thread alone."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._tickets: OrderedDict[bytes, float] = OrderedDict()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def ticket(self) -> str:
        """Make a ticket that opens one session within two minutes; only the newest 32 are kept."""
        ticket = secrets.token_urlsafe(32)
        self._tickets[_mark(ticket)] = self._clock.monotonic() + TICKET_SECONDS
        while len(self._tickets) > TICKETS_MAX:
            self._tickets.popitem(last=False)
        return ticket

    def enter(self, ticket: str) -> str:
        """Spend a ticket for a session's secret; only the newest 64 sessions are kept.

        Raises:
            Unauthenticated: the ticket is unknown, spent or too old.

        """
        now = self._clock.monotonic()
        if self._tickets.pop(_mark(ticket), float("-inf")) < now:
            raise Unauthenticated("This ticket is spent or too old; run `moiety open` for a new one.")
        secret = secrets.token_urlsafe(32)
        self._sessions[_mark(secret)] = _Session(now + SESSION_SECONDS, now)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return secret

    def check(self, secret: str) -> None:
        """Do nothing if the session is alive, and count it as used.

        Raises:
            Unauthenticated: there is none, it was idle for an hour, or it is twelve hours old.

        """
        mark, now = _mark(secret), self._clock.monotonic()
        session = self._sessions.get(mark)
        if session is None:
            raise Unauthenticated
        if now >= session.ends_at or now - session.seen_at >= IDLE_SECONDS:
            del self._sessions[mark]
            raise Unauthenticated("The session has ended; run `moiety open` for a new one.")
        session.seen_at = now

    def end_all(self) -> None:
        """End all of them, and the tickets."""
        self._sessions.clear()
        self._tickets.clear()

    def leave(self, secret: str) -> None:
        """End a session."""
        self._sessions.pop(_mark(secret), None)
