"""The sign test through `Half`: equals plain comparison, in any cut into chunks, and shows nothing of the data."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.foundation.errors import ExchangeAborted
from moiety.kernel import mint_gamma, positions, slice_bits
from moiety.vault import comparison
from moiety.vault.comparison import ROUNDS, Half, Room, Rooms, Span, spans
from moiety.vault.transcript import Transcript, exchange_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

KEY_A, KEY_B, KEY, SID = b"a" * 32, b"b" * 32, b"k" * 32, b"s" * 32
SCORE_MAX = 127 * 127


@dataclass(frozen=True, slots=True)
class Ran:
    """What both parties and the gate have seen of one comparison."""

    share_a: NDArray[np.uint64]
    share_b: NDArray[np.uint64]
    messages: list[bytes]
    transcripts: tuple[bytes, bytes]

    def hits(self, lines: int, count: int) -> list[list[int]]:
        """Read the gate's bits, line by line."""
        joined = (self.share_a ^ self.share_b).reshape(-1, lines).T
        return [positions(np.ascontiguousarray(line), count).tolist() for line in joined]


def planes_of(party: str, partial: NDArray[np.uint16], thresholds: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Slice partial scores u16[k, m] into u64[16, blocks, k]."""
    lines, count = partial.shape
    padded = np.zeros((lines, -(-count // 64) * 64), np.uint16)
    padded[:, :count] = partial
    if party == "A":
        padded -= thresholds.astype(np.uint16)[:, None]
    sliced = slice_bits(padded.reshape(-1)).reshape(16, lines, -1)
    return np.ascontiguousarray(sliced.transpose(0, 2, 1))


def run(
    planes_a: NDArray[np.uint64],
    planes_b: NDArray[np.uint64],
    sid: bytes = SID,
    flip: Callable[[int, int, bytes], bytes] | None = None,
) -> Ran:
    """Run all chunks; `flip` may alter what reaches B (chunk, round, message)."""
    shares: tuple[list[NDArray[np.uint64]], list[NDArray[np.uint64]]] = ([], [])
    messages, seen = [], []
    _, blocks, lines = planes_a.shape
    rooms = Rooms(dealt=False), Rooms(dealt=True)
    for index, span in enumerate(spans(lines, blocks)):
        with rooms[0].lent(span.words) as room_a, rooms[1].lent(span.words) as room_b:
            a = Half("A", KEY_A, sid, span, room_a, Transcript(KEY, index))
            b = Half("B", KEY_B, sid, span, room_b, Transcript(KEY, index))
            a.planes[:] = planes_a[:, span.low : span.high].reshape(16, -1)
            b.planes[:] = planes_b[:, span.low : span.high].reshape(16, -1)
            for bit in range(ROUNDS):
                mint_gamma(KEY_A, KEY_B, sid, bit, span.words, span.first, b.gammas[bit])
            for number in range(ROUNDS):
                from_a, from_b = bytes(a.send(number)), bytes(b.send(number))
                messages += [from_a, from_b]
                b.receive(flip(index, number, from_a) if flip else from_a)
                a.receive(from_b)
            shares[0].append(a.share().reshape(-1).copy())
            shares[1].append(b.share().reshape(-1).copy())
            seen.append((a.digest(), b.digest()))
    joined = (b"".join(one for one, _ in seen), b"".join(other for _, other in seen))
    nothing = np.empty(0, np.uint64)
    return Ran(np.concatenate([nothing, *shares[0]]), np.concatenate([nothing, *shares[1]]), messages, joined)


def shared(scores: NDArray[np.int64], seed: int = 1) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Share scores at random: u_A + u_B = s in the ring."""
    u_b = np.random.default_rng(seed).integers(0, 2**16, scores.shape, np.uint16)
    return (scores.astype(np.int16).view(np.uint16) - u_b).astype(np.uint16), u_b


def compare(scores: NDArray[np.int64], thresholds: list[int], seed: int = 1) -> Ran:
    u_a, u_b = shared(scores, seed)
    given = np.array(thresholds, np.uint16)
    return run(planes_of("A", u_a, given), planes_of("B", u_b, given))


def plain(scores: NDArray[np.int64], thresholds: list[int]) -> list[list[int]]:
    return [np.flatnonzero(line >= t).tolist() for line, t in zip(scores, thresholds, strict=True)]


def test_a_million_comparisons_in_many_chunks_are_those_of_plain_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "CHUNK_WORDS", 1024)
    lines, count = 11, 100_003
    thresholds = [0, 1, 3200, 6646, 9000, 12_000, 16_128, SCORE_MAX, 5000, 7, 8191]
    scores = np.random.default_rng(5).integers(-SCORE_MAX, SCORE_MAX + 1, (lines, count))
    for line, threshold in zip(scores, thresholds, strict=True):
        line[:7] = np.clip(threshold + np.arange(-3, 4), -SCORE_MAX, SCORE_MAX)
        line[-2:] = -SCORE_MAX, SCORE_MAX
    assert scores.size >= 1_000_000
    assert compare(scores, thresholds).hits(lines, count) == plain(scores, thresholds)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 127, 128, 129, 511, 512, 513])
@pytest.mark.parametrize("chunk", [3, 9, 32_768])
def test_any_number_of_rows_in_any_cut(count: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "CHUNK_WORDS", chunk)
    monkeypatch.setattr(comparison, "SMALL_WORDS", chunk)
    thresholds = [4000, 0, SCORE_MAX]
    scores = np.random.default_rng(count).integers(-SCORE_MAX, SCORE_MAX + 1, (3, count))
    scores[:, -1] = thresholds
    assert compare(scores, thresholds).hits(3, count) == plain(scores, thresholds)


def test_no_rows_are_no_words() -> None:
    assert spans(3, 0) == []
    assert compare(np.empty((3, 0), np.int64), [0, 1, 2]).messages == []


@pytest.mark.parametrize(("lines", "blocks"), [(1, 1), (1, 39_063), (7, 40_000), (64, 3125), (768, 64), (40_000, 2)])
def test_chunks_cover_all_blocks_once_with_words_of_their_own(lines: int, blocks: int) -> None:
    found = spans(lines, blocks)
    assert [block for one in found for block in range(one.low, one.high)] == list(range(blocks))
    assert all(one.first % 8 == 0 for one in found)
    assert all(one.first + one.words <= after.first for one, after in itertools.pairwise(found))
    assert all(one.words <= max(comparison.CHUNK_WORDS, lines) for one in found)


def test_a_small_question_is_one_chunk_and_a_middling_one_a_few() -> None:
    assert len(spans(1, 2048)) == 1
    assert len(spans(64, 32)) == 1
    assert len(spans(1, 39_063)) == 4
    assert len(spans(64, 39_063)) == 77


def test_what_travels_has_the_same_size_whatever_the_data() -> None:
    sizes = set()
    for scores in (np.zeros((1, 200), np.int64), np.full((1, 200), SCORE_MAX), np.full((1, 200), -SCORE_MAX)):
        sizes.add(tuple(len(message) for message in compare(scores, [6000]).messages))
    words = -(-200 // 64)
    assert sizes == {(8 * words, 8 * words) + (16 * words,) * (2 * (ROUNDS - 1))}


def ones(words: NDArray[np.uint64]) -> float:
    """How far the share of one-bits lies from a half, in standard deviations."""
    bits = np.unpackbits(words.view(np.uint8))
    return float(abs(bits.mean() - 0.5) * 2 * np.sqrt(len(bits)))


@pytest.mark.parametrize("score", [SCORE_MAX, -SCORE_MAX, 6000, 5999])
def test_each_share_of_the_answer_and_each_opened_word_is_uniform(score: int) -> None:
    """The scores are all the same, so whatever shows them would show as a bias (5 sigma: p < 1e-6)."""
    ran = compare(np.full((1, 64 * 2000), score), [6000])
    assert ones(ran.share_a) < 5
    assert ones(ran.share_b) < 5
    assert len(ran.hits(1, 64 * 2000)[0]) == (64 * 2000 if score >= 6000 else 0)
    for from_a, from_b in zip(ran.messages[::2], ran.messages[1::2], strict=True):
        opened = np.frombuffer(from_a, np.uint64) ^ np.frombuffer(from_b, np.uint64)
        for words in (np.frombuffer(from_a, np.uint64), np.frombuffer(from_b, np.uint64), opened):
            assert ones(words) < 5


def test_flipped_bits_change_answers_and_the_transcripts_differ() -> None:
    """The control for the check at the end: what it compares differs just when an answer may be wrong."""
    scores = np.random.default_rng(2).integers(-SCORE_MAX, SCORE_MAX + 1, (1, 640))
    u_a, u_b = shared(scores)
    threshold = np.array([6000], np.uint16)
    planes = planes_of("A", u_a, threshold), planes_of("B", u_b, threshold)
    good = run(*planes)
    assert good.transcripts[0] == good.transcripts[1]
    wrong = 0
    for number in range(ROUNDS):

        def flip(_: int, at: int, message: bytes, wanted: int = number) -> bytes:
            return bytes(byte ^ 0xFF for byte in message) if at == wanted else message

        bad = run(*planes, flip=flip)
        assert bad.transcripts[0] != bad.transcripts[1]
        wrong += bad.hits(1, 640) != good.hits(1, 640)
    assert wrong >= ROUNDS // 2, "flips that change no answer would make the control worthless"


def test_the_same_question_under_another_sid_looks_like_another() -> None:
    u_a, u_b = shared(np.full((1, 640), 7000))
    planes = planes_of("A", u_a, np.array([6000])), planes_of("B", u_b, np.array([6000]))
    one, other = run(*planes, sid=b"1" * 32), run(*planes, sid=b"2" * 32)
    assert one.hits(1, 640) == other.hits(1, 640)
    assert not set(one.messages) & set(other.messages)
    assert not np.array_equal(one.share_a, other.share_a)


# ---- a party that does not keep to the rounds ----


def half(party: str = "A") -> Half:
    made = Half(
        "A" if party == "A" else "B", KEY_A, SID, Span(0, 0, 8, 1), Room(8, dealt=party == "B"), Transcript(KEY, 0)
    )
    made.planes[:] = 0
    return made


def test_rounds_come_in_order_and_once() -> None:
    one = half()
    with pytest.raises(ExchangeAborted):
        one.send(1)
    one.send(0)
    with pytest.raises(ExchangeAborted):
        one.send(0)
    one.receive(bytes(64))
    with pytest.raises(ExchangeAborted):
        one.send(0)
    with pytest.raises(ExchangeAborted):
        one.receive(bytes(128))
    with pytest.raises(ExchangeAborted):
        one.share()


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_message_of_another_size_ends_it(size: int) -> None:
    one = half()
    one.send(0)
    with pytest.raises(ExchangeAborted):
        one.receive(bytes(size))


def test_there_is_no_sixteenth_round() -> None:
    one = half()
    for number in range(ROUNDS):
        one.send(number)
        one.receive(bytes(64 if number == 0 else 128))
    one.share()
    with pytest.raises(ExchangeAborted):
        one.send(ROUNDS)


# ---- what both have seen ----


def test_a_tag_depends_on_the_message_its_place_and_the_exchange() -> None:
    message = memoryview(bytes(range(64)))

    def tag(key: bytes = KEY, chunk: int = 0, number: int = 0, sender: Any = "A", said: memoryview = message) -> bytes:
        one = Transcript(key, chunk)
        one.add(number, sender, said)
        return one.digest()

    others = [
        tag(key=exchange_key(KEY, SID)),
        tag(key=exchange_key(KEY, KEY)),
        tag(chunk=1),
        tag(number=1),
        tag(sender="B"),
        tag(said=message[:63]),
        tag(said=memoryview(bytes(64))),
        Transcript(KEY, 0).digest(),
    ]
    assert tag() == tag()
    assert len({tag(), *others}) == len(others) + 1
