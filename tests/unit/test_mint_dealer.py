"""The mint: the words it deals make the triples true, each sid is dealt once, and impossible questions are refused."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from moiety.foundation.errors import BadInput, ExchangeAborted
from moiety.kernel import triple_words
from moiety.mint import dealer
from moiety.mint.dealer import ROUNDS, WORDS_MAX, Dealer, shared_key
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind

KEYS = b"a" * 32, b"b" * 32
SID = "5a" * 32


async def deal(mint: Dealer, sid: str = SID, first: int = 0, words: int = 16) -> np.ndarray:
    frame = Frame(Kind.DEAL, meta={"sid": sid, "first": first, "words": words})
    answer = await mint.handlers()[Kind.DEAL](frame)
    return np.frombuffer(answer.buffers[0], np.uint64).reshape(ROUNDS, words)


async def test_the_dealt_word_makes_every_triple_true() -> None:
    gammas = await deal(Dealer(*KEYS), words=24, first=8)
    sid = bytes.fromhex(SID)
    for bit in range(ROUNDS):
        a = {tag: triple_words(KEYS[0], sid, bit, tag, 24, 8) for tag in ("alpha", "beta", "gamma")}
        b = {tag: triple_words(KEYS[1], sid, bit, tag, 24, 8) for tag in ("alpha", "beta")}
        gamma = a["gamma"] ^ gammas[bit]
        if bit == 0:
            assert np.array_equal(gamma, a["alpha"] & b["beta"])
        else:
            assert np.array_equal(gamma, (a["alpha"] ^ b["alpha"]) & (a["beta"] ^ b["beta"]))


async def test_a_sid_is_dealt_once() -> None:
    mint = Dealer(*KEYS)
    await deal(mint)
    with pytest.raises(ExchangeAborted):
        await deal(mint)
    with pytest.raises(ExchangeAborted):
        await deal(mint, words=8)
    with pytest.raises(ExchangeAborted):
        await deal(mint, first=8, words=16)  # half of it again
    await deal(mint, first=16)  # another chunk
    await deal(mint, sid="5b" * 32)


async def test_the_mint_forgets_the_oldest_sids_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealer, "REMEMBERED", 3)
    mint = Dealer(*KEYS)
    for number in range(4):
        await deal(mint, sid=f"{number:064x}", words=1)
    for number in (1, 2, 3):
        with pytest.raises(ExchangeAborted):
            await deal(mint, sid=f"{number:064x}", words=1)
    assert len(mint._dealt) == 3


@pytest.mark.parametrize(
    ("sid", "first", "words"),
    [
        ("5a" * 31, 0, 8),
        ("5a" * 33, 0, 8),
        ("", 0, 8),
        (SID, 4, 8),
        (SID, -8, 8),
        (SID, 0, 0),
        (SID, 0, -1),
        (SID, 0, WORDS_MAX + 1),
    ],
)
async def test_an_impossible_chunk_is_refused_and_not_remembered(sid: str, first: int, words: int) -> None:
    mint = Dealer(*KEYS)
    with pytest.raises(BadInput):
        await deal(mint, sid, first, words)
    assert not mint._dealt


def test_each_vault_and_the_mint_compute_the_same_key_and_nobody_else_does() -> None:
    mint, a, b = (X25519PrivateKey.generate() for _ in range(3))
    public = {one: one.public_key().public_bytes_raw() for one in (mint, a, b)}
    of_a = shared_key(mint, public[a], "ten", "a")
    assert of_a == shared_key(a, public[mint], "ten", "a")
    others = {
        shared_key(mint, public[b], "ten", "b"),
        shared_key(mint, public[a], "ten", "b"),
        shared_key(mint, public[a], "other", "a"),
        shared_key(b, public[a], "ten", "a"),
    }
    assert of_a not in others
    assert len(of_a) == 32
