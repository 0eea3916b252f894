"""The approvals inbox: what waits for a second person, all that is signed of it, and what became of the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.access.approvals import OWNER_ID, Proposal
from moiety.access.kinds import BULK_EXPORT, KINDS, LEGAL_HOLD, OWN, POLICY, RULES, THRESHOLD
from moiety.api.approvals import approval_seen, names_behind
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.staff_schemas import ApprovalSeen
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.console.proofs import Proof, proof
from moiety.storage import Approval, ApprovalState, LedgerEntry

routes = Routes("approving")

WORDS: Final = {
    "invite": N_("Somebody shall work here"),
    "roles": N_("Other roles for somebody"),
    "recovery": N_("A way back for somebody"),
    "unlock": N_("An account that an alarm locked"),
    "lift": N_("What was stopped shall go on"),
    "key": N_("A key for a program"),
    "policy": N_("What a gallery is used under"),
    "threshold": N_("A lowered threshold of a gallery"),
    "bulk-export": N_("An export of many people"),
    "legal-hold": N_("A legal hold"),
    "rules": N_("A looser rule of a gallery"),
    "case-search": N_("A search in a case"),
}
RELEASE: Final = N_("The end of a legal hold")
STATES: Final = {
    "open": (N_("waits for a second person"), "warn"),
    "approved": (N_("signed, not carried out yet"), "warn"),
    "done": (N_("carried out"), "good"),
    "withdrawn": (N_("withdrawn"), "calm"),
    "refused": (N_("refused"), "bad"),
}
LAPSED: Final = (N_("its week has passed"), "calm")
# These are carried out on this page; the others where their work is done, with the approval's id.
HERE: Final = frozenset(OWN)
# These are carried out here too, by showing the approval where the act is done.
SHOWN_AT: Final = frozenset({POLICY.name, THRESHOLD.name, LEGAL_HOLD.name, RULES.name})
SHOWN_MAX: Final = 30
WAITING: Final = frozenset({ApprovalState.OPEN, ApprovalState.APPROVED})
# What is decided about an approval, as the ledger calls it.
DECIDING: Final = ("approval-sign", "approval-confirm", "approval-carry-out", "approval-refuse", "approval-withdraw")


@dataclass(frozen=True, slots=True)
class Letter:
    """One approval that is not at its end: what is to be signed, and what the reader may do with it."""

    seen: ApprovalSeen
    words: str
    state: str
    kind: str
    mine: bool
    may_sign: bool
    may_end: bool
    here: str
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Ended:
    """One approval that is at its end: its kind and who stood behind it. What it said stays sealed."""

    words: str
    state: str
    kind: str
    proposer: str
    approver: str
    created_at: datetime
    proof: Proof | None


def _way(kind: str) -> str:
    """Name what this page's script does to carry an act out; nothing where it is done elsewhere."""
    if kind == BULK_EXPORT.name:
        return "fetch"
    return "carry-out" if kind in HERE else "show" if kind in SHOWN_AT else ""


async def _letter(frame: Frame, one: Proposal, names: Mapping[str, str], led: Proof | None) -> Letter:
    """Say what the reader may do with an approval."""
    visit, content, state = frame.visit, one.content, one.approval.state
    mine = content.proposer == frame.caller.key_id
    words, kind = STATES[state.value]
    signs = state is ApprovalState.OPEN and not mine
    may_sign = signs and await asyncio.to_thread(visit.gate.staff.approvals.may_sign, content, frame.caller)
    releases = content.kind == LEGAL_HOLD.name and content.fact("act") == "release"
    known = RELEASE if releases else WORDS.get(content.kind, content.kind)
    may_end = mine or may_sign or (state is ApprovalState.OPEN and frame.caller.key_id == OWNER_ID)
    seen = await approval_seen(visit, one, names)
    return Letter(seen, known, words, kind, mine, may_sign, may_end, _way(content.kind), led)


def _ended(one: Approval, names: Mapping[str, str], led: Proof | None) -> Ended:
    """Say what became of an approval."""
    words, kind = LAPSED if one.state in WAITING else STATES[one.state.value]
    proposer, approver = (names.get(who, "") or who for who in (one.proposer, one.approver or ""))
    return Ended(WORDS.get(one.kind, one.kind), words, kind, proposer, approver, moment(one.created_at), led)


def _decided(frame: Frame, shown: Sequence[Approval]) -> dict[str, list[LedgerEntry]]:
    """Read what the ledger says of approvals, by their ids."""
    with frame.visit.gate.house.desk.store.read() as tx:
        return tx.ledger.decided([one.id for one in shown], DECIDING)


@routes.add(
    "GET", "/approvals", permission=Permission.APPROVAL_READ, response_class=HTMLResponse, include_in_schema=False
)
async def approvals_page(frame: Framed) -> HTMLResponse:
    """Show what waits for a second person and what became of the rest; only what waits is opened."""
    approvals, me = frame.visit.gate.staff.approvals, frame.caller
    current = await asyncio.to_thread(approvals.waiting, me)
    past = (await asyncio.to_thread(approvals.ended, me))[:SHOWN_MAX]
    shown = [*(one.approval for one in current), *past]
    names = await names_behind(frame.visit, shown)
    decided = await asyncio.to_thread(_decided, frame, shown)
    led = {one.id: proof(frame, *decided.get(one.id, ())) for one in shown}
    waiting = [await _letter(frame, one, names, led[one.approval.id]) for one in current]
    ended = [_ended(one, names, led[one.id]) for one in past]
    rooms = {one.id: one.name for one in await frame.visit.gate.house.galleries.list()}
    return frame.page("approvals.html", here="approvals", waiting=waiting, ended=ended, kinds=KINDS, rooms=rooms)
