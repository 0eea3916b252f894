"""The checks before anything is done: signatures, times, nonces, budgets. All refusals look alike to the asker."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import Unverified, WarrantRefused
from moiety.warrants import statement as statements
from moiety.warrants.warrant import SKEW_SECONDS, Act, SignedWarrant, in_force, signed_by_service

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from moiety.foundation.clock import Clock
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.warrants.statement import Made, Statement
    from moiety.warrants.warrant import Warrant

_log = logging.getLogger(__name__)

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures this vault believes: raw Ed25519 public keys."""

    tenant: str
    services: tuple[bytes, ...]
    eye: bytes


@dataclass(frozen=True, slots=True)
class Charge:
    """What an act costs: so much on a meter that has a limit per signer, gallery and hour."""

    meter: str
    cost: int
    limit: int


@contextmanager
def refusals_alike(half: str) -> Iterator[None]:
    """Turn every failed check into the same refusal; the reason goes to this vault's own log only."""
    try:
        yield
    except Unverified as error:
        _log.warning("%s: refused a warrant: %s", half, error)
        raise WarrantRefused from None


class Guard:
    """Checks warrants and statements against this vault's own knowledge, and spends nonces and budgets."""

    def __init__(self, journal: Journal, trust: Trust, clock: Clock) -> None:
        """Keep nonces and budgets in `journal`."""
        self._journal = journal
        self._trust = trust
        self._clock = clock

    def signer(self, signed: SignedWarrant, act: Act, policy: GalleryPolicy) -> bytes:
        """Check what can be checked of a warrant alone, and return who signed it.

        Raises:
            Unverified: any check fails.

        """
        warrant = signed.warrant
        if warrant.act is not act:
            raise Unverified("The warrant is for another act.")
        if {warrant.tenant, policy.tenant} != {self._trust.tenant} or warrant.gallery != policy.gallery:
            raise Unverified("The warrant is for another gallery.")
        if (warrant.policy_version, warrant.purpose) != (policy.version, policy.purpose):
            raise Unverified("The warrant names another purpose or an old policy.")
        if policy.needs != "service":
            raise Unverified("The gallery's policy needs another kind of signature.")
        in_force(warrant, self._clock.now())
        return signed_by_service(signed, self._trust.services)

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

    def spend(self, warrants: Sequence[Warrant], signer: bytes, *charges: Charge) -> None:
        """Use up the nonces and the budgets, durably, or raise and use up nothing.

        Raises:
            Unverified: a nonce was used before, or the budget of this hour does not reach.

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
            for charge in charges:
                self._charge(db, signer, gallery, charge, now)

    def charge(self, signer: bytes, gallery: str, charge: Charge) -> None:
        """Spend budget for a metered question that has no warrant.

        Raises:
            Unverified: the budget of this hour does not reach.

        """
        with self._journal.transaction() as db:
            # A crash after this leaves the budget spent.
            self._charge(db, signer, gallery, charge, int(self._clock.now()))

    @staticmethod
    def _charge(db: sqlite3.Connection, signer: bytes, gallery: str, charge: Charge, now: int) -> None:
        """Add to the meter of this hour, or raise."""
        hour = now // HOUR_SECONDS
        db.execute("DELETE FROM budget WHERE hour < ?", (hour - 1,))
        where = (signer, gallery, charge.meter, hour)
        db.execute("INSERT INTO budget VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING", where)
        query = "SELECT spent FROM budget WHERE signer = ? AND gallery = ? AND meter = ? AND hour = ?"
        spent = db.execute(query, where).fetchone()[0] + charge.cost
        if spent > charge.limit:
            raise Unverified(f"The budget of {charge.limit} per hour for {charge.meter} is spent.")
        db.execute(
            "UPDATE budget SET spent = ? WHERE signer = ? AND gallery = ? AND meter = ? AND hour = ?", (spent, *where)
        )
