"""An installation restored from copies in a scratch folder, started, and looked through for those who were erased."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from moiety.archive.reading import Unpacking
from moiety.archive.restoring import MARK, Expected, Folders, restore
from moiety.cli import gate, installation, places
from moiety.cli.backup.reconciling import carry_out
from moiety.cli.backup.reconciling_gate import Reconciling
from moiety.cli.backup.reviving_gate import revive_gate
from moiety.cli.backup.tombstones import cut
from moiety.cli.supervisor import Supervisor
from moiety.drill.kept_copies import PEOPLE
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import BadInput, Refusal, WarrantRefused
from moiety.foundation.ids import RowId
from moiety.matching.desk import Asker
from moiety.warrants import targets
from moiety.wire.kinds import Kind, Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.cli.installation import Installation
    from moiety.cli.places import Place
    from moiety.drill.kept_copies import Copies, Together
    from moiety.foundation.ids import SubjectId
    from moiety.people.house import House
    from moiety.storage import Gallery

    Buried = Mapping[str, set[bytes]]

# The gate is played by the drill itself.
PLAYED = tuple(role for role in Role if role is not Role.GATE)
DRILL = Asker("drill", "a restore drill")


@dataclass(slots=True)
class Found:
    """What came back of erased people (`undead`), what did not of others (`missing`), and how that was seen."""

    undead: int = 0
    missing: int = 0
    words: list[str] = field(default_factory=list)

    def note(self, what: str, undead: int = 0, missing: int = 0) -> None:
        """Add what one look has shown."""
        self.undead += undead
        self.missing += missing
        self.words.append(what)


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos that were not enrolled themselves: whom a gallery should take each for, or None."""

    gallery: str
    shows: Mapping[Path, str | None]


class Site(Supervisor):
    """All parts but the gate, as processes on free ports."""

    def __init__(self, made: Installation) -> None:
        """Serve `made`."""
        super().__init__(made, "127.0.0.1", 0, lambda _: None)

    def start(self) -> None:
        """Start them and wait until they serve."""
        self._take_lock()
        self._installation.introduce()
        self._open_doors()
        for role in PLAYED:
            self._spawn(role)
        for role in PLAYED:
            self._await_ready(role)

    def place(self, role: Role) -> Place:
        """Give a role's keys and everybody's addresses."""
        return places.place(self._installation, role, self.addresses())


class Restored:
    """Restores copies into `folder`; `live` lends keys that no copy holds."""

    def __init__(self, folder: Path, copies: Copies, live: Installation | None) -> None:
        """Begin with an empty folder."""
        self._folder = folder
        self._copies = copies
        self._live = live

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def put(self, chosen: Together, tombstones: bytes, *, replay: bool) -> Installation:
        """Restore gate and vaults, and lend them the other parts; without `replay` the start forgets nobody.

        Raises:
            Refusal: a copy does not open or is not whole.

        """
        made = self._empty(chosen.gate.about.tenant)
        for role in Role:
            self._lend_keys(made, role)
        self._rotations(made)
        files = {Role.GATE: [chosen.gate], Role.VAULT_A: [chosen.a], Role.VAULT_B: [chosen.b, chosen.seeds]}
        for role, backups in files.items():
            folders = Folders(made.data, made.keys / role, role)
            pairs = [(one.path, self._copies.key(one)) for one in backups]
            expected = Expected(made.tenant, {chosen.gate.about.signer} if role is Role.GATE else ())
            restore(folders, pairs, expected, SystemClock(), SYSTEM_DISK, replace=True, tombstones=tombstones)
            if not replay:
                # The weakness of the control run: the start takes the folder for one that was never away.
                (made.folder(role) / MARK).unlink()
        return made

    def _empty(self, tenant: str) -> Installation:
        """Make an installation of the copies' tenant."""
        shutil.rmtree(self._folder, ignore_errors=True)
        SYSTEM_DISK.folder(self._folder)
        about = {"format": installation.FORMAT, "tenant": tenant}
        SYSTEM_DISK.write(self._folder / "installation.json", json.dumps(about).encode())
        return installation.load(self._folder)

    def _lend_keys(self, made: Installation, role: Role) -> None:
        """Take a part's own keys from the newest copy of them, else from the installation that is here."""
        copy, lent = self._copies.latest_keys(role), dict[str, bytes]()
        if copy:
            with Unpacking(made.data / "lent", SYSTEM_DISK) as unpacking:
                unpacking.add(copy.path, self._copies.key(copy))
                lent = dict(unpacking.keys)
        elif self._live and (self._live.keys / role).is_dir():
            lent = {path.name: path.read_bytes() for path in (self._live.keys / role).iterdir() if path.is_file()}
            lent = {name: content for name, content in lent.items() if not name.startswith("store-")}
        elif role in PEOPLE:
            raise BadInput(f"The keys of {role} are in no copy (--with-keys) and not on this machine (--data).")
        SYSTEM_DISK.folder(made.keys / role)
        for name, content in lent.items():
            SYSTEM_DISK.write(made.keys / role / name, content)

    def _rotations(self, made: Installation) -> None:
        """Give the eye the galleries' rotations from its newest copy."""
        copies = self._copies.of(Role.EYE)
        if copies:
            folders = Folders(made.data, made.keys / Role.EYE, Role.EYE)
            pairs = [(copies[-1].path, self._copies.key(copies[-1]))]
            restore(folders, pairs, Expected(made.tenant, ()), SystemClock(), SYSTEM_DISK, replace=True)


async def look(site: Site, made: Installation, buried: Buried, photos: Photos | None) -> Found:
    """Start the gate over restored parts and look for those who were erased, and for all others."""
    found = Found()
    at = site.place(Role.GATE)
    over = gate.house(at)
    try:
        await revive_gate(at, over.desk)
        await _reconcile(at, over, made, found)
        for gallery in _galleries(over):
            await _rows(over, gallery, buried.get(gallery.id, set()), found)
            await _canaries(over, gallery, found)
        await _attest(made, found)
        if photos:
            await _ask(over, photos, found)
    finally:
        over.desk.store.close()
        for line in (over.desk.links.eye, over.desk.links.a, over.desk.links.b, over.desk.links.mint):
            await line.close()
    return found


def _galleries(over: House) -> list[Gallery]:
    with over.desk.store.read() as tx:
        return [gallery for gallery in tx.galleries.list() if gallery.state == "open"]


async def _reconcile(at: Place, over: House, made: Installation, found: Found) -> None:
    """Let go of those whom only some of the copies know; then all three must hold the same."""
    reconciling = Reconciling(at, over)
    told = await reconciling.reconcile({"apply": True})
    if told["plan"]:
        plan = Path(told["plan"])
        await asyncio.to_thread(carry_out, made, plan)
        late = sum(one["at_vault_a"] + one["at_vault_b"] + one["photos"] for one in told["galleries"])
        found.note(f"{late} leftovers of people whom not all of the copies knew were let go")
    again = (await reconciling.reconcile({"apply": False}))["galleries"]
    apart = sum(one["at_vault_a"] + one["at_vault_b"] + one["photos"] + one["keys"] for one in again)
    rows = sum(one["whole"] for one in again)
    found.note(f"gate, A and B hold the same {rows} rows" if not apart else f"{apart} things lack a half", 0, apart)


async def _rows(over: House, gallery: Gallery, buried: set[bytes], found: Found) -> None:
    """Look for every tombstone in what the three hold."""
    meta = {"gallery": gallery.id}
    held = set()
    for answer in await over.desk.links.both(Kind.HELD, meta, [], []):
        for buffer in answer.buffers:
            held |= cut(bytes(buffer))
    with over.desk.store.read() as tx:
        known = {bytes(one.row_id) for one in tx.templates.by_rows(gallery.id, [RowId(one) for one in buried])}
        people = {_handle(over, gallery, one) for one in _all_subjects(over, gallery)}
    undead = len(buried & held) + len(buried & known) + len(buried & people)
    found.note(f"{undead} of {len(buried)} tombstones of {gallery.id} stand for something that is there", undead)


def _handle(over: House, gallery: Gallery, subject: SubjectId) -> bytes:
    return targets.person_handle(over.desk.tenant, gallery.id, subject)


def _all_subjects(over: House, gallery: Gallery) -> list[SubjectId]:
    """List a gallery's subjects in any state."""
    with over.desk.store.read() as tx:
        found, after = [], None
        while page := tx.subjects.page(gallery.id, after=after, limit=1000, state=None):
            found += [subject.id for subject in page]
            after = page[-1].id
        return found


async def _attest(made: Installation, found: Found) -> None:
    """Let A recompute every commitment and B compare."""
    told = await LocalClient(made.folder(Role.VAULT_A) / NAME, Role.VAULT_A).ask("scrub", {})
    for one in told["galleries"]:
        excluded = len(one["excluded"])
        found.note(f"{one['rows']} rows of {one['gallery']} attested, {excluded} do not hold", 0, excluded)


async def _canaries(over: House, gallery: Gallery, found: Found) -> None:
    """Search for made-up faces whose rows are known."""
    with over.desk.store.read() as tx:
        there = len(tx.canaries.searchable(gallery.id))
    if not there:
        return
    try:
        right = await over.canaries.check(gallery)
    except WarrantRefused:
        found.note(f"the policy of {gallery.id} lets the gate not ask for its canaries by itself")
        return
    found.note(f"canaries of {gallery.id} {'were' if right else 'WERE NOT'} found", 0, 0 if right else 1)


async def _ask(over: House, photos: Photos, found: Found) -> None:
    """Search with photos, and read the names of those who are found."""
    gallery = over.desk.gallery(photos.gallery)
    for photo, expected in photos.shows.items():
        answers = await over.identifier.identify(gallery, photo.read_bytes(), DRILL)
        who = [candidate.subject for answer in answers for candidate in answer.candidates]
        names = set()
        with contextlib.suppress(Refusal):
            names = set((await over.fields.labels(gallery, who, DRILL)).values())
        if expected is None:
            found.note("a photo of the erased person finds " + ("them" if who else "nobody"), len(who))
        else:
            right = names == {expected}
            found.note(f"a photo of somebody else finds {'them' if right else 'NOT THEM'}", 0, int(not right))
