"""The approvals inbox: what waits for a second person, all that is signed of it, and what became of the others."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.access.approvals import OWNER_ID, Proposal
from moiety.access.kinds import BULK_EXPORT, KINDS, LEGAL_HOLD, OWN, POLICY, THRESHOLD
from moiety.api.approvals import approval_seen
from moiety.api.routes import Routes
from moiety.api.staff_schemas import ApprovalSeen
from moiety.console.frame import Frame, Framed
from moiety.console.marking import N_
from moiety.storage import ApprovalState

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
SHOWN_AT: Final = frozenset({POLICY.name, THRESHOLD.name, LEGAL_HOLD.name})
SHOWN_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Letter:
    """One approval as the inbox shows it: its words, its state, and what the reader may do with it."""

    seen: ApprovalSeen
    words: str
    state: str
    kind: str
    current: bool
    mine: bool
    may_sign: bool
    may_end: bool
    here: str


def _way(kind: str) -> str:
    """Name what this page's script does to carry an act out; nothing where it is done elsewhere."""
    if kind == BULK_EXPORT.name:
        return "fetch"
    return "carry-out" if kind in HERE else "show" if kind in SHOWN_AT else ""


async def _letter(frame: Frame, one: Proposal) -> Letter:
    """Say what the reader may do with an approval."""
    visit, content = frame.visit, one.content
    state, mine = one.approval.state, one.content.proposer == frame.caller.key_id
    lapsed = content.expires <= visit.gate.house.desk.clock.now()
    current = state in {ApprovalState.OPEN, ApprovalState.APPROVED} and not lapsed
    words, kind = STATES[state.value] if current or state not in {"open", "approved"} else LAPSED
    signs = current and state is ApprovalState.OPEN and not mine
    may_sign = signs and await asyncio.to_thread(visit.gate.staff.approvals.may_sign, content, frame.caller)
    seen = await approval_seen(visit, one)
    releases = content.kind == LEGAL_HOLD.name and content.fact("act") == "release"
    known = RELEASE if releases else WORDS.get(content.kind, content.kind)
    may_end = mine or may_sign or (state is ApprovalState.OPEN and frame.caller.key_id == OWNER_ID)
    return Letter(seen, known, words, kind, current, mine, may_sign, may_end, _way(content.kind))


@routes.add(
    "GET", "/approvals", permission=Permission.APPROVAL_READ, response_class=HTMLResponse, include_in_schema=False
)
async def approvals_page(frame: Framed) -> HTMLResponse:
    """Show what waits for a second person and what became of the rest."""
    found = await asyncio.to_thread(frame.visit.gate.staff.approvals.list, frame.caller)
    letters = [await _letter(frame, one) for one in found]
    waiting = [one for one in letters if one.current]
    ended = [one for one in letters if not one.current][:SHOWN_MAX]
    return frame.page("approvals.html", here="approvals", waiting=waiting, ended=ended, kinds=KINDS)
