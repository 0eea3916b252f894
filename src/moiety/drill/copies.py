"""Somebody takes every backup, or takes everything else: stolen copies, and a ransom."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, ClassVar

from moiety.archive import age_keys
from moiety.archive.restoring import Expected, Folders, restore
from moiety.cli.backup.asking import ask_for_backup
from moiety.drill import faces, household, matters
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.kept_copies import PEOPLE, Copies
from moiety.drill.noise import CHANCE, P_LEAST, correlation, uniformity
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import Fault, Refusal, Unavailable
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from moiety.drill.ground import Ground

SEALED = "*.age"
# Files are named by the second.
NAMED_BY_SECONDS = 1.1
ENOUGH_BYTES = 1 << 14


class Store:
    """A store of backups, and the operators' keys, which lie elsewhere."""

    def __init__(self, ground: Ground) -> None:
        """Make both in the scratch folder."""
        self._ground = ground
        self.folder = ground.folder / ground.name("store")
        self._keys = ground.folder / ground.name("operators")
        for path in (self.folder, self._keys):
            path.mkdir(mode=0o700)
        self._recipients = {role: age_keys.new_operator(self._keys / f"{role}.key") for role in Role}

    def fill(self, roles: Sequence[Role], *, with_keys: bool) -> None:
        """Let running parts copy themselves, each to its own operator."""
        time.sleep(NAMED_BY_SECONDS)
        for role in roles:
            to = self.folder / role
            places = {"to": str(to), "seeds_to": str(to / "seeds"), "keys_to": str(to / "keys")}
            given = {"recipient": self._recipients[role], "days": 30, "seeds_days": 7, "with_keys": with_keys}
            ask_for_backup(self._ground.made, role, {**places, **given, "if_behind": False})

    def copies(self) -> Copies:
        """List what is there, with the operators' keys."""
        return Copies(list(self.folder.iterdir()), list(self._keys.iterdir()))


class StealBackups(Drill):
    """Every backup of every part is stolen, without the operators' keys."""

    name = "steal-backups"
    tried = (
        "had every part backed up with its keys and took the store; looked for names, numbers, reasons, "
        "releases, approvals, breaches, reports, the gallery's "
        "purpose, pictures, known faces, and for bytes that are not noise"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:backups_in_the_clear"}

    def attack(self, ground: Ground) -> Obtained:
        """Back up, steal, look."""
        home = household.move_in(ground)
        store = Store(ground)
        with matters.worked(ground) as told:
            store.fill(tuple(Role), with_keys=True)
        sealed = sorted(store.folder.rglob(SEALED))
        if len(sealed) < len(Role):
            raise Fault("There are too few backups to be stolen.")
        contents = [path.read_bytes() for path in store.folder.rglob("*") if path.is_file()]
        tally = Tally()
        wanted = [*household.words(), *told.secrets, household.PURPOSE]
        words = household.find_words(contents, wanted)
        tally.add(len(words), f"{len(words)} of {len(wanted)} words in {len(contents)} files")
        pictures = household.find_pictures(contents, home.pictures)
        tally.add(pictures, f"pieces of pictures in {pictures}")
        known = faces.known(ground, home.gallery, [ground.photos.probe.read_bytes(), home.pictures[0]])
        seen = sum(correlation(path.read_bytes(), known).max() > CHANCE for path in sealed)
        tally.add(seen, f"a known face in {seen}")
        bodies = [body for path in sealed if len(body := _body(path)) >= ENOUGH_BYTES]
        odd = sum(uniformity(body) < P_LEAST for body in bodies)
        tally.add(odd, f"{odd} of {len(bodies)} sealed files are no noise")
        return tally.obtained()


def _body(path: Path) -> bytes:
    """Leave out the head of a sealed file, which is text (age-encryption.org/v1)."""
    raw = path.read_bytes()
    return raw[raw.find(b"\n---") + 64 :] if raw.startswith(b"age-encryption") else raw


class Ransom(Drill):
    """Everything that gate and vaults hold is wiped."""

    name = "wipe-and-restore"
    tried = "wiped the folders of the gate and both vaults as ransomware does, and counted the people who were lost"

    def attack(self, ground: Ground) -> Obtained:
        """Wipe where there are backups, and restore them."""
        gallery = self._people(ground)
        store = Store(ground)
        store.fill(PEOPLE, with_keys=False)
        _wipe(ground)
        self._restore(ground, store.copies())
        return self._lost(ground, gallery)

    def control(self, ground: Ground) -> Obtained:
        """Wipe where there is no backup; nothing of the installation is left for other drills, so this is the last."""
        gallery = self._people(ground)
        _wipe(ground)
        return self._lost(ground, gallery)

    @staticmethod
    def _people(ground: Ground) -> str:
        """Enrol one photo of each."""
        gallery = ground.name("ransom")
        with ground.owner() as line:
            line.ask("POST", "galleries", json={"name": gallery, "purpose": household.PURPOSE})
            for person, photos in ground.photos.enrol.items():
                household.enrol(line, gallery, photos[0].read_bytes(), household.NAMES[person])
        return gallery

    @staticmethod
    def _restore(ground: Ground, copies: Copies) -> None:
        """Put the copies back, as `moiety restore` does for each part."""
        (chosen,) = copies.together(every=True)
        files = {Role.GATE: [chosen.gate], Role.VAULT_A: [chosen.a], Role.VAULT_B: [chosen.b, chosen.seeds]}
        made = ground.made
        for role, backups in files.items():
            pairs = [(one.path, copies.key(one)) for one in backups]
            folders = Folders(made.data, made.keys / role, role)
            restore(folders, pairs, Expected(made.tenant, {backups[0].about.signer}), SystemClock(), SYSTEM_DISK)
        made.introduce()

    @staticmethod
    def _lost(ground: Ground, gallery: str) -> Obtained:
        """Start again, and look for everybody by their photo and by their name."""
        people = ground.photos.enrol
        try:
            ground.arrange(gate_runs=True)
        except Unavailable as refusal:
            return Obtained(len(people), f"all {len(people)} people lost: {refusal}")
        told = []
        with ground.owner() as line:
            for photos in people.values():
                form = {"reason": "after the ransom", "reveal": "true"}
                files = {"image": ("picture", photos[0].read_bytes())}
                try:
                    told.append(line.ask("POST", f"galleries/{gallery}/identify", data=form, files=files))
                except Refusal:
                    continue
        names = [household.NAMES[person] for person in people]
        lost = sum(name not in json.dumps(told, ensure_ascii=False) for name in names)
        return Obtained(lost, f"{lost} of {len(people)} people lost")


def _wipe(ground: Ground) -> None:
    """Delete the folders of gate and vaults."""
    ground.arrange(down=PEOPLE)
    for role in PEOPLE:
        shutil.rmtree(ground.made.folder(role))
