"""multipart/form-data (RFC 7578) in memory: a probe never touches the disk, not even a temporary file."""

from __future__ import annotations

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from moiety.foundation.errors import BadInput, ImageTooLarge

PARTS_MAX: Final = 16


class _Reader:
    """Collects the parts of one form by name, as the parser reports them."""

    def __init__(self) -> None:
        self.parts: dict[str, bytearray] = {}
        self.ended = False
        self._field = bytearray()
        self._value = bytearray()
        self._named: str | None = None

    def on_part_begin(self) -> None:
        self._named = None
        if len(self.parts) >= PARTS_MAX:
            raise BadInput("The form has too many parts.")

    def on_header_begin(self) -> None:
        self._field.clear()
        self._value.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value).decode("latin-1"))
            self._named = options.get(b"name", b"").decode("latin-1")

    def on_headers_finished(self) -> None:
        if not self._named or self._named in self.parts:
            raise BadInput("Each part of the form has a name of its own.")
        self.parts[self._named] = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[self._named or ""] += memoryview(data)[start:end]

    def on_end(self) -> None:
        self.ended = True


def parse_form(content_type: str, body: bytes) -> dict[str, bytes]:
    """Take a whole form apart: the bytes of each part by its name.

    Raises:
        BadInput: it is not a complete form, or two parts share a name.

    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise BadInput("The form's content type names no boundary.")
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.on_part_begin,
                "on_header_begin": reader.on_header_begin,
                "on_header_field": reader.on_header_field,
                "on_header_value": reader.on_header_value,
                "on_header_end": reader.on_header_end,
                "on_headers_finished": reader.on_headers_finished,
                "on_part_data": reader.on_part_data,
                "on_end": reader.on_end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise BadInput("The form cannot be read.") from None
    if not reader.ended:
        raise BadInput("The form is cut short.")
    return {name: bytes(part) for name, part in reader.parts.items()}


def read_form(
    content_type: str, body: bytes, pictures: frozenset[str], image_bytes: int, text_bytes: int
) -> dict[str, bytes | str]:
    """Take a form apart into `pictures` (bytes) and texts (UTF-8), each within its limit.

    Raises:
        BadInput: it cannot be read, or a text is too long or not UTF-8.
        ImageTooLarge: a picture is larger than `image_bytes`.

    """
    form: dict[str, bytes | str] = {}
    for name, part in parse_form(content_type, body).items():
        if name in pictures:
            if len(part) > image_bytes:
                raise ImageTooLarge(f"The picture is larger than {image_bytes // (1024 * 1024)} MiB.")
            form[name] = part
            continue
        if len(part) > text_bytes:
            raise BadInput("A text of the form is too long.")
        try:
            form[name] = part.decode()
        except UnicodeDecodeError:
            raise BadInput("A text of the form is not UTF-8.") from None
    return form
