"""What must be true of a simulated site when everything is settled: in tables, in files, in memory, in answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.errors import PartDown
from moiety.kernel import quantise
from moiety.vault import register
from moiety.vault.seeds import _name
from moiety.warrants.targets import person_handle
from moiety.wire.kinds import Role
from parts_in_process import ASKER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.storage import Gallery
    from moiety.vault.rows import RowStore
    from moiety.vault.seeds import SeedStore
    from simulated_acts import Person
    from simulated_parts import Site

HOUR = 3600.0
VAULTS = (Role.VAULT_A, Role.VAULT_B)


def check_budgets(site: Site, limit: int, answered: Mapping[int, int]) -> None:
    """Hold every meter of probes against the gallery's limit, and against the probes that were answered by the hour."""
    for role in VAULTS:
        if role not in site.down():
            journal = site.vaults[role]._cabinet._journal
            spent = dict(journal.read("SELECT hour, sum(spent) FROM budget WHERE meter = 'probes' GROUP BY hour"))
            assert max(spent.values(), default=0) <= limit, f"{role} spent more probes than allowed"
            hour = int(site.now(role) // HOUR)
            assert spent.get(hour, 0) >= answered.get(hour, 0), f"{role} has forgotten probes that it answered"


def check_rows(site: Site, gallery: Gallery) -> None:
    """Hold both vaults' rows against the gate's active ones: the same, in one order, and no others anywhere."""
    with site.house.desk.store.read() as tx:
        assert tx.intents.pending() == (), "an intent is left"
        rows = [bytes(active.row_id) for active in tx.templates.active_rows(gallery.id)]
        counts = tx.templates.count(gallery.id)
    assert (counts.pending, counts.erasing, counts.active) == (0, 0, len(rows)), "the gate has a row that is half there"
    digests = set()
    for role in VAULTS:
        cabinet = site.vaults[role]._cabinet
        shelf = cabinet.shelf(gallery.id)
        assert shelf.row_ids == rows, f"{role} has other rows in memory than the gate: {len(shelf)} and {len(rows)}"
        kept = {row for (row,) in cabinet._journal.read("SELECT row_id FROM row")}
        assert kept == set(rows), f"{role} has other rows on disk than the gate"
        buried = {row for (row,) in cabinet._journal.read("SELECT row_id FROM tombstone")}
        assert not buried & set(rows), f"{role} has a live row with a tombstone"
        digests.add((shelf.order_digest(), cabinet.epoch(gallery.id)))
    assert len(digests) == 1, "the vaults' orders or epochs differ"


def check_halves(site: Site, gallery: Gallery, people: list[Person]) -> None:
    """Open every row: both halves of the same epoch give back the photo's template, and B committed to A's row."""
    with site.house.desk.store.read() as tx:
        known = [row.row_id for row in tx.templates.active_rows(gallery.id)]
        photos = {bytes(one.row_id): one.photo_id for one in tx.templates.by_rows(gallery.id, known)}
    a, b = (site.vaults[role]._cabinet.shelf(gallery.id) for role in VAULTS)
    opened = (a.lanes + b.lanes).view(np.int16)
    faces = {photo: face for person in people for photo, face in person.templates.items()}
    rotation = site.eye._rotations.matrix(bytes.fromhex(gallery.rotation_id), gallery.dim)
    for row_id, template in zip(a.row_ids, opened, strict=True):
        face = faces.get(photos[row_id])
        if face is not None:
            assert np.array_equal(template, quantise(rotation @ face)), "two halves do not make their photo's template"
    check_commitments(site, gallery)


def check_commitments(site: Site, gallery: Gallery) -> None:
    """Recompute what B committed to from what A keeps, in memory and on disk."""
    a, b = (site.vaults[role]._cabinet for role in VAULTS)
    policy, here, there = a.policy(gallery.id), a.generation(gallery.id), b.generation(gallery.id)
    assert (here.epoch, here.mark) == (there.epoch, there.mark), "the vaults have generations of different refreshes"
    rows: RowStore = a._halves  # type: ignore[assignment]  # A's halves are these
    seeds: SeedStore = b._halves  # type: ignore[assignment]  # B's halves are these
    lanes = np.ascontiguousarray(a.shelf(gallery.id).lanes)
    told, damaged = rows.committed(policy, here, register.live(a._journal, gallery.id), lanes, files=True)
    assert not damaged.any(), "A's rows are not those that it committed to"
    kept = seeds.commitments(there, register.live(b._journal, gallery.id))
    assert b"".join(told) == kept.tobytes(), "A's rows are not those that B's commitments are of"
    if len(told):
        lanes = np.ascontiguousarray(b.shelf(gallery.id).lanes)
        assert not seeds.differing(policy, there, register.live(b._journal, gallery.id), lanes).any(), "B's pads differ"


def check_keys(site: Site, gallery: Gallery) -> None:
    """B has a live key for each subject with fields, and for nobody else."""
    with site.house.desk.store.read() as tx:
        page = tx.subjects.page(gallery.id, limit=1000)
        named = {one.id for one in page if tx.fields.list(one.id)}
    handles = {person_handle(site.installation.tenant, gallery.id, subject) for subject in named}
    journal = site.vaults[Role.VAULT_B]._cabinet._journal
    kept = dict(journal.read("SELECT handle, state FROM person"))
    assert kept == dict.fromkeys(handles, "live"), "B's personal keys are not those of the gate's subjects"


def check_files(site: Site, gallery: Gallery) -> None:
    """A's files hold nothing but the rows of its journal, and nothing is there of an epoch that was; nor at B.

    What a refresh that was given up has made goes with the next one, or with the next start.
    """
    a, b = (site.vaults[role]._cabinet for role in VAULTS)
    rows: RowStore = a._halves  # type: ignore[assignment]  # as above
    here, there = a.generation(gallery.id), b.generation(gallery.id)
    kept = {flat.path.name for flat in rows.flats(here, gallery.dim) if flat.path.exists()}
    given_up = f"{gallery.id}.{here.epoch + 1}."
    left = {path.name for path in rows.folder.iterdir() if given_up not in path.name}
    assert left == kept, "A keeps files of another epoch"
    for flat in rows.flats(here, gallery.dim):
        raw = flat.path.read_bytes() if flat.path.exists() else b""
        used = sum(any(raw[at : at + flat.size]) for at in range(0, len(raw), flat.size))
        assert used == len(a.shelf(gallery.id)), f"A's file of {flat.path.suffix} holds more or less than its rows"
    seeds: SeedStore = b._halves  # type: ignore[assignment]  # as above
    named = {seeds.flat(there).path.name} if there.flat else set()
    left = {path.name for path in seeds._folder.iterdir() if given_up not in path.name}
    assert left == named, "B keeps seeds of another epoch or key"
    keys = [name for name in seeds._keys.names() if name.startswith(f"store-{gallery.id}") and given_up not in name]
    assert keys == [_name(there)], f"B keeps keys of another epoch: {keys}, not {_name(there)}"


async def check_people(
    site: Site, gallery: Gallery, people: list[Person], seen: list[set[Any]], photo_lost: set[Any]
) -> None:
    """Whoever the gate calls active was seen, everybody else was not, and promises were kept.

    Whose last photo went with a lost disk can only be named.
    """
    infos = await site.gate(site.house.directory.page(gallery, limit=1000))
    active = {info.id: info.photos for info in infos}
    assert {subject for subject, photos in active.items() if not photos} <= photo_lost, "a subject without a photo"
    named: dict[Any, str] = {}
    for person, found in zip(people, seen, strict=True):
        assert found <= set(active), f"person {person.number} is found and not active"
        assert len(found) <= 1, f"person {person.number} is there {len(found)} times"
        if person.enrolled:
            assert found, f"person {person.number} was enrolled and is lost"
            assert person.subject in {None, *found}, f"person {person.number} is somebody else now"
            photos = [active[subject] for subject in found]
            assert photos[0] >= len(person.photos), f"a photo of person {person.number} is lost"
        elif person.enrolled is False:
            assert not found, f"person {person.number} was erased, or never enrolled, and is found"
        for subject in found:
            del active[subject]
            if person.reference:
                named[subject] = person.reference
    assert active.keys() <= photo_lost, "a subject whom nobody was enrolled as"
    labels = await site.gate(site.house.fields.labels(gallery, list(named), ASKER)) if named else {}
    assert labels == named, "a name is lost or another's"
    for subject, reference in named.items():
        assert await site.gate(site.house.fields.find(gallery, reference)) == subject


async def seen_at_last(site: Site, gallery: Gallery, people: list[Person]) -> list[set[Any]]:
    """Look for everybody; a link whose other end died in silence breaks with the first word that is said on it."""
    for _ in (Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.EYE):
        with contextlib.suppress(PartDown):
            return await seen(site, gallery, people)
    return await seen(site, gallery, people)


async def seen(site: Site, gallery: Gallery, people: list[Person]) -> list[set[Any]]:
    """Look for everybody with one picture."""
    if not people:
        return []
    picture = site.sight.picture(*(person.face for person in people))
    answers = await site.gate(site.house.identifier.identify(gallery, picture, ASKER))
    return [{candidate.subject for candidate in answer.candidates} for answer in answers]
