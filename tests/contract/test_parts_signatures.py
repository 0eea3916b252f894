"""Running vaults and warrants of every kind: who may ask, erase, reveal; every refusal is the same frame."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import WarrantRefused
from moiety.kernel import quantise
from moiety.vault.policy import Needs
from moiety.warrants import targets
from moiety.warrants.warrant import Act, SignedWarrant, sign_as_service, signed_with
from moiety.wire.frames import Frame, Sort, encode, read_frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from parts_in_process import DIM, VAULTS
from vault_office import A, B, Office, office_in, outcome
from vault_people import OPERATOR, REGISTRAR, Signer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from forged_faces import Face


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with office_in(tmp_path) as made:
        yield made


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
