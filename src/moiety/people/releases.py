"""Written releases: a drawn signature or a passkey's assertion, checked before it is kept."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput, Unverified
from moiety.warrants.passkeys import check_assertion, registered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.warrants.proofs import Assertion

DRAWN: Final = "drawn"
PASSKEY: Final = "passkey"
POINTS_MIN: Final = 8
POINTS_MAX: Final = 6000
PNG: Final = b"\x89PNG\r\n\x1a\n"
PNG_BYTES_MAX: Final = 40_000
# A few kilobytes of white may stand for gigabytes in the memory of whoever draws them.
PNG_PIXELS_MAX: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Wording:
    """What is consented to: where, who, which notice, what for, until when (whole seconds since 1970)."""

    tenant: str
    gallery: str
    subject: str
    notice: str
    purpose: str
    ends: int

    def digest(self) -> bytes:
        """Give the SHA-256 that a passkey signs as its challenge."""
        parts = (self.tenant, self.gallery, self.subject, self.notice, self.purpose, self.ends)
        return hashlib.sha256(pack("moiety/consent/1", *parts)).digest()


def _is_picture(raw: bytes) -> bool:
    """Whether it is a small PNG that can be drawn; its size is looked at before a pixel is."""
    if not raw.startswith(PNG) or len(raw) > PNG_BYTES_MAX:
        return False
    try:
        with Image.open(io.BytesIO(raw), formats=["PNG"]) as shown:
            small = shown.width * shown.height <= PNG_PIXELS_MAX
            if small:
                shown.load()
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return False
    return small


@dataclass(frozen=True, slots=True, repr=False)
class Drawn:
    """A signature drawn on a screen or a pad: lines of points (x, y) as whole numbers, or a small PNG of one."""

    name: str
    strokes: Sequence[Sequence[tuple[int, int]]] = ()
    png: bytes = b""

    kind = DRAWN

    def check(self, wording: Wording) -> dict[str, Any]:
        """Give what is sealed.

        Raises:
            BadInput: there is too little or too much of it.

        """
        points = sum(len(stroke) for stroke in self.strokes)
        if bool(self.strokes) == bool(self.png):
            raise BadInput("A release is signed by drawn lines or by a picture of them.")
        if self.strokes and not POINTS_MIN <= points <= POINTS_MAX:
            raise BadInput(f"A drawn signature has {POINTS_MIN} to {POINTS_MAX} points.")
        if self.png and not _is_picture(self.png):
            raise BadInput(f"A picture of a signature is a PNG of at most {PNG_BYTES_MAX // 1000} kB and 4 megapixels.")
        drawn = {"strokes": [list(map(list, stroke)) for stroke in self.strokes]}
        shown = {"png": base64.b64encode(self.png).decode()} if self.png else drawn
        return {"kind": DRAWN, "signed_by": self.name, "wording": wording.digest().hex(), **shown}


@dataclass(frozen=True, slots=True, repr=False)
class ByPasskey:
    """A passkey's registration and its assertion over the wording; `page` is the rp id and origin it was made for."""

    name: str
    registration: bytes
    assertion: Assertion
    page: tuple[str, str]

    kind = PASSKEY

    def check(self, wording: Wording) -> dict[str, Any]:
        """Give what is sealed.

        Raises:
            BadInput: the assertion does not hold, or is over another wording.

        """
        rp_id, origin = self.page
        try:
            key = registered(self.registration, rp_id)
            check_assertion(self.assertion, key, wording.digest(), rp_id, origin)
        except Unverified:
            raise BadInput("This passkey's release does not hold for what is consented to.") from None
        parts = {
            "credential": key.credential,
            "key": key.key,
            "client_data": self.assertion.client_data,
            "authenticator_data": self.assertion.authenticator_data,
            "signature": self.assertion.signature,
        }
        told = {name: base64.b64encode(raw).decode() for name, raw in parts.items()}
        return {"kind": PASSKEY, "signed_by": self.name, "wording": wording.digest().hex(), **told}


def sealable(told: dict[str, Any]) -> tuple[str, bytes]:
    """Give the text that is sealed, and its hash, which random bytes keep from being guessed."""
    text = json.dumps(told | {"salt": os.urandom(32).hex()}, sort_keys=True, separators=(",", ":"))
    return text, hashlib.sha256(text.encode()).digest()
