"""Approvals: what was proposed, what exactly is signed, and carrying it out once."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from moiety.access import Permission
from moiety.access.approvals import Proposal
from moiety.access.device_proofs import from_text, to_text
from moiety.access.kinds import kind_of
from moiety.access.operators import Signed
from moiety.access.papers import Fact
from moiety.api.entrance import Via
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.staff_schemas import (
    ApprovalList,
    ApprovalMaterial,
    ApprovalSeen,
    ApprovalSigned,
    CarriedOut,
    FactSeen,
    KeyProposal,
    ProposalBody,
)
from moiety.api.visits import Here, TheCaller
from moiety.foundation.errors import Forbidden, NotFound
from moiety.foundation.ids import ApprovalId, GalleryId
from moiety.storage import Approval

routes = Routes("approvals")
ONE = "/v1/approvals/{approval}"


async def names_behind(visit: Here, approvals: Sequence[Approval]) -> Mapping[str, str]:
    """Open the names of those who stand behind some approvals, each once."""
    ids = {one.proposer for one in approvals} | {one.approver for one in approvals if one.approver}
    return await asyncio.to_thread(visit.gate.staff.operators.names_of, ids)


async def approval_seen(visit: Here, one: Proposal, names: Mapping[str, str] | None = None) -> ApprovalSeen:
    """Show an approval, with the names of those who stand behind it."""
    content = one.content
    known = await names_behind(visit, [one.approval]) if names is None else names
    return ApprovalSeen(
        id=content.id,
        kind=content.kind,
        state=one.approval.state.value,
        proposer=content.proposer,
        proposer_name=known[content.proposer],
        approver=one.approval.approver,
        approver_name=known.get(one.approval.approver or "", ""),
        gallery=content.gallery,
        facts=[FactSeen(name=fact.name, value=fact.value) for fact in content.facts],
        reason=content.reason,
        digest=one.approval.digest.hex(),
        created_at=moment(content.created),
        expires_at=moment(content.expires),
        sign_at=visit.gate.sign_at,
    )


@routes.add("GET", "/v1/approvals", permission=Permission.APPROVAL_READ, summary="List")
async def list_approvals(visit: Here, caller: TheCaller) -> ApprovalList:
    """List the newest hundred and all that can still be signed; of galleries, those in which the caller works."""
    found = await asyncio.to_thread(visit.gate.staff.approvals.list, caller)
    names = await names_behind(visit, [one.approval for one in found])
    return ApprovalList(approvals=[await approval_seen(visit, one, names) for one in found])


@routes.add(
    "POST", "/v1/approvals", permission=Permission.APPROVAL_READ, body=ProposalBody, status_code=201, summary="Propose"
)
async def propose(body: ProposalBody, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose an act that is carried out where it is needed, with this approval's id."""
    kind = kind_of(body.kind)
    caller.require(kind.proposing, GalleryId(body.gallery) if body.gallery else None)
    facts = [Fact(one.name, one.value) for one in body.facts]
    approvals = visit.gate.staff.approvals
    return await approval_seen(
        visit, await asyncio.to_thread(approvals.propose, kind, caller, facts, body.reason, body.gallery)
    )


@routes.add(
    "POST",
    "/v1/approvals/key",
    permission=Permission.KEY_MANAGE,
    body=KeyProposal,
    status_code=201,
    summary="Propose a key",
)
async def propose_key(body: KeyProposal, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Propose a program's key with scopes that its maker does not hold, such as looking for people."""
    expires_at = visit.gate.house.desk.clock.now() + timedelta(days=body.days).total_seconds()
    acts = visit.gate.staff.acts
    made = await asyncio.to_thread(acts.key, caller, body.name, body.scopes, expires_at, body.reason)
    return await approval_seen(visit, made)


@routes.add("GET", ONE, permission=Permission.APPROVAL_READ, summary="Show")
async def show_approval(approval: str, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Show one."""
    approvals = visit.gate.staff.approvals
    return await approval_seen(visit, await asyncio.to_thread(approvals.get, ApprovalId(approval), caller))


@routes.add("GET", ONE + "/material", permission=Permission.APPROVAL_READ, summary="What is signed")
async def approval_material(approval: str, visit: Here, caller: TheCaller) -> ApprovalMaterial:
    """Give the exact content for the page on which people sign."""
    staff = visit.gate.staff
    found = await asyncio.to_thread(staff.approvals.get, ApprovalId(approval), caller)
    if not found.approval.content_sealed:
        raise NotFound("What this approval said is erased: its time is over, and its digest stays.")
    return ApprovalMaterial(
        moiety="approval/1",
        id=found.content.id,
        content=to_text(found.content.encode()),
        proposer_name=await asyncio.to_thread(staff.operators.name_of, found.content.proposer),
    )


@routes.add(
    "POST", ONE + "/signatures", permission=Permission.APPROVAL_SIGN, body=ApprovalSigned, summary="Hand in a signature"
)
async def sign_approval(approval: str, body: ApprovalSigned, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Take the second person's signature over the exact content."""
    signed = Signed(from_text(body.signer), from_text(body.value))
    approvals = visit.gate.staff.approvals
    return await approval_seen(visit, await asyncio.to_thread(approvals.sign, ApprovalId(approval), signed, caller))


@routes.add("POST", ONE + "/confirm", permission=Permission.APPROVAL_SIGN, summary="Confirm as the machine's owner")
async def confirm_approval(approval: str, visit: Here) -> ApprovalSeen:
    """Approve as the owner of the machine, while nobody else could: a single operator needs a second to begin with."""
    if visit.visitor is None or visit.visitor.via is not Via.RUN:
        raise Forbidden("Only the owner of the data folder confirms; run `moiety approval confirm` there.")
    approvals = visit.gate.staff.approvals
    return await approval_seen(visit, await asyncio.to_thread(approvals.confirm, ApprovalId(approval)))


@routes.add("POST", ONE + "/carry-out", permission=Permission.APPROVAL_SIGN, summary="Carry out")
async def carry_out(approval: str, visit: Here, caller: TheCaller) -> CarriedOut:
    """Do what was approved, once, at the word of whoever proposed it."""
    approvals = visit.gate.staff.approvals
    done, result = await asyncio.to_thread(approvals.carry_out, ApprovalId(approval), caller)
    return CarriedOut(approval=await approval_seen(visit, done), result=dict(result))


@routes.add("DELETE", ONE, permission=Permission.APPROVAL_SIGN, summary="Withdraw or refuse")
async def end_approval(approval: str, visit: Here, caller: TheCaller) -> ApprovalSeen:
    """Withdraw one's own proposal, or refuse another's that one could sign."""
    approvals = visit.gate.staff.approvals
    return await approval_seen(visit, await asyncio.to_thread(approvals.end, ApprovalId(approval), caller))
