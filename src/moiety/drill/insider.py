"""Somebody at one place has what that place has, and not what the other has."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.drill import household, loot
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.envelopes import pack, unseal
from moiety.foundation.errors import Unverified
from moiety.warrants import targets
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moiety.drill.ground import Ground

KEY_BYTES = 32


@dataclass(frozen=True)
class Field:
    """A sealed field as it lies in the gate's database."""

    subject: str
    gallery: str
    name: str
    klass: str
    wrapped: bytes
    ciphertext: bytes

    def opened(self, tenant: str, keys: Iterable[bytes]) -> bytes | None:
        """Try keys in all ways in which a key opens something here: as the field's own, or as the personal key."""
        bound = pack("moiety/field/1", tenant, self.gallery, "subject_field", self.subject, self.name)
        handle = targets.person_handle(tenant, self.gallery, self.subject)
        wrap = pack("moiety/wrap/1", tenant, self.gallery, handle, self.subject, self.name, self.klass)
        for key in keys:
            for candidate in (key, _unsealed(key, self.wrapped, wrap)):
                value = candidate and _unsealed(candidate, self.ciphertext, bound)
                if value:
                    return value
        return None


def _unsealed(key: bytes, sealed: bytes, bound: bytes) -> bytes | None:
    """Open something, if this is its key."""
    try:
        return unseal(key, sealed, bound)
    except Unverified:
        return None


class Insider(Drill):
    """The operator of vault B without the gate, and of the gate without vault B."""

    name = "insider"
    tried = (
        "as vault B's operator opened every personal key and looked for something to read with it; as the gate's "
        "operator tried every key of the gate on every field"
    )

    def attack(self, ground: Ground) -> Obtained:
        """Try each place alone."""
        b, gate = self._places(ground)
        tally = Tally()
        words = household.find_words(_contents(b), household.words())
        keys = loot.personal_keys(b)
        tally.add(len(words), f"{len(words)} secret words at B, which has {len(keys)} personal keys")
        fields = fields_of(gate)
        opened = [one for one in fields if one.opened(ground.made.tenant, keys_of(gate))]
        tally.add(len(opened), f"{len(opened)} of {len(fields)} fields opened with the gate's own keys")
        return tally.obtained()

    def control(self, ground: Ground) -> Obtained:
        """Put both together: now the fields open."""
        b, gate = self._places(ground)
        keys = loot.personal_keys(b)
        fields = fields_of(gate)
        opened = [value for one in fields if (value := one.opened(ground.made.tenant, keys))]
        words = household.find_words(opened, household.words())
        return Obtained(len(words), f"{len(opened)} of {len(fields)} fields opened, {len(words)} secret words in them")

    @staticmethod
    def _places(ground: Ground) -> tuple[Path, Path]:
        """Let people move in, then take B's folder and keys, and the gate's."""
        household.move_in(ground)
        return loot.steal(ground, Role.VAULT_B), loot.steal(ground, Role.GATE)


def _contents(folder: Path) -> list[bytes]:
    """Read every file."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def keys_of(folder: Path) -> list[bytes]:
    """Read what could be a key."""
    return [raw for path in folder.rglob("*.key") if len(raw := path.read_bytes()) == KEY_BYTES]


def fields_of(gate: Path) -> list[Field]:
    """Read all sealed fields of all people."""
    query = (
        "SELECT f.subject_id, s.gallery_id, f.name, f.klass, f.wrapped_key, f.ciphertext "
        "FROM subject_field f JOIN subject s ON s.id = f.subject_id"
    )
    with sqlite3.connect(gate / Role.GATE / "gate.sqlite") as db:
        found = [Field(*row) for row in db.execute(query)]
    db.close()
    return found
