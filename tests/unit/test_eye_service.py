"""The eye: statements bind what it sealed, halves join to the template, and nothing of a request is left in it."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from moiety.eye import halver
from moiety.eye.halver import Halver
from moiety.eye.rotations import Rotations, id_of
from moiety.eye.service import Eye, Model
from moiety.foundation.clock import HandClock
from moiety.foundation.envelopes import KeyRing, unseal_from
from moiety.foundation.errors import (
    BadInput,
    ManyFaces,
    ModelMismatch,
    NoFace,
    NormOutOfRange,
    NotFound,
    PoorQuality,
    Unverified,
)
from moiety.kernel import check_probe, expand, nonce_of, norm_sq, quantise, rotation
from moiety.warrants import statement as statements
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, commit_row, face_nonce, row_label
from moiety.warrants.targets import sealing_bound
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind
from parts_in_process import PaintedFace, PaintedQuality, PaintedSight

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.wire.links import Answer

DIM = 128
MODEL = b"m" * 32
NONCE = b"n" * 32


@dataclass
class Room:
    """An eye with its keys, and the keys of both vaults."""

    folder: Path
    sight: Any = field(default_factory=lambda: PaintedSight(DIM))
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    a: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    b: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.rotations = Rotations(KeyRing(self.folder / "keys"))
        self.rotation = self.rotations.new()
        vaults = self.a.public_key().public_bytes_raw(), self.b.public_key().public_bytes_raw()
        self.halver = Halver(self.rotations, self.signing, vaults, self.clock)
        table = {1e-2: 0.35, 1e-4: 0.45}
        self.eye = Eye(self.sight, Model("painted", MODEL, DIM, table, (0.45, 0.6, 0.85)), self.rotations, self.halver)

    @property
    def public(self) -> bytes:
        return self.signing.public_key().public_bytes_raw()

    async def ask(self, kind: Kind, image: bytes, nonce: bytes = NONCE, **more: Any) -> Answer:
        meta = {
            "tenant": "ten",
            "gallery": "gal",
            "rotation": self.rotation.hex(),
            "model": MODEL.hex(),
            "epoch": 1,
        } | more
        return await self.eye.handlers()[kind](Frame(kind, meta=meta, buffers=[nonce, image]))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def turned(room: Room, embedding: NDArray[np.float32]) -> NDArray[np.int8]:
    """Work out what the eye must have measured."""
    return quantise(room.rotations.matrix(room.rotation, DIM) @ embedding)


# ---- probes ----


async def test_a_probe_is_sealed_to_both_vaults_and_committed_to(room: Room) -> None:
    people = [room.sight.person() for _ in range(3)]
    faces = [PaintedFace(one, (5 * i, 7, 100 - i, 90), liveness=(None, 0.9, 0.1)[i]) for i, one in enumerate(people)]
    image = room.sight.paint(*faces)
    answer = await room.ask(Kind.PROBE, image)
    assert len(answer.buffers) == 12
    for index, (person, pad) in enumerate(zip(people, (Pad.UNKNOWN, Pad.LIVE, Pad.ATTACK), strict=True)):
        raw, signature, to_a, to_b = (bytes(buffer) for buffer in answer.buffers[4 * index : 4 * index + 4])
        said = Statement.decode(raw)
        statements.verify(said, signature, room.public)
        nonce = face_nonce(NONCE, index)
        opened = unseal_from(room.a, to_a, sealing_bound("a", nonce))
        assert opened == unseal_from(room.b, to_b, sealing_bound("b", nonce))
        probe = np.frombuffer(opened[32:], np.int8)
        check_probe(probe)
        assert np.array_equal(probe, turned(room, person))
        assert said == Statement(
            Made.PROBE,
            "ten",
            "gal",
            hashlib.sha256(image).digest(),
            (5 * index, 7, 100 - index, 90),
            MODEL,
            room.rotation,
            pad,
            b"",
            1,
            commit_probe(nonce, opened[:32], opened[32:]),
            nonce,
            int(room.clock.now()),
        )


async def test_a_sealed_probe_opens_at_its_own_vault_for_its_own_nonce_only(room: Room) -> None:
    image = room.sight.picture(room.sight.person())
    _, _, to_a, to_b = (bytes(buffer) for buffer in (await room.ask(Kind.PROBE, image)).buffers)
    nonce = face_nonce(NONCE, 0)
    for key, sealed, bound in (
        (room.b, to_a, sealing_bound("a", nonce)),
        (room.a, to_b, sealing_bound("b", nonce)),
        (room.a, to_a, sealing_bound("b", nonce)),
        (room.a, to_a, sealing_bound("a", face_nonce(NONCE, 1))),
        (room.a, to_a, sealing_bound("a", NONCE)),
    ):
        with pytest.raises(Unverified):
            unseal_from(key, sealed, bound)


async def test_the_same_picture_twice_looks_like_two(room: Room) -> None:
    image = room.sight.picture(room.sight.person())
    one, other = [(await room.ask(Kind.PROBE, image)).buffers for _ in range(2)]
    assert Statement.decode(bytes(one[0])).commitment != Statement.decode(bytes(other[0])).commitment
    assert {bytes(b) for b in one[2:]}.isdisjoint({bytes(b) for b in other[2:]})


async def test_no_face_is_no_probe_and_no_error(room: Room) -> None:
    answer = await room.ask(Kind.PROBE, room.sight.paint())
    assert (answer.meta, list(answer.buffers)) == ({"faces": []}, [])


async def test_only_words_about_a_face_are_told(room: Room) -> None:
    answer = await room.ask(Kind.PROBE, room.sight.paint(PaintedFace(room.sight.person(), (-5, -7, 50, 60))))
    (told,) = answer.meta["faces"]
    assert set(told) == {"box", "quality", "liveness", "row"}
    assert told["box"] == [0, 0, 45, 53]


# ---- templates ----


async def test_row_and_pad_are_the_template_and_each_alone_is_noise(room: Room) -> None:
    person = room.sight.person()
    image = room.sight.paint(PaintedFace(person))
    rows = []
    for _ in range(40):
        answer = await room.ask(Kind.TEMPLATE, image)
        raw, signature, to_a, to_b = (bytes(buffer) for buffer in answer.buffers)
        said = Statement.decode(raw)
        statements.verify(said, signature, room.public)
        assert said.made is Made.TEMPLATE
        assert answer.meta["faces"][0]["row"] == said.row.hex()
        at_a = unseal_from(room.a, to_a, sealing_bound("a", said.nonce))
        at_b = unseal_from(room.b, to_b, sealing_bound("b", said.nonce))
        salt, row = at_a[:32], np.frombuffer(at_a[32:], np.uint16)
        seed, commitment = at_b[:32], at_b[32:]
        assert commitment == said.commitment == commit_row("ten", "gal", said.row, 1, salt, row.tobytes())
        pad = expand(
            np.frombuffer(seed, np.uint8).reshape(1, -1),
            np.frombuffer(nonce_of(row_label("ten", "gal", said.row, 1)), np.uint8).reshape(1, -1),
            DIM,
        )[0]
        template = (row + pad).view(np.int16)
        assert np.array_equal(template, turned(room, person).astype(np.int16))
        assert norm_sq(template.astype(np.int8)) <= 127**2
        rows.append((said.row, seed, salt, row))
    assert len({row_id for row_id, *_ in rows}) == len({seed for _, seed, *_ in rows}) == 40
    assert len({salt for _, _, salt, _ in rows}) == 40
    high = np.concatenate([row for *_, row in rows]) >> 15
    assert abs(high.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(high)), "a masked row shows the template's small numbers"


@pytest.mark.parametrize(
    ("faces", "refusal"),
    [
        ([], NoFace),
        ([(100, 100), (60, 60)], ManyFaces),
        ([(100, 100), (100, 26)], ManyFaces),
        ([(100, 100), (50, 50), (90, 90)], ManyFaces),
        ([(100, 100), (50, 50), (20, 20)], None),
    ],
    ids=str,
)
async def test_an_enrolment_photo_shows_one_person_whatever_stands_far_behind(
    room: Room, faces: list[tuple[int, int]], refusal: type[Exception] | None
) -> None:
    people = [room.sight.person() for _ in faces]
    image = room.sight.paint(*(PaintedFace(p, (0, 0, *size)) for p, size in zip(people, faces, strict=True)))
    if refusal:
        with pytest.raises(refusal):
            await room.ask(Kind.TEMPLATE, image)
        return
    answer = await room.ask(Kind.TEMPLATE, image)
    assert len(answer.buffers) == 4
    assert answer.meta["faces"][0]["box"] == [0, 0, 100, 100]


async def test_a_poor_photo_is_refused_with_its_reasons_but_may_be_searched(room: Room) -> None:
    quality = PaintedQuality(enrollable=False, reasons=("too dark", "too small"))
    image = room.sight.paint(PaintedFace(room.sight.person(), quality=quality))
    with pytest.raises(PoorQuality, match=r"too dark; too small\."):
        await room.ask(Kind.TEMPLATE, image)
    assert len((await room.ask(Kind.PROBE, image)).buffers) == 4


# ---- what does not fit ----


@pytest.mark.parametrize("kind", [Kind.PROBE, Kind.TEMPLATE])
async def test_another_model_unknown_rotation_or_nonce_is_refused(room: Room, kind: Kind) -> None:
    image = room.sight.picture(room.sight.person())
    with pytest.raises(ModelMismatch):
        await room.ask(kind, image, model=bytes(32).hex())
    with pytest.raises(NotFound):
        await room.ask(kind, image, rotation=bytes(32).hex())
    for nonce in (b"", bytes(31), bytes(33)):
        with pytest.raises(BadInput, match="32 bytes"):
            await room.ask(kind, image, nonce=nonce)


async def test_an_embedding_that_is_none_is_refused(room: Room) -> None:
    for broken in (np.zeros(DIM, np.float32), np.full(DIM, np.nan, np.float32)):
        with pytest.raises(NormOutOfRange):
            await room.ask(Kind.PROBE, room.sight.paint(PaintedFace(broken)))


# ---- rotations ----


async def test_a_new_rotation_is_drawn_kept_and_named_by_its_seed(room: Room) -> None:
    answer = await room.eye.handlers()[Kind.ROTATION_NEW](Frame(Kind.ROTATION_NEW))
    assert answer.meta["dim"] == DIM
    assert answer.meta["model"] == MODEL.hex()
    assert {float(rate): cosine for rate, cosine in answer.meta["table"].items()} == {1e-2: 0.35, 1e-4: 0.45}
    rotation_id = bytes.fromhex(answer.meta["rotation"])
    assert rotation_id != room.rotation
    path = room.folder / "keys" / f"rotation-{rotation_id.hex()}.key"
    seed = path.read_bytes()
    assert id_of(seed) == rotation_id
    assert path.stat().st_mode & 0o077 == 0
    again = Rotations(KeyRing(room.folder / "keys")).matrix(rotation_id, DIM)
    assert np.array_equal(again, rotation(seed, DIM))
    assert np.allclose(again @ again.T, np.eye(DIM), atol=1e-5)


async def test_two_galleries_measure_one_face_differently(room: Room) -> None:
    image = room.sight.picture(room.sight.person())
    found = []
    for rotation_id in (room.rotation, room.rotations.new()):
        buffers = (await room.ask(Kind.PROBE, image, rotation=rotation_id.hex())).buffers
        bound = sealing_bound("a", face_nonce(NONCE, 0))
        found.append(np.frombuffer(unseal_from(room.a, bytes(buffers[2]), bound)[32:], np.int8).astype(float))
    assert abs(found[0] @ found[1]) / 127**2 < 6 / np.sqrt(DIM)


# ---- two pictures ----


@pytest.mark.parametrize(("cosine", "band"), [(0.44, 0), (0.46, 1), (0.61, 2), (0.9, 3), (-0.9, 0)])
async def test_two_pictures_are_compared_to_a_band_and_nothing_finer(room: Room, cosine: float, band: int) -> None:
    person = room.sight.person()
    images = [room.sight.paint(PaintedFace(one)) for one in (person, room.sight.like(person, cosine))]
    answer = await room.eye.handlers()[Kind.COMPARE](Frame(Kind.COMPARE, buffers=images))
    assert answer.meta["band"] == band
    assert set(answer.meta) == {"band", "faces"}
    assert list(answer.buffers) == []


async def test_a_comparison_needs_two_pictures_with_a_face_each(room: Room) -> None:
    good, empty = room.sight.picture(room.sight.person()), room.sight.paint()
    compare = room.eye.handlers()[Kind.COMPARE]
    for images in ([good, empty], [empty, good]):
        with pytest.raises(NoFace):
            await compare(Frame(Kind.COMPARE, buffers=images))
    with pytest.raises(BadInput):
        await compare(Frame(Kind.COMPARE, buffers=[good]))


# ---- forgetting ----


class Forgetting:
    """Sight that keeps nothing itself, and watches whether the embeddings it gave are still somewhere."""

    def __init__(self) -> None:
        self.given: list[weakref.ref[NDArray[Any]]] = []
        self.enrollable = True

    def faces(self, image: bytes) -> list[PaintedFace]:
        random = np.random.default_rng(len(image))
        embedding = random.standard_normal(DIM).astype(np.float32)
        embedding /= np.linalg.norm(embedding)
        self.given.append(weakref.ref(embedding))
        return [PaintedFace(embedding, quality=PaintedQuality(enrollable=self.enrollable))]


async def test_nothing_of_a_request_is_left_in_the_eye(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sight = Forgetting()

    def watched(x: NDArray[np.float32]) -> NDArray[np.int8]:
        measured: NDArray[np.int8] = quantise(x)
        sight.given.append(weakref.ref(measured))
        return measured

    monkeypatch.setattr(halver, "quantise", watched)
    room = Room(tmp_path, sight)
    await room.ask(Kind.PROBE, b"a picture")
    before = set(vars(room.eye)), set(vars(room.halver))
    for kind in (Kind.PROBE, Kind.TEMPLATE):
        await room.ask(kind, b"a picture")
    await room.eye.handlers()[Kind.COMPARE](Frame(Kind.COMPARE, buffers=[b"one", b"other"]))
    sight.enrollable = False
    with pytest.raises(PoorQuality):
        await room.ask(Kind.TEMPLATE, b"a poor picture")
    await asyncio.sleep(0)  # until then the loop itself holds the future that has just woken this test
    gc.collect()
    assert len(sight.given) == 6 + 3, "six faces were seen, three of them measured"
    assert [ref for ref in sight.given if ref() is not None] == []
    assert (set(vars(room.eye)), set(vars(room.halver))) == before
