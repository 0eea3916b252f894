"""Sealing what the gate keeps of its own people: names, and the contents of approvals."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from moiety.access.papers import Content
from moiety.foundation.envelopes import KEY_BYTES, pack, seal, unseal
from moiety.foundation.errors import Unverified

if TYPE_CHECKING:
    from moiety.foundation.ids import OperatorId
    from moiety.storage import Approval, Operator


class Sealing:
    """A key of its own for it, derived from a key of the gate; bound to tenant, table, column and row."""

    def __init__(self, gate_key: bytes, tenant: str) -> None:
        """Derive the key from a 32-byte key of the gate that is used for nothing else in this way."""
        self.tenant = tenant
        self._seal = HKDFExpand(SHA256(), KEY_BYTES, b"moiety/staff/seal/1").derive(gate_key)
        self._marks = HKDFExpand(SHA256(), KEY_BYTES, b"moiety/staff/subject/1").derive(gate_key)

    def _bound(self, table: str, column: str, row: str) -> bytes:
        return pack("moiety/staff/1", self.tenant, table, column, row)

    def seal_name(self, operator_id: OperatorId, name: str) -> bytes:
        """Seal an operator's name."""
        return seal(self._seal, name.encode(), self._bound("operator", "name", operator_id))

    def name_of(self, operator: Operator) -> str:
        """Open an operator's name; empty if there is none yet.

        Raises:
            Unverified: it was altered or moved.

        """
        if operator.name_sealed is None:
            return ""
        return unseal(self._seal, operator.name_sealed, self._bound("operator", "name", operator.id)).decode()

    def subject_mark(self, issuer: str, subject: str) -> bytes:
        """Mark somebody whom an organisation's provider names: 32 bytes that say nothing without the gate's key."""
        return hmac.digest(self._marks, pack(self.tenant, issuer, subject), "sha256")

    def seal_content(self, content: Content) -> bytes:
        """Seal what is to be approved."""
        return seal(self._seal, content.encode(), self._bound("approval", "content", content.id))

    def content_of(self, approval: Approval) -> Content:
        """Open what is to be approved; of one whose content is erased, what stands beside it, without lines.

        Raises:
            Unverified: it was altered or moved, or is not what its digest says.

        """
        if not approval.content_sealed:
            times = int(approval.created_at), int(approval.expires_at)
            return Content(self.tenant, approval.id, approval.kind, approval.proposer, "", (), "", b"", *times)
        content = Content.decode(
            unseal(self._seal, approval.content_sealed, self._bound("approval", "content", approval.id))
        )
        if content.digest() != approval.digest or content.kind != approval.kind:
            raise Unverified("An approval's content is not what was proposed.")
        return content
