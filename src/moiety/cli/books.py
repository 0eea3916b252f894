"""Reaching a vault's book from its own machine: over the local socket while the vault runs, in its folder while not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.cli.starting import take_lock
from moiety.foundation.clock import SystemClock
from moiety.foundation.errors import BadInput, PartDown
from moiety.vault.book import Book, has_book
from moiety.vault.policies import PUTS, tell_book
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from moiety.cli.installation import Installation
    from moiety.vault.endorsed import Endorsed

HALVES = {"a": (Role.VAULT_A,), "b": (Role.VAULT_B,), "both": (Role.VAULT_A, Role.VAULT_B)}
# A vault that is being started again is waited for.
WAIT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class BookLine:
    """One vault's book."""

    at: Installation
    role: Role

    def show(self) -> dict[str, Any]:
        """Give everything in it.

        Raises:
            Fault: the vault does not run and its book is altered.
            PartDown: the vault runs and does not answer.

        """
        return self._reach("book-show", {}, tell_book)

    def put(self, kind: str, endorsed: Endorsed) -> dict[str, Any]:
        """Put a signed `roster`, `standing` or `policy`; gives its version. It is in force at once.

        Raises:
            Refusal: the vault does not take it; nothing has changed.

        """

        def here(book: Book) -> dict[str, Any]:
            return {"version": PUTS[kind](book, endorsed)}

        return self._reach(f"{kind}-put", {"endorsed": endorsed.encode().hex()}, here)

    def press(self, *, stop: bool, kill: bool) -> dict[str, Any]:
        """Press stop or kill at this vault; gives the version that is in force then. Nobody has to sign that.

        Raises:
            PartDown: the vault runs and does not answer.

        """

        def here(book: Book) -> dict[str, Any]:
            return {"version": book.emergencies.press(stop=stop, kill=kill).version}

        return self._reach("emergency-press", {"stop": stop, "kill": kill}, here)

    def _reach(self, word: str, given: dict[str, Any], here: Callable[[Book], dict[str, Any]]) -> dict[str, Any]:
        """Ask the running vault; where none runs, keep it from starting and do it here."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            if (self.at.folder(self.role) / NAME).exists():
                try:
                    return LocalClient(self.at.folder(self.role) / NAME, self.role).ask_now(word, given)
                except PartDown:
                    pass  # a socket that a crash left, or a vault that is being started again
            try:
                lock = take_lock(self.at.run)
            except BadInput:
                if time.monotonic() > end:
                    raise PartDown(f"{self.role} runs and does not answer; see its log.") from None
                time.sleep(0.1)
                continue
            with lock:
                # The book itself; the journal is brought into line when the vault starts.
                clock = SystemClock()
                signing = self.at.identity(self.role, clock).signing
                return here(Book(self.at.folder(self.role), self.at.tenant, signing, clock))


def lines(at: Installation, half: str | None) -> list[BookLine]:
    """Give the books that are meant: `a`, `b`, `both`, or those that are on this machine.

    Raises:
        BadInput: there is no such half, or none of them is here.

    """
    if half is not None and half not in HALVES:
        raise BadInput("--half is a, b or both.")
    wanted = HALVES[half or "both"]
    here = [BookLine(at, role) for role in wanted if has_book(at.folder(role))]
    if not here or (half is not None and len(here) != len(wanted)):
        missing = " and ".join(role for role in wanted if not has_book(at.folder(role)))
        raise BadInput(f"There is no book of {missing} in this installation; it is changed on its own machine.")
    return here
