"""Signed notes with a signature that says it is of a known key, and is not (c2sp.org/signed-note)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.errors import Unverified
from moiety.tlog.checkpoints import Checkpoint, cosign, cosigned_at, opened
from moiety.tlog.notes import Algorithm, Note, Signature, VerifierKey, sign

LOG, WITNESS, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2, 3))
TEXT = Checkpoint("example.org/log", 7, bytes(32)).text()


def known(name: str, key: Ed25519PrivateKey, algorithm: Algorithm = Algorithm.ED25519) -> VerifierKey:
    return VerifierKey(name, algorithm, key.public_key().public_bytes_raw())


KEY = known("example.org/log", LOG)
SEES = known("example.org/witness", WITNESS, Algorithm.COSIGNATURE)
GOOD, SEEN = sign(TEXT, KEY.name, LOG), cosign(TEXT, SEES.name, WITNESS, 1_800_000_000)


def spoilt(good: Signature) -> tuple[Signature, ...]:
    """Name the key, and hold something else: of another text, by another key, too short, altered."""
    return (
        replace(good, raw=bytes(len(good.raw))),
        replace(good, raw=good.raw[:-1]),
        replace(good, raw=bytes([good.raw[0] ^ 1]) + good.raw[1:]),
    )


@pytest.mark.parametrize("wrong", spoilt(GOOD))
def test_a_wrong_signature_of_a_known_key_fails_the_note_also_beside_a_right_one(wrong: Signature) -> None:
    for signatures in ((wrong,), (GOOD, wrong), (wrong, GOOD)):
        note = Note.parse(Note(TEXT, signatures).encode())
        with pytest.raises(Unverified, match="known key"):
            opened(note, KEY)


@pytest.mark.parametrize("wrong", spoilt(SEEN))
def test_so_does_a_wrong_one_of_a_known_witness(wrong: Signature) -> None:
    for signatures in ((GOOD, wrong), (GOOD, SEEN, wrong), (GOOD, wrong, SEEN)):
        with pytest.raises(Unverified, match="known key"):
            cosigned_at(TEXT, signatures, SEES)


def test_signatures_of_keys_that_are_not_known_are_ignored_whatever_they_are() -> None:
    strangers = (
        replace(spoilt(GOOD)[0], key_id=b"else"),
        replace(spoilt(GOOD)[0], name="example.org/other"),
        sign(TEXT, KEY.name, OTHER),
        cosign(TEXT, SEES.name, OTHER, 5),
    )
    note = Note.parse(Note(TEXT, (*strangers, GOOD, SEEN)).encode())
    assert opened(note, KEY).size == 7
    assert cosigned_at(TEXT, note.signatures, SEES) == 1_800_000_000
    assert cosigned_at(TEXT, strangers, SEES) is None
    with pytest.raises(Unverified, match="does not bear"):
        opened(Note(TEXT, strangers), KEY)
