"""Array types, and the checks at the door: compiled code reads raw memory, so nothing unchecked may reach it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from moiety.kernel.errors import ShapeRule

I8: TypeAlias = npt.NDArray[np.int8]
U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]

SEED_BYTES = 32
WORD_BITS = 64
BLOCK_WORDS = 8  # u64 words in one ChaCha20 block
_U64 = np.dtype(np.uint64)
_PLANES_NDIM = 2
BLOCKS_MAX = 1 << 32  # RFC 8439 counts blocks in 32 bits


def words_for(bits: int) -> int:
    """Return how many u64 words hold `bits` bits."""
    return -(-bits // WORD_BITS)


def given(name: str, array: npt.NDArray[Any], dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    """Return an input as C-contiguous and aligned (copied only if it was not); `None` in `shape` takes any length.

    Raises `ShapeRule` when dtype or shape differ; dtypes are never converted.
    """
    _check(name, array, dtype, shape)
    return laid(array)


def laid(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an array as C-contiguous and aligned, itself if it is."""
    return array if array.flags.c_contiguous and array.flags.aligned else np.require(array, requirements=["C", "A"])


def target(name: str, array: npt.NDArray[Any] | None, dtype: type[np.generic], shape: tuple[int, ...]) -> Any:
    """Return the array to write into: `array` when it fits exactly, a fresh one for `None`.

    Raises `ShapeRule` when dtype, shape or layout differ or the array is read-only.
    """
    if array is None:
        return np.empty(shape, dtype)
    _check(name, array, dtype, shape)
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise ShapeRule(f"{name} must be C-contiguous, aligned and writeable")
    return array


def same_words(*inputs: U64, out: U64 | None) -> list[Any]:
    """Return the inputs and then the target, all u64 of the first input's length; raises `ShapeRule`."""
    shape = (inputs[0].size,)
    return [*(given("words", words, np.uint64, shape) for words in inputs), target("out", out, np.uint64, shape)]


def rounds_given(bit: int, planes: U64, work: U64, theirs: U64 | None, gamma: U64 | None) -> None:
    """Raise `ShapeRule` unless these fit together as the arguments of `advance`."""
    if planes.ndim != _PLANES_NDIM:
        raise ShapeRule("planes are u64[k, w]")
    bits, words = planes.shape
    if not 0 <= bit < bits:
        raise ShapeRule(f"a ring of {bits} bits has no step {bit}")
    if (theirs is None) != (bit == 0):
        raise ShapeRule("a step but the first needs the other's message")
    wanted: list[tuple[U64, tuple[int, ...]]] = [(planes, (bits, words)), (work, (5, words))]
    if theirs is not None:
        wanted.append((theirs, (1 if bit == 1 else 2, words)))
    if gamma is not None:
        wanted.append((gamma, (words,)))
    for array, shape in wanted:
        if array.dtype != _U64 or array.shape != shape:
            raise ShapeRule(f"an array of a step has shape {array.shape} of {array.dtype.name}; wanted u64{shape}")


def positions(words: U64, count: int) -> npt.NDArray[np.int64]:
    """Return the indices below `count` whose bit is 1 in u64 words laid out as by `slice_bits`, ascending, as int64."""
    words = given("words", words, np.uint64, (words_for(count),))
    hit = np.flatnonzero(words)  # among millions of rows few are hits
    bits = np.unpackbits(words[hit].view(np.uint8).reshape(-1, WORD_BITS // 8), axis=1, bitorder="little")
    which, bit = np.nonzero(bits)
    found = hit[which] * WORD_BITS + bit
    return found[found < count].astype(np.int64)


def seed_bytes(seed: bytes) -> U8:
    """Return a 32-byte seed as u8[32]; raises `ShapeRule` for any other length."""
    if len(seed) != SEED_BYTES:
        raise ShapeRule("a seed is 32 bytes")
    return np.frombuffer(seed, np.uint8)


def first_block(first_word: int, words: int) -> int:
    """Return the ChaCha20 block at which `first_word` begins.

    Raises `ShapeRule` unless `first_word` is a multiple of 8 and the stream stays within the 2^32 blocks of a nonce.
    """
    if first_word < 0 or words < 0 or first_word % BLOCK_WORDS:
        raise ShapeRule("a stream is entered at a multiple of 8 words")
    if -(-(first_word + words) // BLOCK_WORDS) > BLOCKS_MAX:
        raise ShapeRule("a stream has at most 2^32 blocks of 64 bytes")
    return first_word // BLOCK_WORDS


def _check(name: str, array: npt.NDArray[Any], dtype: type[np.generic], shape: tuple[int | None, ...]) -> None:
    if array.dtype != np.dtype(dtype):
        raise ShapeRule(f"{name} must be {np.dtype(dtype).name}, not {array.dtype.name}")
    if array.ndim != len(shape) or any(want not in {None, got} for want, got in zip(shape, array.shape, strict=True)):
        raise ShapeRule(f"{name} has shape {array.shape}; wanted {tuple('any' if n is None else n for n in shape)}")
