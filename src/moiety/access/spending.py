"""Using up an approval in the transaction of its act: once, by who proposed it, for exactly its lines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.access.callers import OWNER
from moiety.foundation.errors import NotApproved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moiety.access.approvals import Approvals
    from moiety.access.callers import Caller
    from moiety.access.kinds import Kind
    from moiety.access.staff import Staff
    from moiety.foundation.ids import ApprovalId, GalleryId
    from moiety.storage import Transaction

    Spend = Callable[[Transaction, Mapping[str, str]], str]

OTHER = "What the second person approved is not exactly this."


@dataclass(frozen=True, slots=True)
class Spending:
    """One approval that a caller shows for an act in a gallery."""

    approvals: Approvals
    caller: Caller
    kind: Kind
    approval_id: ApprovalId
    gallery: GalleryId

    def __call__(self, tx: Transaction, lines: Mapping[str, str]) -> str:
        """Use it up within the act's transaction, if its lines are these and no others; gives who approved.

        Raises:
            NotFound: there is none of this kind, or its time has passed.
            NotApproved: it says something else, or was approved for another gallery.
            Forbidden: the caller did not propose it.
            AlreadyThere: it is not approved, or carried out already.

        """
        content = self.approvals.spend(tx, self.approval_id, self.kind, self.caller)
        said = {fact.name: fact.value for fact in content.facts}
        if said != dict(lines) or content.gallery != self.gallery:
            raise NotApproved(OTHER)
        return tx.approvals.get(self.approval_id).approver or ""


def nobody_else(_: Transaction, __: Mapping[str, str]) -> str:
    """Stand in for an approval while nobody works here who could be the second person."""
    return ""


def by_two(
    staff: Staff,
    caller: Caller,
    kind: Kind,
    approval_id: ApprovalId | None,
    gallery: GalleryId,
    *,
    always: bool = False,
) -> Spend:
    """Give what an act of two people uses up; the owner needs none while nobody works here, unless it is `always`.

    Raises:
        NotApproved: there is no approval.

    """
    if approval_id:
        return Spending(staff.approvals, caller, kind, approval_id, gallery)
    if caller.key_id == OWNER.key_id and not staff.operators.anybody and not always:
        return nobody_else
    raise NotApproved


def by_two_if_shown(
    staff: Staff, caller: Caller, kind: Kind, approval_id: ApprovalId | None, gallery: GalleryId
) -> Spend | None:
    """Give the same for an act that asks for two in some cases only; None where one person alone is at it."""
    with suppress(NotApproved):
        return by_two(staff, caller, kind, approval_id, gallery)
    return None
