"""What running parts answer equals plain integers over the joined templates: searches, bands, verifications."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from databases import BOTH
from forged_faces import Forger
from moiety.foundation.errors import BadInput, ExchangeAborted, OutOfStep, Refusal, WarrantRefused
from moiety.kernel import quantise
from moiety.matching.asking import Asking
from moiety.people.enrol import Who
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire import links
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, DIM, InProcess
from vault_samples import policy, sample

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.matching.asking import Bits, SealedProbe
    from moiety.storage import Gallery

pytestmark = BOTH
VAULTS = (Role.VAULT_A, Role.VAULT_B)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


async def filled(site: InProcess, rows: int) -> tuple[Gallery, NDArray[np.int64]]:
    """Open a gallery with so many rows; returns their templates too, which nobody else has."""
    gallery = await site.gallery(f"rows {rows}")
    random = np.random.default_rng(rows)
    tenant = site.installation.tenant
    of = policy(tenant=tenant, gallery=gallery.id)
    made = [sample(random, of) for _ in range(rows)]
    for role in VAULTS:
        vault = site.vault(role)
        halves = [vault._halves.open_half(of, s.statement, s.to_a if role is VAULTS[0] else s.to_b) for s in made]
        vault._cabinet.prepare(gallery.id, halves)
        vault._cabinet.commit(gallery.id, [(s.row_id, n) for n, s in enumerate(made, 1)], [])
    templates = np.stack([s.template for s in made]).astype(np.int64) if made else np.empty((0, DIM), np.int64)
    return gallery, templates


def near(templates: NDArray[np.int64], which: int, cosine: float, seed: int = 0) -> NDArray[np.int8]:
    """Draw a probe at this cosine from a template."""
    random = np.random.default_rng(seed)
    one = templates[which] / np.linalg.norm(templates[which])
    other = random.standard_normal(DIM)
    other -= (other @ one) * one
    return quantise((cosine * one + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)).astype(np.float32))


async def test_a_search_is_plain_integer_comparison(site: InProcess) -> None:
    for rows in (0, 1, 2, 63, 64, 65, 130):
        await _search_is_plain(site, rows)


async def _search_is_plain(site: InProcess, rows: int) -> None:
    gallery, templates = await filled(site, rows)
    random = np.random.default_rng(1)
    probes = [quantise(v / np.linalg.norm(v)) for v in random.standard_normal((3, DIM)).astype(np.float32)]
    probes += [near(templates, n, cosine, n) for n in range(min(rows, 3)) for cosine in (0.44, 0.46, 0.9)]
    probes += [near(templates, rows - 1, 0.7)] if rows else []
    forger = Forger(site, gallery)
    faces = [forger.face(probe) for probe in probes]
    from_a, from_b = await forger.ask(faces, faces)
    shares = [np.frombuffer(answer.buffers[0], np.uint64) for answer in (from_a, from_b)]
    words = -(-rows // 64)
    assert [len(share) for share in shares] == [len(probes) * words] * 2
    bits = np.unpackbits((shares[0] ^ shares[1]).view(np.uint8), bitorder="little").reshape(len(probes), words * 64)
    scores = np.stack(probes).astype(np.int64) @ templates.T
    assert np.array_equal(bits[:, :rows].astype(bool), scores >= gallery.thresholds[0])
    assert from_a.meta == from_b.meta
    assert from_a.meta["rows"] == rows
    if rows:
        assert bits[:, :rows].any()
        assert shares[0].any()
        assert shares[1].any()


async def test_the_gate_reads_rows_in_the_vaults_order(site: InProcess) -> None:
    gallery, _ = await filled(site, 70)
    order = await Asking(site.desk).row_ids(gallery)
    ids = [order[position] for position in range(len(order))]
    assert order.positions([ids[69], ids[3], ids[20]]) == [3, 20, 69]
    assert ids == site.vault(Role.VAULT_A)._cabinet.shelf(gallery.id).row_ids
    assert ids == site.vault(Role.VAULT_B)._cabinet.shelf(gallery.id).row_ids


# ---- bands ----


async def searched(site: InProcess, gallery: Gallery, person: Any, count: int = 1) -> tuple[Asking, Bits]:
    asker = Asking(site.desk)
    probes: list[SealedProbe] = []
    for _ in range(count):
        probes += await asker.probes(gallery, site.sight.picture(person))
    warrants = [site.desk.warrant_for(Act.SEARCH, gallery, probe.statement, ASKER) for probe in probes]
    return asker, await asker.search(gallery, probes, warrants)


async def test_a_face_gets_the_band_that_it_reaches(site: InProcess) -> None:
    gallery = await site.gallery()
    persons = [site.sight.person() for _ in range(3)]
    enrolled = [await site.enrol(gallery, person, cosine=1.0) for person in persons]
    for cosine, band in ((0.40, None), (0.52, "possible"), (0.70, "probable"), (0.95, "strong")):
        image = site.sight.picture(persons[1], cosine=cosine)
        (answer,) = await site.house.identifier.identify(gallery, image, ASKER)
        assert [(c.subject, c.band) for c in answer.candidates] == ([(enrolled[1].subject, band)] if band else [])
        verdict = await site.house.verifier.verify(gallery, enrolled[1].subject, image, ASKER)
        assert (verdict.same, verdict.band) == (band is not None, band)
        verdict = await site.house.verifier.verify(gallery, enrolled[0].subject, image, ASKER)
        assert (verdict.same, verdict.band) == (False, None)


async def test_bands_are_plain_integer_comparison_at_the_higher_thresholds(site: InProcess) -> None:
    gallery, templates = await filled(site, 100)
    forger = Forger(site, gallery)
    probes = [near(templates, 7, 0.7), near(templates, 70, 0.95)]
    faces = [forger.face(probe) for probe in probes]
    request = os.urandom(16).hex()
    await forger.ask(faces, faces, request=request)
    picks = [(1, [70, 3, 99, 0]), (0, [7, 8, 9, *range(20, 81)])]
    about = {"request": os.urandom(16).hex(), "parent": request, "picks": picks}
    from_a, from_b = await site.links.both(Kind.BANDS, about, [], [])
    words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in (from_a, from_b)))
    assert len(words) == 4, "64 positions for each of two picks at each of two thresholds, whatever was picked"
    bits = np.unpackbits(words.view(np.uint8), bitorder="little").reshape(2, 2, 64)
    for (which, positions), lines in zip(picks, bits, strict=True):
        scores = templates[positions] @ probes[which].astype(np.int64)
        for threshold, line in zip(gallery.thresholds[1:], lines, strict=True):
            assert np.array_equal(line[: len(positions)].astype(bool), scores >= threshold)


async def test_bands_are_asked_once_and_for_a_search_that_was_paid(site: InProcess) -> None:
    gallery = await site.gallery()
    person = site.sight.person()
    await site.enrol(gallery, person)
    asker, bits = await searched(site, gallery, person)
    await asker.bands(gallery, bits, [(0, [0])])
    with pytest.raises(Refusal):
        await asker.bands(gallery, bits, [(0, [0])])
    for role in VAULTS:
        line = site.links.a if role is Role.VAULT_A else site.links.b
        meta = {"request": os.urandom(16).hex(), "parent": os.urandom(16).hex(), "picks": [(0, [0])]}
        with pytest.raises(ExchangeAborted):
            await line.call(Kind.BANDS, meta)


async def test_bands_of_other_positions_or_twice_of_one_probe_are_refused(site: InProcess) -> None:
    gallery = await site.gallery()
    person = site.sight.person()
    for _ in range(3):
        await site.enrol(gallery, person)
    wrong: list[Any] = [[(0, [3])], [(0, [-1])], [(0, [])], [(2, [0])], [(-1, [0])], [(0, [0] * 65)]]
    for picks in (*wrong, [(0, [0, 1]), (0, [2])], []):
        _, bits = await searched(site, gallery, person, count=2)
        for line in (site.links.a, site.links.b):
            meta = {"request": os.urandom(16).hex(), "parent": bits.request, "picks": picks}
            with pytest.raises(BadInput):
                await line.call(Kind.BANDS, meta)


async def test_a_gallery_with_one_threshold_has_no_bands_to_ask_for(site: InProcess) -> None:
    gallery = await site.gallery(fmr=1e-6)
    assert len(gallery.thresholds) == 1
    person = site.sight.person()
    subject = (await site.enrol(gallery, person, cosine=1.0)).subject
    (answer,) = await site.house.identifier.identify(gallery, site.sight.picture(person), ASKER)
    assert [(c.subject, c.band) for c in answer.candidates] == [(subject, "strong")]
    _, bits = await searched(site, gallery, person)
    for line in (site.links.a, site.links.b):
        meta = {"request": os.urandom(16).hex(), "parent": bits.request, "picks": [(0, [0])]}
        with pytest.raises(BadInput):
            await line.call(Kind.BANDS, meta)


# ---- verification by blocks ----


async def looked(site: InProcess, gallery: Gallery, blocks: list[int], probe: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Ask about blocks; returns bits[threshold, words * 64]."""
    forger = Forger(site, gallery)
    face = forger.face(probe)
    face = replace(face, warrant=replace(face.warrant, act=Act.VERIFY, target=targets.of_blocks(blocks)))
    answers = await forger.ask([face], [face], blocks=blocks)
    words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in answers))
    bits: NDArray[np.bool_] = np.unpackbits(words.view(np.uint8), bitorder="little").astype(bool)
    return bits.reshape(len(gallery.thresholds), -1)


async def test_blocks_are_plain_integer_comparison_at_every_threshold(site: InProcess) -> None:
    asked = {1: [[0]], 64: [[0]], 65: [[1], [0, 1]], 200: [[1, 3], [3, 0], []]}
    for rows, several in asked.items():
        gallery, templates = await filled(site, rows)
        for blocks in several:
            await _blocks_are_plain(site, gallery, templates, blocks)


async def _blocks_are_plain(site: InProcess, gallery: Gallery, templates: NDArray[np.int64], blocks: list[int]) -> None:
    rows = len(templates)
    last = rows - 1
    probe = near(templates, last, 0.7)
    bits = await looked(site, gallery, blocks, probe)
    positions = [p for block in blocks for p in range(64 * block, min(64 * block + 64, rows))]
    scores = templates[positions] @ probe.astype(np.int64) if positions else np.empty(0)
    assert bits.shape[1] == 64 * -(-len(positions) // 64)
    for threshold, line in zip(gallery.thresholds, bits, strict=True):
        assert np.array_equal(line[: len(positions)], scores >= threshold)
    if last in positions:
        assert bits[:, positions.index(last)].tolist() == [True, True, False]


async def test_blocks_that_are_not_there_are_refused(site: InProcess) -> None:
    gallery, templates = await filled(site, 65)
    for blocks in ([2], [0, 2], [0] * 65):
        with pytest.raises(Refusal) as caught:
            await looked(site, gallery, blocks, near(templates, 0, 0.9))
        assert isinstance(caught.value, OutOfStep | WarrantRefused | ExchangeAborted)


# ---- sizes ----


async def test_what_is_answered_has_a_size_that_depends_on_rows_and_probes_alone(site: InProcess) -> None:
    gallery, templates = await filled(site, 100)
    forger = Forger(site, gallery)
    sizes = set()
    for seed, cosine in enumerate((-0.9, 0.0, 0.9)):
        face = forger.face(near(templates, seed, cosine))
        for answer in await forger.ask([face], [face]):
            sizes.add((len(str(answer.meta)), *(memoryview(buffer).nbytes for buffer in answer.buffers)))
    assert len({size[1:] for size in sizes}) == 1
    assert len(sizes) == 1


async def test_what_the_vaults_say_to_each_other_has_the_same_size_whatever_they_hold(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = links._write
    sent: list[tuple[int, ...]] = []

    async def noting(writer: Any, lock: asyncio.Lock, frame: Any) -> None:
        if frame.kind in {Kind.BEGIN, Kind.ROUND, Kind.FINISH, Kind.DEAL}:
            sent.append((frame.kind, frame.sort, *(memoryview(b).nbytes for b in frame.buffers)))
        await real(writer, lock, frame)

    monkeypatch.setattr(links, "_write", noting)
    gallery, templates = await filled(site, 100)
    forger = Forger(site, gallery)
    seen = []
    for cosine in (-0.9, 0.0, 0.9):
        face = forger.face(near(templates, 0, cosine))
        await forger.ask([face], [face])
        seen.append(sorted(sent))
        sent.clear()
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 2 * (15 + 3)


# ---- people ----


async def test_an_erased_person_is_found_by_nobody_and_their_name_is_gone(site: InProcess) -> None:
    gallery = await site.gallery()
    ann, bob = site.sight.person(), site.sight.person()
    enrolled = {}
    for name, person in (("Ann", ann), ("Bob", bob)):
        who = Who(reference=name, fields={"phone": "0123"})
        enrolled[name] = (await site.enrol(gallery, person, who)).subject
        await site.enrol(gallery, person, Who(reference=name))
    assert await site.found(gallery, ann) == {enrolled["Ann"]}
    labels = await site.house.fields.labels(gallery, list(enrolled.values()), ASKER)
    assert labels == {enrolled["Ann"]: "Ann", enrolled["Bob"]: "Bob"}
    await site.house.eraser.subject(gallery, enrolled["Ann"], ASKER)
    for role in (None, *VAULTS):
        if role:
            await site.restart(role)
        assert await site.found(gallery, ann) == set()
        assert await site.found(gallery, bob) == {enrolled["Bob"]}
    assert await site.house.fields.find(gallery, "Ann") is None
    people = site.vault_b._cabinet._journal.read("SELECT state FROM person")
    assert people == [("live",)]
    for role in VAULTS:
        assert len(site.vault(role)._cabinet.shelf(gallery.id)) == 2
