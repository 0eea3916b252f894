"""The checks before anything is done: signatures, times, nonces, budgets. All refusals look alike to the asker."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import UnknownGallery, Unverified, WarrantRefused
from moiety.vault.emergency import Emergency
from moiety.vault.signers import Believed, joined
from moiety.warrants import statement as statements
from moiety.warrants.warrant import SKEW_SECONDS, in_force
from moiety.watch import declare

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence

    from moiety.foundation.clock import Clock
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.roster import Roster
    from moiety.vault.signers import Signers, Use
    from moiety.warrants.statement import Made, Statement
    from moiety.warrants.warrant import Act, SignedWarrant, Warrant
    from moiety.wire.frames import Frame
    from moiety.wire.links import Answer

_log = logging.getLogger(__name__)

HOUR_SECONDS = 3600
DAY_HOURS = 24
MONTH_HOURS = 30 * DAY_HOURS
ANYONE = b""
# A refusal leaves at the next full step after its question came, so that how long it took tells little of why.
REFUSAL_STEP_SECONDS = 0.1
declare("half", ("a", "b"))


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures this vault believes, apart from its roster: raw Ed25519 public keys."""

    tenant: str
    services: tuple[bytes, ...]
    eye: bytes


@dataclass(frozen=True, slots=True)
class Charge:
    """What an act costs: so much on a meter that has a limit per gallery and `hours`.

    Each signer pays, or all together where it is `shared`, or the one `payer` that is named.
    """

    meter: str
    cost: int
    limit: int
    hours: int = 1
    shared: bool = False
    payer: bytes = b""

    def payers(self, signers: Signers) -> tuple[bytes, ...]:
        """Say who pays."""
        if self.payer:
            return (self.payer,)
        return (ANYONE,) if self.shared else signers.payers


def refusals_alike(half: str, handler: Callable[[Frame], Awaitable[Answer]]) -> Callable[[Frame], Awaitable[Answer]]:
    """Turn every failed check of a handler into the same refusal; the reason goes to this vault's own log only."""

    async def answer(frame: Frame) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await handler(frame)
        except (Unverified, UnknownGallery, WarrantRefused) as error:
            _log.warning("vault-%(half)s: refused a warrant: %(why)s", {"half": half, "why": error})
        await asyncio.sleep(REFUSAL_STEP_SECONDS - (loop.time() - began) % REFUSAL_STEP_SECONDS)
        raise WarrantRefused

    return answer


class Guard:
    """Checks warrants and statements against this vault's own knowledge, and spends nonces and budgets."""

    def __init__(
        self,
        journal: Journal,
        trust: Trust,
        clock: Clock,
        roster: Callable[[], Roster],
        emergency: Callable[[], Emergency] | None = None,
    ) -> None:
        """Keep nonces and budgets in `journal`; `roster` and `emergency` give those in force."""
        self._journal = journal
        self._trust = trust
        self._clock = clock
        self._roster = roster
        self._emergency = emergency or (lambda: Emergency(trust.tenant))

    def now(self) -> float:
        """Say what time it is for this vault, in seconds since 1970 UTC."""
        return self._clock.now()

    def signers(self, signed: Sequence[SignedWarrant], act: Act, policy: GalleryPolicy) -> Signers:
        """Check what can be checked of a batch of warrants alone, and return who signed all of them.

        Raises:
            Unverified: any check fails.
            Halted: the stop button is pressed at this vault.

        """
        self._emergency().must_allow(act, signed)
        believed = self._believed()
        for one in signed:
            self._fits(one.warrant, act, policy)
        return joined([believed.signers(one, policy.needs(act)) for one in signed])

    def _believed(self) -> Believed:
        """Say whom this vault believes now."""
        return Believed(self._trust.services, self._roster(), self._clock.now())

    def take(self, signed: SignedWarrant) -> None:
        """Check signatures before all are there, and nothing else of their warrant; nothing is spent.

        Raises:
            Unverified: one would be refused, or one person signed twice.

        """
        self._believed().take(signed)

    def _fits(self, warrant: Warrant, act: Act, policy: GalleryPolicy) -> None:
        """Check that a warrant is for this act, gallery, policy and time."""
        if warrant.act is not act:
            raise Unverified("The warrant is for another act.")
        if {warrant.tenant, policy.tenant} != {self._trust.tenant} or warrant.gallery != policy.gallery:
            raise Unverified("The warrant is for another gallery.")
        if (warrant.policy_version, warrant.purpose) != (policy.version, policy.purpose):
            raise Unverified("The warrant names another purpose or another version of the policy.")
        in_force(warrant, self._clock.now())

    def statement(self, warrant: Warrant, raw: bytes, signature: bytes, made: Made, policy: GalleryPolicy) -> Statement:
        """Check that the eye says of this picture, for this warrant, what the gallery needs.

        Raises:
            Unverified: any check fails.

        """
        statement = statements.Statement.decode(raw)
        statements.verify(statement, signature, self._trust.eye)
        if warrant.statement_sha256 != statement.digest():
            raise Unverified("The warrant is for another statement.")
        mine = (statement.tenant, statement.gallery, statement.image_sha256, statement.box, statement.nonce)
        if mine != (warrant.tenant, warrant.gallery, warrant.image_sha256, warrant.box, warrant.nonce):
            raise Unverified("The statement is of another picture, face or nonce.")
        if (statement.made, statement.model, statement.rotation) != (made, policy.model, policy.rotation):
            raise Unverified("The statement is of another kind, model or rotation.")
        return statement

    def spend(self, warrants: Sequence[Warrant], signers: Signers, *charges: Charge) -> None:
        """Use up nonces, passkeys' counters and the budgets of all signers, durably, or raise and use up nothing.

        Raises:
            Unverified: a nonce was used before, a counter went back, or a budget does not reach.

        """
        now = int(self._clock.now())
        gallery = warrants[0].gallery
        with self._journal.transaction() as db:
            # A crash after this leaves the nonces used and the budget spent: the question must be asked anew.
            db.execute("DELETE FROM nonce WHERE expires < ?", (now - 2 * SKEW_SECONDS,))
            fresh = {w.nonce: w.expires + SKEW_SECONDS for w in warrants}
            known = sum(db.execute("SELECT count(*) FROM nonce WHERE nonce = ?", (n,)).fetchone()[0] for n in fresh)
            if known or len(fresh) != len(warrants):
                raise Unverified("A nonce was used before.")
            db.executemany("INSERT INTO nonce VALUES (?, ?)", fresh.items())
            _count_uses(db, signers.uses, now)
            for charge in charges:
                for payer in charge.payers(signers):
                    # One person's budget is one in all galleries.
                    _charge(db, payer, "" if charge.payer else gallery, charge, now)

    def charge(self, gallery: str, charge: Charge) -> None:
        """Spend budget for a metered question that has no warrant.

        Raises:
            Unverified: the budget does not reach.

        """
        with self._journal.transaction() as db:
            # A crash after this leaves the budget spent.
            _charge(db, ANYONE, gallery, charge, int(self._clock.now()))


def _charge(db: sqlite3.Connection, payer: bytes, gallery: str, charge: Charge, now: int) -> None:
    """Add to the meter of this hour, or raise."""
    hour = now // HOUR_SECONDS
    db.execute("DELETE FROM budget WHERE hour < ?", (hour - MONTH_HOURS,))
    where = (payer, gallery, charge.meter)
    query = (
        "SELECT coalesce(sum(spent), 0) FROM budget "
        "WHERE signer = ? AND gallery = ? AND meter = ? AND hour > ? AND hour <= ?"
    )
    spent = db.execute(query, (*where, hour - charge.hours, hour)).fetchone()[0]
    if spent + charge.cost > charge.limit:
        raise Unverified(f"The budget of {charge.limit} in {charge.hours} h for {charge.meter} is spent.")
    db.execute(
        "INSERT INTO budget VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (signer, gallery, meter, hour) DO UPDATE SET spent = spent + excluded.spent",
        (*where, hour, charge.cost),
    )


def _count_uses(db: sqlite3.Connection, uses: Sequence[Use], now: int) -> None:
    """Hold each passkey's counter against the last one that was seen (WebAuthn Level 3, sections 6.1.1 and 7.2).

    Counters may stay at zero for ever; one that was above zero must rise with each assertion. The assertion that
    opened a session is shown with every reveal, and counts when it is first seen.
    """
    db.execute("DELETE FROM session WHERE expires < ?", (now - 2 * SKEW_SECONDS,))
    counts: dict[bytes, list[int]] = {}
    for use in uses:
        if use.opened:
            if db.execute("SELECT 1 FROM session WHERE opened = ?", (use.opened,)).fetchone():
                continue
            db.execute("INSERT INTO session VALUES (?, ?)", (use.opened, use.expires))
        counts.setdefault(use.credential, []).append(use.count)
    for credential, seen in counts.items():
        known = db.execute("SELECT count FROM passkey_count WHERE credential = ?", (credential,)).fetchone()
        last = known[0] if known else 0
        if not last and not any(seen):
            continue
        if min(seen) <= last or len(set(seen)) != len(seen):
            raise Unverified("A passkey's counter did not rise: it may have been copied.")
        db.execute("INSERT OR REPLACE INTO passkey_count VALUES (?, ?)", (credential, max(seen)))
