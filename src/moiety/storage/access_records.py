"""What the repositories of operators and approvals hand out: frozen records, cut loose from the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moiety.foundation.ids import ApprovalId, OperatorId


class OperatorState(StrEnum):
    """`invited` until the first passkey is made; a `disabled` one opens nothing."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


class ApprovalState(StrEnum):
    """`open` until a second person has signed, `approved` until it is carried out; the other three are ends."""

    OPEN = "open"
    APPROVED = "approved"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Operator:
    """One person who works here; the name is sealed, `roles` are texts such as `officer@gal_…`.

    Long after the end the name is erased; all else stays.
    """

    id: OperatorId
    state: OperatorState
    name_sealed: bytes | None = field(repr=False)
    roles: tuple[str, ...]
    created_at: float
    disabled_at: float | None


@dataclass(frozen=True, slots=True)
class OperatorPasskey:
    """One passkey of an operator: credential id, public key in COSE form, and the counter that it showed last."""

    credential: bytes
    operator_id: OperatorId
    public_key: bytes = field(repr=False)
    counter: int
    created_at: float


@dataclass(frozen=True, slots=True)
class Approval:
    """One act that two people stand behind; `digest` is the SHA-256 of the sealed content's canonical bytes.

    Some time after its end the content is erased: `content_sealed` is empty then, and all else stays.
    """

    id: ApprovalId
    kind: str
    state: ApprovalState
    proposer: str
    content_sealed: bytes = field(repr=False)
    digest: bytes
    created_at: float
    expires_at: float
    approver: str | None
    signer: bytes | None = field(repr=False)
    signature: bytes | None = field(repr=False)
    decided_at: float | None
