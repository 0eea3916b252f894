"""Weaknesses of the vaults: one check each that is not made."""

from __future__ import annotations

import os
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.drill.weaknesses import put
from moiety.vault import attest, exchange, guard, questions, renewal, signers
from moiety.vault.attest import Attested
from moiety.vault.book import Book
from moiety.vault.emergency import Emergency
from moiety.vault.guard import Guard
from moiety.vault.halves import SEED_BYTES
from moiety.warrants import statement, targets
from moiety.warrants.proofs import DeviceProof
from moiety.wire import links
from moiety.wire.cards import Peers
from moiety.wire.identity import Identity
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.vault.guard import Charge
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.signers import Signers
    from moiety.warrants.warrant import Warrant
    from moiety.wire.tls import Context


class _EqualToAll(bytes):
    """Equals whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def _nothing(*_: object, **__: object) -> None:
    """Check nothing."""


def _anything(*_: object, **__: object) -> bytes:
    """Give what every comparison is content with."""
    return _EqualToAll()


def _any_certificate() -> None:
    """Take whoever calls for the gate."""
    context, role_of = Identity.context, Peers.role_of

    def unasked(self: Identity, peers: Peers, *, server: bool) -> Context:
        made = context(self, peers, server=server)
        if server:
            made.verify_mode = ssl.CERT_NONE
        return made

    put(Identity, "context", unasked)
    put(Peers, "role_of", lambda self, shown: role_of(self, shown) or Role.GATE)


def _nonces_unchecked() -> None:
    """Take every nonce for a new one."""
    spend = Guard.spend

    def forgetful(self: Guard, warrants: Sequence[Warrant], by: Signers, *charges: Charge) -> None:
        spend(self, [replace(one, nonce=os.urandom(32)) for one in warrants], by, *charges)

    put(Guard, "spend", forgetful)


def _galleries_opened_anew() -> None:
    """Let the gate put a policy where there is one."""
    open_gallery = Book.open_gallery

    def over(self: Book, policy: GalleryPolicy) -> bool:
        self._policies.pop(policy.gallery, None)
        return open_gallery(self, policy)

    put(Book, "open_gallery", over)


def _attest_off() -> None:
    """Take every row for attested."""

    async def trusting(*_: object, **__: object) -> Attested:
        return Attested(0, [])

    put(attest.Attesting, "attest", trusting)


def _seeds_kept() -> None:
    """Give the rows of a refresh the seeds that they had."""
    prepare = renewal.Renewing._prepare  # noqa: SLF001 - a weakness is planted inside

    def keep(self: renewal.Renewing, gallery: str, *given: Any) -> Any:
        made: Any = prepare(self, gallery, *given)
        opened = self._seeds.opened(self._cabinet.generation(gallery), made.rows)
        made.seeds = np.concatenate([np.empty((0, SEED_BYTES), np.uint8), *(seeds for _, seeds, _, _ in opened)])
        return made

    put(renewal.Renewing, "_prepare", keep)


WEAKNESSES: dict[str, Any] = {
    "any_certificate": _any_certificate,
    "nonces_unchecked": _nonces_unchecked,
    "galleries_opened_anew": _galleries_opened_anew,
    "budgets_off": lambda: put(guard, "_charge", _nothing),
    "signatures_unchecked": lambda: put(signers, "check_service", _nothing),
    "exchange_unchecked": lambda: put(exchange, "agree", _nothing),
    "commitments_unchecked": lambda: put(questions, "commit_probe", _anything),
    "statements_unsigned": lambda: put(statement, "verify", _nothing),
    "roles_unchecked": lambda: put(links, "may", lambda *_: True),
    "devices_unchecked": lambda: put(signers, "check_device", lambda by, _: DeviceProof.decode(by.value).slip),
    "attest_off": _attest_off,
    "seeds_kept": _seeds_kept,
    "norms_unchecked": lambda: put(questions, "check_probe", _nothing),
    "stop_unasked": lambda: put(Emergency, "must_allow", _nothing),
    "erasures_of_anything": lambda: put(targets, "of_erasure", _anything),
}
