"""Whatever is wrong with a question, each running vault refuses it with the same answer, and nothing is used up."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forged_faces import Face, Forger
from moiety.foundation.errors import Refusal, Unavailable, WarrantRefused
from moiety.kernel import quantise
from moiety.warrants.statement import Made, commit_probe
from moiety.warrants.targets import of_blocks
from moiety.warrants.warrant import Act, SignedWarrant, sign_as_service
from moiety.wire.frames import Frame, Sort, encode, read_frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer
from parts_in_process import ASKER, DIM, InProcess, PaintedFace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moiety.storage import Gallery

    # Takes a good face and gives the buffers of a bad one.
    Spoiler = Callable[[Forger, Face, str], list[bytes]]

VAULTS = {"a": Role.VAULT_A, "b": Role.VAULT_B}
STRANGER = Ed25519PrivateKey.generate()
PROBE = quantise(np.eye(1, DIM, dtype=np.float32)[0])


async def reply(
    site: InProcess, half: str, gallery: Gallery, buffers: list[bytes], **meta: Any
) -> tuple[str, str, int]:
    """Ask one vault over a link of the test's own; returns slug, sentence and size of what comes back."""
    at = site.place(Role.GATE)
    reader, writer = await asyncio.open_connection(
        *site.addresses[VAULTS[half]], ssl=at.identity.context(at.peers, server=False)
    )
    about = {"request": os.urandom(16).hex(), "gallery": gallery.id} | meta
    writer.writelines(encode(Frame(Kind.SEARCH, Sort.ASK, 1, about, buffers)))
    frame = await asyncio.wait_for(read_frame(reader), 5)
    writer.close()
    assert frame.sort is Sort.REFUSAL
    return frame.meta["slug"], frame.meta["detail"], sum(memoryview(piece).nbytes for piece in encode(frame))


def spent(site: InProcess, half: str) -> list[tuple[Any, ...]]:
    journal = site.vault(VAULTS[half])._cabinet._journal
    return journal.read("SELECT meter, spent FROM budget ORDER BY meter") + journal.read("SELECT count(*) FROM nonce")


def of_warrant(**wrong: Any) -> Spoiler:
    def spoil(forger: Forger, face: Face, half: str) -> list[bytes]:
        now = face.warrant.issued
        times = {name: now + value for name, value in wrong.items() if name in {"issued", "expires"}}
        face.warrant = replace(face.warrant, **wrong | times)
        return forger.buffers(face, half)

    return spoil


def of_statement(**wrong: Any) -> Spoiler:
    def spoil(forger: Forger, face: Face, half: str) -> list[bytes]:
        face.statement = replace(face.statement, **wrong)
        face.warrant = replace(face.warrant, statement_sha256=face.statement.digest())
        return forger.buffers(face, half)

    return spoil


def of_probe(raw: Callable[[bytes], bytes], *, committed: bool) -> Spoiler:
    def spoil(forger: Forger, face: Face, half: str) -> list[bytes]:
        face.probe = raw(face.probe)
        if committed:
            said = replace(face.statement, commitment=commit_probe(face.statement.nonce, face.salt, face.probe))
            face.statement, face.warrant = said, replace(face.warrant, statement_sha256=said.digest())
        return forger.buffers(face, half)

    return spoil


def of_buffer(index: int, alter: Callable[[Forger, Face, list[bytes]], bytes]) -> Spoiler:
    def spoil(forger: Forger, face: Face, half: str) -> list[bytes]:
        buffers = forger.buffers(face, half)
        buffers[index] = alter(forger, face, buffers)
        return buffers

    return spoil


def flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def of_length(length: float) -> Callable[[bytes], bytes]:
    return lambda _: np.array([round(length), *[0] * (DIM - 1)], np.int8).tobytes()


SPOILT: dict[str, Spoiler] = {
    "another gallery": of_warrant(gallery="gal_other"),
    "another tenant": of_warrant(tenant="ten_other"),
    "another purpose": of_warrant(purpose="curiosity"),
    "another act": of_warrant(act=Act.VERIFY),
    "an enrolment": of_warrant(act=Act.ENROL),
    "an old policy": of_warrant(policy_version=0),
    "a policy to come": of_warrant(policy_version=2),
    "expired": of_warrant(issued=-400, expires=-121),
    "not yet": of_warrant(issued=121, expires=181),
    "too long": of_warrant(expires=601),
    "another statement": of_warrant(statement_sha256=bytes(32)),
    "another nonce": of_warrant(nonce=bytes(32)),
    "a stranger's signature": of_buffer(0, lambda _, face, __: sign_as_service(face.warrant, STRANGER).encode()),
    "no signature": of_buffer(0, lambda _, face, __: SignedWarrant(face.warrant, ()).encode()),
    "two signatures": of_buffer(
        0,
        lambda forger, face, _: SignedWarrant(
            face.warrant, sign_as_service(face.warrant, forger.service).signatures * 2
        ).encode(),
    ),
    "a broken signature": of_buffer(0, lambda _, __, buffers: flipped(buffers[0])),
    "noise for a warrant": of_buffer(0, lambda *_: os.urandom(300)),
    "nothing for a warrant": of_buffer(0, lambda *_: b""),
    "another picture": of_statement(image_sha256=bytes([1]) * 32),
    "another face of it": of_statement(box=(5, 6, 7, 8)),
    "another statement's nonce": of_statement(nonce=bytes(32)),
    "another model": of_statement(model=bytes(32)),
    "another rotation": of_statement(rotation=bytes(32)),
    "a template's statement": of_statement(made=Made.TEMPLATE),
    "another commitment": of_statement(commitment=bytes(32)),
    "another eye": lambda forger, face, half: forger.buffers(face, half, eye=STRANGER),
    "noise for a statement": of_buffer(1, lambda *_: os.urandom(300)),
    "a broken eye's signature": of_buffer(2, lambda _, __, buffers: flipped(buffers[2])),
    "another probe than committed": of_probe(lambda raw: raw[1:] + raw[:1], committed=False),
    "a probe that is too long": of_probe(lambda _: bytes([120, 60]) + bytes(DIM - 2), committed=True),
    "a probe that is too short": of_probe(of_length(119), committed=True),
    "a probe of zeros": of_probe(of_length(0), committed=True),
    "a probe of another dimension": of_probe(lambda raw: raw + raw, committed=True),
    "no probe": of_probe(lambda _: b"", committed=True),
    "sealed for the other half": lambda forger, face, half: forger.buffers(face, "b" if half == "a" else "a"),
    "bound to something else": lambda forger, face, half: forger.buffers(face, half, bound=b"something else"),
    "noise for a seal": of_buffer(3, lambda *_: os.urandom(200)),
    "nothing for a seal": of_buffer(3, lambda *_: b""),
}


async def test_every_bad_question_gets_the_same_answer_and_costs_nothing(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        forger = Forger(site, gallery)
        await forger.ask(*[[forger.face(PROBE)]] * 2)  # a good one, so that budgets exist
        before = {half: spent(site, half) for half in "ab"}
        told: dict[tuple[str, str, int], list[str]] = {}
        for name, spoil in SPOILT.items():
            for half in "ab":
                answer = await reply(site, half, gallery, spoil(forger, forger.face(PROBE), half))
                told.setdefault(answer, []).append(f"{name} at {half}")
        for half in "ab":
            used = forger.face(PROBE)
            outcome = await forger.each([used], [used])
            assert all(isinstance(one, Answer) for one in outcome)
            answer = await reply(site, half, gallery, forger.buffers(used, half))
            told.setdefault(answer, []).append(f"a used nonce at {half}")
        assert list(told) == [(WarrantRefused.slug, str(WarrantRefused()), next(iter(told))[2])], told
        for half in "ab":
            after = spent(site, half)
            assert dict(after[:-1])["probes"] == dict(before[half][:-1])["probes"] + 2
            assert after[-1][0] == before[half][-1][0] + 2


async def test_a_good_question_is_answered_whatever_its_probe(tmp_path: Path) -> None:
    """The control: what is spoilt above is good before."""
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        forger = Forger(site, gallery)
        for length in (120, 127):
            face = forger.face(np.frombuffer(of_length(length)(b""), np.int8))
            answers = await forger.ask([face], [face])
            assert answers[0].meta == answers[1].meta


async def test_a_nonce_is_used_once_also_by_the_vaults_next_process(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        forger = Forger(site, gallery)
        face = forger.face(PROBE)
        raw = {half: forger.buffers(face, half) for half in "ab"}
        await forger.ask([face], [face])
        for half in "ab":
            assert (await reply(site, half, gallery, raw[half]))[0] == "warrant-refused"
            await site.restart(VAULTS[half])
            assert (await reply(site, half, gallery, raw[half]))[0] == "warrant-refused"


async def test_a_batch_costs_its_faces_at_both_vaults_and_the_hour_gives_them_back(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery(probes_per_hour=70)
        await site.enrol(gallery, site.sight.person())
        site.clock.move(3600 - site.clock.now() % 3600)
        crowd = site.sight.paint(*(PaintedFace(site.sight.person()) for _ in range(64)))
        answers = await site.house.identifier.identify(gallery, crowd, ASKER)
        assert len(answers) == 64
        for half in "ab":
            assert ("probes", 64) in spent(site, half)
        with pytest.raises(WarrantRefused):
            await site.house.identifier.identify(gallery, crowd, ASKER)
        for _ in range(6):
            await site.found(gallery, site.sight.person())
        with pytest.raises(WarrantRefused):
            await site.found(gallery, site.sight.person())
        site.clock.move(3600)
        assert len(await site.house.identifier.identify(gallery, crowd, ASKER)) == 64


async def test_the_other_vault_is_told_at_once_when_b_refuses(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        forger = Forger(site, gallery)
        good, bad = forger.face(PROBE), forger.face(PROBE)
        bad.warrant = replace(bad.warrant, purpose="curiosity")
        began = asyncio.get_running_loop().time()
        at_a, at_b = await forger.each([good], [bad])
        assert isinstance(at_b, WarrantRefused)
        assert isinstance(at_a, Refusal)
        assert asyncio.get_running_loop().time() - began < 2


async def test_the_other_vault_is_told_at_once_when_b_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError

    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        forger = Forger(site, gallery)
        monkeypatch.setattr(site.vault_b._questions, "scan", fails)
        face = forger.face(PROBE)
        began = asyncio.get_running_loop().time()
        outcomes = await forger.each([face], [face])
        assert all(isinstance(one, Unavailable) for one in outcomes)
        assert asyncio.get_running_loop().time() - began < 2


async def test_a_verification_is_for_its_blocks_only(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        await site.enrol(gallery, site.sight.person())
        forger = Forger(site, gallery)

        def face(target: bytes) -> Face:
            made = forger.face(PROBE)
            made.warrant = replace(made.warrant, act=Act.VERIFY, target=target)
            return made

        good = face(of_blocks([0]))
        await forger.ask([good], [good], blocks=[0])
        for target, blocks in ((of_blocks([0]), [0, 0]), (of_blocks([1]), [0]), (bytes(32), [0]), (of_blocks([]), [0])):
            for half in "ab":
                told = await reply(site, half, gallery, forger.buffers(face(target), half), blocks=blocks)
                assert told[0] == "warrant-refused"
