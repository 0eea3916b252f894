"""Somebody steals the gate's database with its keys and, the same night, every backup of every part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.archive.holdings import SEEDS
from moiety.archive.restoring import Expected, Folders, restore
from moiety.drill import household, loot, matters
from moiety.drill.copies import SEALED, Store
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.insider import fields_of, keys_of
from moiety.drill.kept_copies import Copies
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Fault, NotFound, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.drill.ground import Ground


class StolenTogether(Drill):
    """The database and the backups, but no operator's key."""

    name = "steal-database-and-backups"
    tried = (
        "took the gate's database with its keys, and every backup of every part with that part's keys; tried to open "
        "the backups, tried every key on every field, and looked for names, numbers and reasons"
    )

    def attack(self, ground: Ground) -> Obtained:
        """Steal both, and try."""
        store, gate = self._stolen(ground)
        copies = Copies(list(store.folder.iterdir()), [])
        tally = Tally()
        open_ones = len(copies.all) - len(copies.shut())
        tally.add(open_ones, f"{open_ones} of {len(copies.all)} backups open")
        fields = fields_of(gate)
        opened = [one for one in fields if one.opened(ground.made.tenant, keys_of(gate))]
        tally.add(len(opened), f"{len(opened)} of {len(fields)} fields open")
        contents = [path.read_bytes() for place in (gate, store.folder) for path in place.rglob("*") if path.is_file()]
        words = household.find_words(contents, household.words())
        tally.add(len(words), f"{len(words)} of {len(household.words())} secret words in {len(contents)} files")
        return tally.obtained()

    def control(self, ground: Ground) -> Obtained:
        """Steal the operators' keys too: now vault B's backup gives the personal keys, and the fields open."""
        store, gate = self._stolen(ground)
        keys = loot.personal_keys(_restored_b(ground, store.copies()))
        values = [value for one in fields_of(gate) if (value := one.opened(ground.made.tenant, keys))]
        words = household.find_words(values, household.words())
        return Obtained(len(words), f"{len(values)} fields open, {len(words)} secret words in them")

    @staticmethod
    def _stolen(ground: Ground) -> tuple[Store, Path]:
        """Let people move in and the parts copy themselves, then take all of it.

        Raises:
            Fault: there is too little to be stolen.

        """
        household.move_in(ground)
        store = Store(ground)
        with matters.worked(ground):
            store.fill(tuple(Role), with_keys=True)
            gate = loot.steal(ground, Role.GATE)
        if len(list(store.folder.rglob(SEALED))) < len(Role):
            raise Fault("There are too few backups to be stolen.")
        return store, gate


def _restored_b(ground: Ground, copies: Copies) -> Path:
    """Put vault B's newest copy and its keys into a thief's folder.

    Raises:
        Fault: it has none that opens.

    """
    thief, role = ground.folder / ground.name("thief"), Role.VAULT_B
    (thief / "keys" / role).mkdir(mode=0o700, parents=True)
    keys = copies.latest_keys(role)
    if keys is None:
        raise Fault("There is no copy of vault B's keys.")
    state = copies.of(role)[-1]
    seeds = [one for one in copies.of(role, SEEDS) if one.about.run == state.about.run]
    backups = [state, *seeds, keys]
    try:
        pairs = [(one.path, copies.key(one)) for one in backups]
    except (NotFound, Unverified):
        raise Fault("Vault B's copy does not open with its operator's key.") from None
    folders = Folders(thief, thief / "keys" / role, role)
    restore(folders, pairs, Expected(ground.made.tenant, {backups[0].about.signer}), SystemClock(), SYSTEM_DISK)
    return thief
