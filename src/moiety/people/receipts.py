"""Receipts of erasures: ids, counts and times under the gate's signature, and nothing about the person.

Anybody can check one without this installation: it names the key, and `moiety receipt verify` compares that with the
gate's card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import Unverified
from moiety.foundation.ids import new_id
from moiety.storage.person_records import KeptReceipt

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, SubjectId
    from moiety.matching.desk import Desk
    from moiety.storage import Transaction

PERSON: Final = "person-erased"
FACE: Final = "face-erased"


@dataclass(frozen=True, slots=True)
class Gone:
    """What was erased; `fields` is None where only the face went."""

    photos: int = 0
    own_templates: int = 0
    fields: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt as it is handed out: the exact signed text, the signature and the gate's public key."""

    FORM: ClassVar[str] = "moiety/receipt/1"
    KEYS: ClassVar[frozenset[str]] = frozenset(
        {"moiety", "id", "tenant", "gallery", "subject", "act", "photos", "own_templates", "fields", "at"}
    )
    BAD: ClassVar[str] = "This is no receipt, or it was altered."

    document: str
    signature: bytes
    key: bytes

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Read what `as_json` wrote.

        Raises:
            Unverified: it is no receipt.

        """
        try:
            told = json.loads(text)
            return cls(str(told["document"]), bytes.fromhex(told["signature"]), bytes.fromhex(told["key"]))
        except (ValueError, TypeError, KeyError):
            raise Unverified(cls.BAD) from None

    def as_json(self) -> dict[str, str]:
        """Give it for a file."""
        return {"document": self.document, "signature": self.signature.hex(), "key": self.key.hex()}

    @classmethod
    def signed(cls, document: str) -> bytes:
        """Give the bytes that are signed."""
        return pack(cls.FORM, document)

    def verify(self) -> dict[str, Any]:
        """Check the signature by the key that the receipt names, and give what was signed.

        Raises:
            Unverified: it does not hold.

        """
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(self.signature, self.signed(self.document))
            told = json.loads(self.document)
        except (InvalidSignature, ValueError):
            raise Unverified(self.BAD) from None
        if not isinstance(told, dict) or set(told) != self.KEYS or told["moiety"] != self.FORM:
            raise Unverified(self.BAD)
        return told


def issue(desk: Desk, tx: Transaction, gallery: GalleryId, subject: SubjectId, gone: Gone) -> None:
    """Sign for an erasure, in its own transaction."""
    told = {
        "moiety": Receipt.FORM,
        "id": new_id("rct"),
        "tenant": desk.tenant,
        "gallery": gallery,
        "subject": subject,
        "act": FACE if gone.fields is None else PERSON,
        "photos": gone.photos,
        "own_templates": gone.own_templates,
        "fields": gone.fields or 0,
        "at": datetime.fromtimestamp(int(desk.clock.now()), UTC).isoformat(),
    }
    document = json.dumps(told, sort_keys=True, separators=(",", ":"))
    signature = desk.secrets.service.sign(Receipt.signed(document))
    tx.receipts.put(KeptReceipt(str(told["id"]), subject, gallery, document, signature))


def handed_out(desk: Desk, kept: KeptReceipt) -> Receipt:
    """Give a kept receipt with the key by which it is checked."""
    return Receipt(kept.document, kept.signature, desk.secrets.service.public_key().public_bytes_raw())
