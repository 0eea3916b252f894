"""Freeing the input shape, on a hand-made model file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.foundation.errors import BadInput
from moiety.vision.onnx_shape import free_input_shape


def field(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([number << 3 | 2, len(body)]) + body


def model(*dims: bytes, before: bytes = b"") -> bytes:
    """ModelProto{graph{input{name, type{tensor_type{elem_type, shape{dim...}}}}}} and a second input behind it."""
    shape = b"".join(field(1, dim) for dim in dims)
    value = field(1, b"image") + field(2, field(1, b"\x08\x01" + field(2, shape)))
    other = field(1, b"other") + field(2, field(1, b"\x08\x01" + field(2, field(1, b"\x08\x05"))))
    return before + field(7, field(2, b"g") + field(11, value) + field(11, other))


def test_all_but_the_channels_are_freed() -> None:
    fixed = model(b"\x08\x0a", b"\x08\x03", b"\x08\x20", b"\x08\x20")
    assert free_input_shape(fixed) == model(b"\x12\x00", b"\x08\x03", b"\x12\x00", b"\x12\x00")


def test_what_is_free_already_stays() -> None:
    free = model(b"\x12\x01N", b"\x08\x03", b"", b"\x12\x01W", before=b"\x08\x07" + bytes([5 << 3 | 1]) + bytes(8))
    assert free_input_shape(free) == free


def test_a_size_of_two_bytes_is_refused() -> None:
    with pytest.raises(BadInput, match="frozen"):
        free_input_shape(model(b"\x08\x01", b"\x08\x03", b"\x08\xe0\x01", b"\x08\xe0\x01"))


@pytest.mark.parametrize("junk", [b"", b"\x00", b"\xff" * 40, b"\x3a\x7f", b"\x0b\x0c", b"\x08\x01", b"\x3a\x00"])
def test_other_files_are_refused(junk: bytes) -> None:
    with pytest.raises(BadInput, match="not an ONNX"):
        free_input_shape(junk)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(junk: bytes) -> None:
    try:
        assert len(free_input_shape(junk)) == len(junk)
    except BadInput as refusal:
        assert "ONNX" in str(refusal) or "frozen" in str(refusal)  # noqa: PT017 - either answer is right here
