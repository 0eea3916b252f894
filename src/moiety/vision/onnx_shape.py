"""Free the fixed input shape of an ONNX file, without the `onnx` package.

Some exporters freeze the size that a fully convolutional network was traced with (CenterFace: 10 x 3 x 32 x 32).
In the file a fixed dimension is a protobuf varint, tag 0x08 (`dim_value`); an unknown one is a string, tag 0x12
(`dim_param`). Writing an empty string needs two bytes, as a small number does, so the file keeps its length.
Sources: onnx/onnx.proto (field numbers), protobuf encoding guide (tags, varints).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH_DELIMITED: Final = 2
_FIXED_WIDTH: Final = {1: 8, 5: 4}
# ModelProto.graph, GraphProto.input, ValueInfoProto.type, TypeProto.tensor_type, Tensor.shape, TensorShapeProto.dim
_PATH_TO_DIM: Final = (7, 11, 2, 1, 2, 1)
_DIM_VALUE_TAG: Final = 0x08
_EMPTY_DIM_PARAM: Final = b"\x12\x00"
_ONE_BYTE_VARINT: Final = 2
_CHANNEL_AXIS: Final = 1


def free_input_shape(onnx: bytes) -> bytes:
    """Give the same model whose first input takes any batch, height and width; channels stay fixed.

    Raises `BadInput` if the file is not an ONNX model or if a dimension of 128 or more is frozen in it.
    """
    free = bytearray(onnx)
    for axis, (start, end) in enumerate(_dims_of_first_input(onnx)):
        if axis == _CHANNEL_AXIS or not free[start:end] or free[start] != _DIM_VALUE_TAG:
            continue
        if end - start != _ONE_BYTE_VARINT:
            raise BadInput("The model's input size is frozen; export it with a dynamic height and width.")
        free[start:end] = _EMPTY_DIM_PARAM
    return bytes(free)


def _dims_of_first_input(onnx: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the dimensions of the graph's first input."""
    spans = [(0, len(onnx))]
    for field in _PATH_TO_DIM[:-1]:
        spans = [inner for start, end in spans[:1] for number, inner in _fields(onnx, start, end) if number == field]
    if not spans:
        raise BadInput("The file is not an ONNX model.")
    start, end = spans[0]
    return [inner for number, inner in _fields(onnx, start, end) if number == _PATH_TO_DIM[-1]]


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Walk one protobuf message: (field number, byte range of its content)."""
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(data, at, end)
        elif kind == 0:
            _, after = _varint(data, at, end)
            length = after - at
        elif kind in _FIXED_WIDTH:
            length = _FIXED_WIDTH[kind]
        else:
            raise BadInput("The file is not an ONNX model.")
        if at + length > end:
            raise BadInput("The file is not an ONNX model.")
        yield tag >> 3, (at, at + length)
        at += length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Decode a base-128 number; gives it and the place behind it."""
    value = shift = 0
    while at < end and shift < 64:  # noqa: PLR2004 - a varint has at most 64 bits
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            return value, at
    raise BadInput("The file is not an ONNX model.")
