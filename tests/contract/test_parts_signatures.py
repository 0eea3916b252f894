"""Running vaults and warrants of every kind: who may ask, erase, reveal; every refusal is the same frame."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forged_faces import Face, Forger
from moiety.drill.authenticator import ORIGIN, RP_ID
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import AlreadyThere, Forbidden, Refusal, UnknownGallery, WarrantRefused
from moiety.kernel import quantise
from moiety.storage import GalleryState
from moiety.vault import exchange
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import GalleryPolicy, Needs
from moiety.warrants import targets
from moiety.warrants.proofs import DeviceSlip, by_device, sign_slip
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import Act, SignedWarrant, Warrant, sign_as_service, signed_with, without_picture
from moiety.wire.frames import Frame, Sort, encode, read_frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from parts_in_process import DIM, VAULTS, InProcess
from vault_people import OPERATOR, REGISTRAR, Camera, Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from moiety.storage import Gallery

PROBE = quantise(np.eye(1, DIM, dtype=np.float32)[0])
A, B = VAULTS


@dataclass
class Office:
    """A site whose vaults know two operators, a registrar and a camera at door 7."""

    site: InProcess
    gallery: Gallery
    version: int
    ann: Signer
    bob: Signer
    reg: Signer
    camera: Camera

    @property
    def forger(self) -> Forger:
        return Forger(self.site, self.gallery)

    async def needs(self, *roles: Role, **needs: Any) -> None:
        """Put another policy."""
        self.version = await self.site.put_policy(self.gallery.id, *roles, **needs)

    def face(self, image: bytes = b"i" * 32, nonce: bytes | None = None, **more: Any) -> Face:
        """Make a face that nobody has signed for yet, under the policy in force."""
        face = self.forger.face(PROBE, nonce, image_sha256=image)
        wanted: dict[str, Any] = {"image_sha256": image, "policy_version": self.version} | more
        face.warrant = replace(face.warrant, **wanted)
        return face

    def by_camera(self, camera: Camera | None = None, **slip: Any) -> Face:
        """Let the camera sign for a face of its picture."""
        camera, nonce = camera or self.camera, os.urandom(32)
        face = self.face(nonce=face_nonce(nonce, 0), case=camera.door)
        said = DeviceSlip(face.warrant.image_sha256, camera.door, face.warrant.issued, nonce)
        face.signed = signed_with(face.warrant, by_device(sign_slip(replace(said, **slip), camera.key)))
        return face

    def by(self, *people: Signer, **more: Any) -> Face:
        """Let people sign for a face."""
        face = self.face(**more)
        face.signed = signed_with(face.warrant, *(one.sign(face.warrant) for one in people))
        return face

    def by_service(self) -> Face:
        return self.face()

    def plain(self, act: Act, target: bytes) -> Warrant:
        """Write a warrant for an act without a picture."""
        policy = (self.site.installation.tenant, str(self.gallery.id), self.version, self.gallery.purpose)
        return without_picture(act, policy, "", target, self.site.clock.now(), os.urandom(32))

    async def answered(self, face: Face) -> bool:
        """Whether both vaults answer, as the gate asks them; where they do not, the warrant was refused."""
        meta = {"request": os.urandom(16).hex(), "gallery": self.gallery.id}
        to_a, to_b = (self.forger.buffers(face, half) for half in "ab")
        try:
            await self.site.links.both(Kind.SEARCH, meta, to_a, to_b)
        except WarrantRefused:
            return False
        return True


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        ann, bob, reg = Signer("ann"), Signer("bob"), Signer("reg", (REGISTRAR,))
        camera = Camera(gallery.id)
        people = tuple(one.person for one in (ann, bob, reg))
        await site.put_roster(rp_id=RP_ID, origin=ORIGIN, people=people, devices=(camera.device,))
        yield Office(site, gallery, 1, ann, bob, reg, camera)


async def test_each_kind_of_gallery_answers_those_whom_its_policy_names(office: Office) -> None:
    asks: dict[Needs, Callable[[], Face]] = {
        Needs.SERVICE: office.by_service,
        Needs.DEVICE: office.by_camera,
        Needs.OPERATOR: lambda: office.by(office.ann),
        Needs.TWO_PERSON: lambda: office.by(office.bob, office.ann),
    }
    for needs in Needs:
        if needs is not Needs.SERVICE:
            await office.needs(asks=needs)
        for kind, ask in asks.items():
            enough = kind is needs or (needs is Needs.OPERATOR and kind is Needs.TWO_PERSON)
            assert await office.answered(ask()) == enough, (needs, kind)
    await office.needs(asks=Needs.SERVICE)
    assert await office.answered(office.by_service())


async def test_a_change_on_one_vault_only_refuses_every_question_until_both_agree(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MEET_SECONDS", 0.5)  # for so long B waits for an A that refused
    await office.needs(A, asks=Needs.OPERATOR)
    for version in (1, 2):
        office.version = version
        assert not await office.answered(office.by_service())
        assert not await office.answered(office.by(office.ann))
    await office.needs(B, asks=Needs.OPERATOR)
    assert await office.answered(office.by(office.ann))


async def test_a_batch_of_two_people_costs_both_at_both_vaults(office: Office) -> None:
    await office.needs(asks=Needs.TWO_PERSON, probes_per_hour=5)
    faces = [office.by(office.ann, office.bob) for _ in range(4)]
    assert all(isinstance(one, Answer) for one in await office.forger.each(faces, faces))
    for role in VAULTS:
        spent = office.site.vault(role)._cabinet._journal.read(
            "SELECT signer, spent FROM budget WHERE meter = 'probes'"
        )
        assert dict(spent) == {b"person:ann": 4, b"person:bob": 4}
    assert await office.answered(office.by(office.ann, office.bob))
    assert not await office.answered(office.by(office.ann, office.bob))


# ---- every refusal is the same frame ----


async def frame_of(office: Office, role: Role, kind: Kind, meta: dict[str, Any], buffers: list[bytes]) -> bytes:
    """Ask one vault over a link of its own; gives the whole reply as it is on the wire."""
    at = office.site.place(Role.GATE)
    reader, writer = await asyncio.open_connection(
        *office.site.addresses[role], ssl=at.identity.context(at.peers, server=False)
    )
    writer.writelines(encode(Frame(kind, Sort.ASK, 1, meta, buffers)))
    frame = await asyncio.wait_for(read_frame(reader), 10)
    writer.close()
    return b"".join(bytes(piece) for piece in encode(frame))


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def spoilt(office: Office) -> dict[str, Callable[[], Face]]:
    """Give questions of a gallery for two people, each with one thing wrong."""

    def other_image() -> Face:
        face = office.by(office.ann, office.bob)
        return replace(face, statement=replace(face.statement, image_sha256=b"j" * 32))

    def signed_for_another() -> Face:
        face, other = office.by(office.ann, office.bob), office.by(office.ann, office.bob)
        assert other.signed
        return replace(face, signed=SignedWarrant(face.warrant, other.signed.signatures))

    def probe_exchanged() -> Face:
        face, other = office.by(office.ann, office.bob), office.face()
        return replace(face, salt=other.salt, probe=quantise(np.eye(2, DIM, dtype=np.float32)[1]).tobytes())

    def copied() -> Face:
        office.ann.key.counter = 0
        face = office.by(office.ann, office.bob)
        office.ann.key.counter = 200
        return face

    def stranger() -> Face:
        return office.by(office.ann, Signer("eve"))

    now = int(office.site.clock.now())
    return {
        "expired": lambda: office.by(office.ann, office.bob, issued=now - 400, expires=now - 340),
        "not yet": lambda: office.by(office.ann, office.bob, issued=now + 200, expires=now + 260),
        "too long": lambda: office.by(office.ann, office.bob, expires=now + 601),
        "wrong gallery": lambda: office.by(office.ann, office.bob, gallery="gal_other"),
        "wrong tenant": lambda: office.by(office.ann, office.bob, tenant="ten_other"),
        "wrong purpose": lambda: office.by(office.ann, office.bob, purpose="curiosity"),
        "old policy": lambda: office.by(office.ann, office.bob, policy_version=1),
        "wrong act": lambda: office.by(office.ann, office.bob, act=Act.ENROL),
        "wrong picture": other_image,
        "wrong probe": probe_exchanged,
        "signatures of another warrant": signed_for_another,
        "one person twice": lambda: office.by(office.ann, office.ann),
        "one person": lambda: office.by(office.ann),
        "nobody": office.by,
        "the gate": office.by_service,
        "the camera": office.by_camera,
        "a registrar": lambda: office.by(office.ann, office.reg),
        "unknown signer": stranger,
        "a passkey's counter went back": copied,
    }


async def test_every_refusal_is_the_same_frame_byte_for_byte(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await office.needs(asks=Needs.TWO_PERSON)
    for key in (office.ann.key, office.bob.key):
        key.counter = 100
    good = office.by(office.ann, office.bob)
    assert await office.answered(good)
    office.ann.key.counter = office.bob.key.counter = 200
    forger, gallery = office.forger, office.gallery.id
    told: dict[bytes, list[str]] = {}

    async def note(name: str, role: Role, buffers: list[bytes], of: str = gallery) -> None:
        meta = {"request": os.urandom(16).hex(), "gallery": of}
        frame = await frame_of(office, role, Kind.SEARCH, meta, buffers)
        told.setdefault(frame, []).append(f"{name} at {role}")

    for role, half in zip(VAULTS, "ab", strict=True):
        for name, make in spoilt(office).items():
            await note(name, role, forger.buffers(make(), half))
        await note("replayed", role, forger.buffers(good, half))
        whole = forger.buffers(office.by(office.ann, office.bob), half)
        await note("unknown gallery", role, whole, "gal_unknown")
        await note("malformed warrant", role, [whole[0][:-1], *whole[1:]])
        await note("no warrant", role, [b"", *whole[1:]])
        await note("no statement", role, [whole[0], b"", *whole[2:]])
        await note("another's seal", role, [*whole[:3], b"x" * 200])
    assert len(told) == 1, {frame[:80]: names for frame, names in told.items()}
    (frame,) = told
    assert WarrantRefused.slug.encode() in frame
    # The vaults' own logs know why.
    for reason in ("clock", "different people", "another gallery", "No one on the roster", "counter", "nonce", "role"):
        assert reason in caplog.text
    # And nothing of it was used up: the question that was spoilt in every way is good.
    office.ann.key.counter = office.bob.key.counter = 300
    assert await office.answered(office.by(office.ann, office.bob))


async def test_any_flipped_byte_of_a_signed_warrant_is_refused(office: Office) -> None:
    """At one running vault; the property tests flip every byte of every kind."""
    await office.needs(asks=Needs.OPERATOR)
    face = office.by(office.ann)
    buffers = office.forger.buffers(face, "a")
    for at in range(0, len(buffers[0]), 41):
        meta = {"request": os.urandom(16).hex(), "gallery": office.gallery.id}
        frame = await frame_of(office, A, Kind.SEARCH, meta, [flipped(buffers[0], at), *buffers[1:]])
        assert WarrantRefused.slug.encode() in frame
    assert await office.answered(face)


async def test_a_vault_whose_clock_is_five_minutes_ahead_refuses_and_says_so(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    guard = office.site.vault(A)._guard
    guard._clock = HandClock(office.site.clock.now() + 300)
    assert not await office.answered(office.by_service())
    assert any("vault-a" in line.message and "clock" in line.message for line in caplog.records)
    guard._clock = HandClock(office.site.clock.now() + 100)
    assert await office.answered(office.by_service())


# ---- erasing and revealing ----


async def outcome(office: Office, kind: Kind, meta: dict[str, Any], buffers: list[bytes], *roles: Role) -> set[str]:
    """Ask vaults and say how each ended."""
    ended = set()
    for role in roles:
        line = office.site.links.a if role is A else office.site.links.b
        try:
            await line.call(kind, meta, buffers)
            ended.add("done")
        except Refusal as refusal:
            ended.add(refusal.slug)
    return ended


async def test_above_so_many_erased_rows_a_day_two_people_sign(office: Office) -> None:
    reg2 = Signer("reg2", (REGISTRAR, OPERATOR))
    people = tuple(one.person for one in (office.ann, office.bob, office.reg, reg2))
    await office.site.put_roster(people=people)
    await office.needs(erases=Needs.OPERATOR, erasures_alone_per_day=3)

    async def erase(count: int, *signers: Signer) -> set[str]:
        ids = [os.urandom(16) for _ in range(count)]
        warrant = office.plain(Act.ERASE, targets.of_erasure(ids, b""))
        signed = signed_with(warrant, *(one.sign(warrant) for one in signers)).encode()
        return await outcome(office, Kind.ERASE, {"gallery": office.gallery.id}, [signed, b"".join(ids), b""], A, B)

    assert await erase(2, office.reg) == {"done"}
    assert await erase(2, office.reg) == {"warrant-refused"}
    assert await erase(2, reg2) == {"warrant-refused"}, "the allowance is the gallery's, not each person's"
    assert await erase(1, reg2) == {"done"}
    assert await erase(1, reg2) == {"warrant-refused"}
    assert await erase(60, office.reg, reg2) == {"done"}
    assert await erase(1, office.ann) == {"warrant-refused"}
    office.site.clock.move(86_400)
    assert await erase(3, office.reg) == {"done"}


async def test_a_session_reveals_at_b_and_its_counter_is_counted_once(office: Office) -> None:
    await office.needs(reveals=Needs.OPERATOR)
    handle, name = os.urandom(16), ["sub_1", "name", "field"]
    about = {"gallery": office.gallery.id, "names": [name]}
    made = await office.site.links.b.call(Kind.WRAP, about, [handle])
    key, wrapped = (bytes(buffer) for buffer in made.buffers)
    session = office.ann.session(office.site.clock.now() + 3600)
    target = targets.of_field(handle, name[0], name[1], wrapped)
    for _ in range(3):
        warrant = office.plain(Act.REVEAL, target)
        signed = signed_with(warrant, session.sign(warrant)).encode()
        found = await office.site.links.b.call(Kind.REVEAL, about, [signed, handle, wrapped])
        assert bytes(found.buffers[0]) == key
    service = Ed25519PrivateKey.generate(), office.forger.service
    for signed in (
        *(sign_as_service(office.plain(Act.REVEAL, target), one).encode() for one in service),
        signed_with(warrant, session.sign(warrant)).encode(),
        signed_with(other := office.plain(Act.REVEAL, target), office.reg.session(0).sign(other)).encode(),
        signed_with(other := office.plain(Act.REVEAL, bytes(32)), session.sign(other)).encode(),
    ):
        assert await outcome(office, Kind.REVEAL, about, [signed, handle, wrapped], B) == {"warrant-refused"}
    office.site.clock.move(3600 + 121)
    late = office.plain(Act.REVEAL, target)
    signed = signed_with(late, session.sign(late)).encode()
    assert await outcome(office, Kind.REVEAL, about, [signed, handle, wrapped], B) == {"warrant-refused"}


# ---- what the gate cannot change ----


async def test_the_gate_changes_no_policy_and_drops_none_that_keepers_signed(office: Office) -> None:
    gallery = office.gallery.id
    await office.needs(asks=Needs.TWO_PERSON)
    for role in VAULTS:
        book = office.site.vault(role)._policies.book
        in_force = book.entry(gallery)[1]
        for looser in (
            replace(in_force, asks=Needs.SERVICE),
            replace(in_force, version=3, asks=Needs.SERVICE),
            replace(in_force, version=1, asks=Needs.SERVICE),
            replace(in_force, version=1, asks=Needs.SERVICE, purpose="another"),
        ):
            policy = (looser.tenant, looser.gallery, looser.version, looser.purpose)
            target = targets.of_policy(looser.encode())
            warrant = without_picture(Act.POLICY, policy, "", target, office.site.clock.now(), os.urandom(32))
            signed = sign_as_service(warrant, office.forger.service).encode()
            await outcome(office, Kind.POLICY_SET, {}, [signed, looser.encode()], role)
            assert book.entry(gallery)[1] == in_force
    assert await outcome(office, Kind.POLICY_DROP, {"gallery": gallery}, [], A, B) == {Forbidden.slug}
    assert not await office.answered(office.by_service())


async def test_keepers_change_a_running_vault_at_once_and_a_refused_change_changes_nothing(office: Office) -> None:
    vault = office.site.vault(A)
    before = vault._policies.book.entry(office.gallery.id)[1]
    stricter = replace(before, version=2, asks=Needs.OPERATOR)
    stranger = Ed25519PrivateKey.generate()
    for endorsed, kind in (
        (Endorsed(stricter.encode()).by(stranger), Forbidden),
        (office.site.endorsed(before), AlreadyThere),
        (office.site.endorsed(replace(stricter, version=3)), Refusal),
    ):
        with pytest.raises(kind):
            await vault.words()["policy-put"]({"endorsed": endorsed.encode().hex()})
    for noise in ("", "zz", "00", None, office.site.endorsed(stricter).encode().hex()[:-2]):
        with pytest.raises(Refusal):
            await vault.words()["policy-put"]({"endorsed": noise})
    assert await office.answered(office.by_service())
    await office.needs(asks=Needs.OPERATOR)
    assert not await office.answered(office.by_service())
    for role in VAULTS:
        await office.site.restart(role)
    assert await office.answered(office.by(office.ann))
    told = await vault.words()["book-show"]({})
    assert {one["policy"]["version"] for one in told["policies"]} == {2}


async def test_where_the_gate_opens_nothing_a_gallery_waits_for_the_keepers_of_both_vaults(tmp_path: Path) -> None:
    async with InProcess(tmp_path, standing={"service_opens": 0}) as site:
        gallery = await site.gallery()
        assert gallery.state is GalleryState.PENDING
        with pytest.raises(UnknownGallery):
            await site.house.galleries.get(gallery.id)
        for role in VAULTS:
            assert await site.house.galleries.settle() == 0
            told = await site.vault(role).words()["book-show"]({})
            assert told["policies"] == []
            (wish,) = told["wishes"]
            signed = site.endorsed(replace(GalleryPolicy.from_plain(wish), enrols=Needs.OPERATOR))
            await site.vault(role).words()["policy-put"]({"endorsed": signed.encode().hex()})
        await site.restart_gate()
        assert await site.house.galleries.settle() == 1
        assert (await site.house.galleries.get(gallery.id)).state is GalleryState.OPEN
        told = await site.vault(A).words()["book-show"]({})
        assert told["wishes"] == []
        assert [one["origin"] for one in told["policies"]] == ["keepers"]
        forger = Forger(site, gallery)
        face = forger.face(PROBE)
        assert all(isinstance(one, Answer) for one in await forger.each([face], [face]))
