"""Signed notes (c2sp.org/signed-note): a text, an empty line, and signature lines; and the verifier keys of signers.

A verifier key is written `name+id+key`: the id is eight hex digits, the key is base64 of the kind's byte and 32 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.errors import BadInput, Unverified

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOTE_BYTES_MAX = 1 << 16
SIGNATURES_MAX = 64
KEY_ID_BYTES = 4
PUBLIC_BYTES = 32
FORGED = "A signature of the note says that it is of a known key, and is not."
_DASH = "\u2014 "


class Algorithm(IntEnum):
    """What a key signs, and how: the byte that goes into its id."""

    ED25519 = 1
    COSIGNATURE = 4


def plain_base64(text: str) -> bytes:
    """Read base64 that is written in the one canonical way (RFC 4648, section 4).

    Raises:
        Unverified: it is not.

    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unverified("A note holds something that is no base64.") from None
    if base64.b64encode(raw).decode() != text:
        raise Unverified("A note holds something that is no base64.")
    return raw


def _name_fits(name: str) -> bool:
    return bool(name) and "+" not in name and name.isprintable() and not any(letter.isspace() for letter in name)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A signer's name and public key (32 bytes)."""

    name: str
    algorithm: Algorithm
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line names the key."""
        given = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(given).digest()[:KEY_ID_BYTES]

    def encode(self) -> str:
        """Write it as one line."""
        key = base64.b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read what `encode` wrote.

        Raises:
            BadInput: it is no verifier key, or of a kind that is not known here.

        """
        name, _, rest = line.strip().partition("+")
        told, _, key = rest.partition("+")
        try:
            raw = plain_base64(key)
            found = cls(name, Algorithm(raw[0]), raw[1:])
        except (Unverified, ValueError, IndexError):
            raise BadInput(
                "That is no verifier key: a name, eight hex digits and base64, joined by plus signs."
            ) from None
        if len(found.public) != PUBLIC_BYTES or not _name_fits(name) or found.key_id.hex() != told:
            raise BadInput("The verifier key is damaged: its parts do not fit each other.")
        return found

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether a bare Ed25519 signature of 64 bytes is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    raw: bytes

    def of(self, key: VerifierKey) -> bool:
        """Whether it says that it is of this key."""
        return self.name == key.name and hmac.compare_digest(self.key_id, key.key_id)

    def encode(self) -> str:
        """Write it, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.raw).decode()}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read one line without its newline.

        Raises:
            Unverified: it is none.

        """
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        raw = plain_base64(encoded)
        if not line.startswith(_DASH) or not space or not _name_fits(name) or len(raw) <= KEY_ID_BYTES:
            raise Unverified("A signature line of a note is damaged.")
        return cls(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and who signed it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def encode(self) -> bytes:
        """Write the note."""
        return (self.text + "\n" + "".join(one.encode() for one in self.signatures)).encode()

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a note; nothing is verified.

        Raises:
            Unverified: it is none, or too large.

        """
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise Unverified("A note is text in UTF-8.") from None
        text, gap, signed = whole.rpartition("\n\n")
        lines = signed.split("\n")[:-1]
        odd = any(ord(letter) < ord(" ") and letter != "\n" for letter in whole)
        if odd or not gap or not whole.endswith("\n") or len(raw) > NOTE_BYTES_MAX or len(lines) > SIGNATURES_MAX:
            raise Unverified("That is no signed note.")
        return cls(text + "\n", tuple(Signature.parse(line) for line in lines))

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether a log's own key signed it.

        Raises:
            Unverified: a signature says that it is of this key and is not: such a note is refused whole.

        """
        told = [one for one in self.signatures if one.of(key)]
        if not all(key.accepts(self.text.encode(), one.raw) for one in told):
            raise Unverified(FORGED)
        return bool(told) and key.algorithm is Algorithm.ED25519


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    """Sign a note's text with a log's key."""
    verifier = VerifierKey(name, Algorithm.ED25519, key.public_key().public_bytes_raw())
    return Signature(name, verifier.key_id, key.sign(text.encode()))


def signature_lines(raw: bytes) -> tuple[Signature, ...]:
    """Read the signature lines that a witness answered with.

    Raises:
        Unverified: they are none.

    """
    return Note.parse(b"-\n\n" + raw).signatures
