"""Personal keys at B: one per subject and purpose, never given out; field keys are wrapped under it and metered.

B verifies the reveal's warrant, meters, logs, and returns one field key. It never sees a field.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import KEY_BYTES, pack, seal, unseal
from moiety.foundation.errors import BadInput, NotFound, Unverified
from moiety.vault.guard import Charge
from moiety.vault.pace import By, Pace
from moiety.warrants import targets
from moiety.warrants.warrant import Act, SignedWarrant
from moiety.watch import declare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moiety.vault.guard import Guard
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy, Standing
    from moiety.vault.store_key import StoreKey

_log = logging.getLogger(__name__)

NOBODY = By()
CLASSES = ("label", "field")
declare("field_class", CLASSES)


@dataclass(frozen=True, slots=True)
class FieldName:
    """Which field of which record, and its class: labels have the larger budget."""

    record: str
    field: str
    klass: str

    def bound(self, policy: GalleryPolicy, handle: bytes) -> bytes:
        """Give what a wrapped field key is bound to."""
        if self.klass not in CLASSES:
            raise BadInput("A field's class is label or field.")
        return pack("moiety/wrap/1", policy.tenant, policy.gallery, handle, self.record, self.field, self.klass)


class PersonalKeys:
    """The keys, and the three things that can be asked of them: wrap, reveal, blind."""

    def __init__(
        self,
        journal: Journal,
        store_key: StoreKey,
        blind_key: bytes,
        guard: Guard,
        standing: Callable[[], Standing],
        pace: Pace | None = None,
    ) -> None:
        """Keep keys in `journal`, sealed under `store_key`; `blind_key` is K_B of the blind index.

        `standing` gives the standing policy in force, `pace` how much people may have shown.
        """
        self._journal = journal
        self._store_key = store_key
        self._blind_key = blind_key
        self._guard = guard
        self._standing = standing
        self._pace = pace or Pace()

    def wrap(self, policy: GalleryPolicy, handle: bytes, names: Sequence[FieldName]) -> list[tuple[bytes, bytes]]:
        """Draw a fresh field key for each name; returns (field key, wrapped field key).

        A personal key that does not exist is made, in state 'prepared' until its subject is committed.

        Raises:
            Unverified: the budget of new field keys is spent.

        """
        self._guard.charge(policy.gallery, Charge("wraps", len(names), self._standing().wraps_per_hour))
        with self._journal.transaction() as db:
            # A crash before the commit leaves no key; after it a prepared one, which FORGET or COMMIT settles.
            found = db.execute("SELECT key FROM person WHERE handle = ?", (handle,)).fetchone()
            if found:
                personal = self._store_key.unseal(found[0], handle)
            else:
                personal = os.urandom(KEY_BYTES)
                sealed = self._store_key.seal(personal, handle)
                db.execute("INSERT INTO person VALUES (?, ?, 'prepared', ?)", (handle, policy.gallery, sealed))
        keys = [os.urandom(KEY_BYTES) for _ in names]
        return [(key, seal(personal, key, name.bound(policy, handle))) for key, name in zip(keys, names, strict=True)]

    def reveal(
        self, policy: GalleryPolicy, asked: Sequence[tuple[SignedWarrant, bytes, FieldName, bytes]], by: By = NOBODY
    ) -> list[bytes]:
        """Open wrapped field keys `by` somebody; each item is (warrant, handle, name, wrapped key).

        Raises:
            Unverified: a warrant, a wrapped key or a budget does not hold; nothing is returned then.
            NotFound: the personal key is gone: the person was erased.

        """
        signers = self._guard.signers([signed for signed, _, _, _ in asked], Act.REVEAL, policy)
        opened = []
        for signed, handle, name, wrapped in asked:
            if signed.warrant.target != targets.of_field(handle, name.record, name.field, wrapped):
                raise Unverified("The warrant is for another field.")
            opened.append(unseal(self._personal(handle), wrapped, name.bound(policy, handle)))
        counts = Counter(name.klass for _, _, name, _ in asked)
        charges = self._charges(policy, counts) + self._pace.charges(counts, by.people(signers.payers), bare=by.bare)
        self._guard.spend([signed.warrant for signed, _, _, _ in asked], signers, *charges)
        for klass, count in counts.items():
            about = {"count": count, "field_class": klass, "gallery": policy.gallery} | by.words()
            _log.info(
                "vault-b: revealed %(count)d field keys of class %(field_class)s in %(gallery)s to %(caller)s, "
                "session %(session)s, reason %(reason_mark)s",
                about,
            )
        return opened

    def _charges(self, policy: GalleryPolicy, counts: Counter[str]) -> list[Charge]:
        """Meter labels per signer; fields per signer, and over all signers together."""
        standing = self._standing()
        charges = []
        if counts["label"]:
            charges.append(Charge("reveal-label", counts["label"], standing.labels_per_hour))
        if counts["field"]:
            charges.append(Charge("reveal-field", counts["field"], policy.reveals_per_hour))
            charges.append(Charge("reveal-field", counts["field"], standing.fields_per_hour, shared=True))
        return charges

    def _personal(self, handle: bytes) -> bytes:
        """Open one personal key."""
        with self._journal.alone():
            found = self._journal.read("SELECT key FROM person WHERE handle = ?", (handle,))
            if not found:
                raise NotFound("The personal key is gone: this person was erased.")
            return self._store_key.unseal(found[0][0], handle)

    def blind(self, policy: GalleryPolicy, values: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA256 under K_B over values that the gate has keyed already; B sees no plaintext.

        Raises:
            Unverified: the budget is spent.

        """
        self._guard.charge(policy.gallery, Charge("blinds", len(values), self._standing().blinds_per_hour))
        return [
            hmac.new(self._blind_key, pack("moiety/blind/1", policy.gallery, value), hashlib.sha256).digest()
            for value in values
        ]

    def prepared(self, gallery: str) -> list[bytes]:
        """List the handles of the keys that were only prepared."""
        query = "SELECT handle FROM person WHERE gallery = ? AND state = 'prepared'"
        return [handle for (handle,) in self._journal.read(query, (gallery,))]

    def forget(self, policy: GalleryPolicy, handle: bytes) -> None:
        """Remove a key that was only prepared; a live one goes by an erase warrant alone."""
        with self._journal.transaction() as db:
            # A crash before the commit leaves the prepared key; the gate's journal asks again.
            db.execute(
                "DELETE FROM person WHERE handle = ? AND gallery = ? AND state = 'prepared'", (handle, policy.gallery)
            )

    def erase(self, gallery: str, handle: bytes) -> None:
        """Destroy a personal key of a gallery: what was wrapped under it can never be read again.

        Its handle gets a tombstone, so that no restore brings the key back.
        """
        with self._journal.transaction() as db:
            # A crash before the commit leaves the key; the gate's journal asks again at its next start.
            db.execute("DELETE FROM person WHERE handle = ? AND gallery = ?", (handle, gallery))
            buried = (handle, gallery, self._guard.now())
            db.execute("INSERT INTO tombstone VALUES (?, ?, ?) ON CONFLICT DO NOTHING", buried)
        self._journal.scour()
