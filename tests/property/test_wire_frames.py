"""Frames: what is written is read; nothing else is, and sizes are refused before content is read."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.foundation.errors import WireBroken
from moiety.wire import frames
from moiety.wire.frames import BUFFERS_MAX, FRAME_BYTES_MAX, HEADER, MAGIC, META_BYTES_MAX, Frame, Sort, encode
from moiety.wire.kinds import Kind

metas = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
any_frame = st.builds(
    Frame,
    st.sampled_from(Kind),
    st.sampled_from(Sort),
    st.integers(0, 2**64 - 1),
    metas,
    st.lists(st.binary(max_size=50), max_size=5),
)


def read(raw: bytes) -> Frame:
    """Read the first frame of a stream that then ends."""

    async def run() -> Frame:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return await frames.read_frame(reader)

    return asyncio.run(run())


def header(**given_: Any) -> bytes:
    at = {"magic": MAGIC, "kind": Kind.PING, "sort": 0, "id": 1, "meta": 2, "buffers": 0} | given_
    return HEADER.pack(*at.values())


@given(any_frame)
def test_a_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert read(b"".join(encode(frame))) == frame


@given(st.lists(any_frame, min_size=2, max_size=4))
def test_frames_follow_each_other_without_a_gap(written: list[Frame]) -> None:
    async def run() -> list[Frame]:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(piece for frame in written for piece in encode(frame)))
        return [await frames.read_frame(reader) for _ in written]

    assert asyncio.run(run()) == written


@given(any_frame, st.data())
def test_a_frame_cut_short_is_never_taken_for_a_whole_one(frame: Frame, data: st.DataObject) -> None:
    raw = b"".join(encode(frame))
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(asyncio.IncompleteReadError):
        read(raw[:cut])


@given(st.binary(max_size=200))
def test_noise_is_refused_and_never_breaks_the_reader(noise: bytes) -> None:
    with pytest.raises((WireBroken, asyncio.IncompleteReadError)):
        read(noise)


@given(st.binary(min_size=2, max_size=60))
def test_noise_behind_a_good_header_is_a_frame_or_refused(noise: bytes) -> None:
    try:
        frame = read(header(meta=len(noise)) + noise)
    except WireBroken:
        return
    assert json.loads(noise) == frame.meta


@pytest.mark.parametrize(
    "given_",
    [
        {"magic": b"HTTP"},
        {"meta": META_BYTES_MAX + 1},
        {"meta": 2**32 - 1},
        {"buffers": BUFFERS_MAX + 1},
        {"buffers": 2**32 - 1},
    ],
    ids=str,
)
def test_an_impossible_header_is_refused_without_waiting_for_what_it_announces(given_: dict[str, Any]) -> None:
    with pytest.raises(WireBroken):
        read(header(**given_))


@pytest.mark.parametrize("lengths", [[2**32 - 1], [FRAME_BYTES_MAX, 1], [2**31, 2**31]], ids=str)
def test_four_gibibytes_are_refused_before_a_byte_of_them_is_read(lengths: list[int]) -> None:
    raw = header(buffers=len(lengths)) + struct.pack(f">{len(lengths)}I", *lengths)
    with pytest.raises(WireBroken):
        read(raw)


@pytest.mark.parametrize(
    "meta",
    [b"[]", b"1", b'"text"', b"null", b"{", b"\xff\xff", b"[" * 100_000, b'{"a":' * 100_000],
    ids=lambda m: m[:9],
)
def test_meta_that_is_no_object_is_refused(meta: bytes) -> None:
    with pytest.raises(WireBroken):
        read(header(meta=len(meta)) + meta)


@pytest.mark.parametrize("given_", [{"kind": 999}, {"sort": 9}], ids=str)
def test_an_unknown_kind_or_sort_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(WireBroken):
        read(header(**given_) + b"{}")


def test_a_writer_refuses_what_no_reader_would_take() -> None:
    for large in (
        Frame(Kind.PING, meta={"a": "x" * META_BYTES_MAX}),
        Frame(Kind.PING, buffers=[b""] * (BUFFERS_MAX + 1)),
        Frame(Kind.PING, buffers=[memoryview(bytes(1 << 20))] * 257),
    ):
        with pytest.raises(WireBroken):
            encode(large)


def test_arrays_travel_as_their_bytes() -> None:
    words = np.arange(12, dtype=np.uint64).reshape(3, 4)
    assert bytes(read(b"".join(encode(Frame(Kind.ROUND, buffers=[words.data])))).buffers[0]) == words.tobytes()


def test_a_frame_does_not_show_its_content() -> None:
    shown = repr(Frame(Kind.PROBE, meta={"name": "Ann"}, buffers=[b"embedding"]))
    assert "PROBE" in shown
    assert "Ann" not in shown
    assert "embedding" not in shown
