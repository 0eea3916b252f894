"""Forms are taken apart in memory, and whatever is not a whole form is refused."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.api.forms import PARTS_MAX, parse_form, read_form
from moiety.foundation.errors import BadInput, ImageTooLarge

TYPE = "multipart/form-data; boundary=b"


def form(*parts: bytes) -> bytes:
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def part(name: bytes, value: bytes) -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"; filename="x"\r\n\r\n' + value


@given(image=st.binary(max_size=3000), text=st.text(max_size=200))
def test_what_a_client_packs_comes_out_as_it_was(image: bytes, text: str) -> None:
    sent = httpx.Request("POST", "http://localhost", data={"reason": text}, files={"image": ("x", image)})
    found = read_form(sent.headers["content-type"], sent.read(), frozenset({"image"}), 4000, 4000)
    # A form carries line ends as CRLF or as they were (RFC 7578, section 4.2): httpx leaves them.
    assert found == {"image": image, "reason": text}


@given(cut=st.integers(0, 80))
def test_a_form_that_is_cut_short_is_refused(cut: int) -> None:
    whole = form(part(b"image", b"0123456789"))
    ends = len(whole) - len(b"\r\n")
    if cut < ends:
        with pytest.raises(BadInput):
            parse_form(TYPE, whole[:cut])
    else:
        assert parse_form(TYPE, whole[:cut]) == {"image": b"0123456789"}


@given(noise=st.binary(max_size=300))
def test_noise_is_refused_or_read_and_never_breaks(noise: bytes) -> None:
    try:
        found = parse_form(TYPE, b"--b\r\n" + noise)
    except BadInput:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (TYPE, form(part(b"a", b"1"), part(b"a", b"2"))),
        (TYPE, form(part(b"", b"1"))),
        (TYPE, form(b"Content-Disposition: form-data\r\n\r\n1")),
        (TYPE, form(*(part(b"%d" % i, b"") for i in range(PARTS_MAX + 1)))),
        (TYPE, b""),
        ("multipart/form-data", form(part(b"a", b"1"))),
        ("multipart/form-data; boundary=" + "x" * 300, form(part(b"a", b"1"))),
    ],
    ids=["twice", "no name", "nameless", "too many", "empty", "no boundary", "long boundary"],
)
def test_what_is_not_a_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(BadInput):
        parse_form(kind, body)


def test_each_part_has_its_own_limit() -> None:
    pictures = frozenset({"image"})
    with pytest.raises(ImageTooLarge):
        read_form(TYPE, form(part(b"image", b"x" * 11)), pictures, 10, 10)
    with pytest.raises(BadInput):
        read_form(TYPE, form(part(b"reason", b"x" * 11)), pictures, 10, 10)
    with pytest.raises(BadInput):
        read_form(TYPE, form(part(b"reason", b"\xff\xfe")), pictures, 10, 10)
    read = read_form(TYPE, form(part(b"image", b"\xff" * 10), part(b"reason", b"why")), pictures, 10, 10)
    assert read == {"image": b"\xff" * 10, "reason": "why"}
