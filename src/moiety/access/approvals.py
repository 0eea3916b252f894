"""Acts that two people stand behind: one proposes, another signs the exact content with a passkey, and it is done once.

Layers above carry out kinds of their own with `spend`, in the transaction of the act itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access import kinds, spares
from moiety.access.kinds import OWN, kind_of
from moiety.access.operators import PURPOSE, grants_of
from moiety.access.papers import Content, Fact
from moiety.access.permissions import Permission
from moiety.foundation.errors import AlreadyThere, BadInput, Forbidden, NotFound, SpareNeeded
from moiety.foundation.ids import ApprovalId, GalleryId, OperatorId, new_approval_id
from moiety.ledger import Kind as Record
from moiety.ledger.log import REASON_CHARS_MAX
from moiety.storage import ApprovalState, OperatorState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from moiety.access.callers import Caller
    from moiety.access.kinds import Kind
    from moiety.access.operators import Operators, Signed
    from moiety.foundation.clock import Clock
    from moiety.ledger import Ledger
    from moiety.storage import Approval, Operator, Store, Transaction

    Handler = Callable[[Transaction, Content], Mapping[str, str]]

LIFE_SECONDS: Final = 7 * 24 * 3600
NONCE_BYTES: Final = 16
FACTS_MAX: Final = 64
VALUE_CHARS_MAX: Final = 4000
OPEN_MAX: Final = 200
# Nobody's flood keeps others from proposing.
OPEN_EACH_MAX: Final = 40
OWNER_ID: Final = "owner"
# Nobody lets others in who cannot be sure to come back themselves.
LETS_IN: Final = (kinds.INVITE, kinds.ROLES, kinds.RECOVERY, kinds.KEY)


@dataclass(frozen=True, slots=True, repr=False)
class Proposal:
    """An approval with its opened content."""

    approval: Approval
    content: Content


def check_facts(facts: Sequence[Fact]) -> None:
    """Check what a proposal says.

    Raises:
        BadInput: there is nothing or too much, a name comes twice, or a value is too long.

    """
    names = [fact.name for fact in facts]
    if not 1 <= len(facts) <= FACTS_MAX or len(set(names)) != len(names):
        raise BadInput(f"A proposal has 1 to {FACTS_MAX} lines with different names.")
    if any(not 1 <= len(fact.value) <= VALUE_CHARS_MAX for fact in facts):
        raise BadInput(f"A line of a proposal has 1 to {VALUE_CHARS_MAX} characters.")


class Approvals:
    """The approvals of one gate. Thread-safe."""

    def __init__(self, store: Store, ledger: Ledger, operators: Operators, clock: Clock) -> None:
        """Keep them in `store`; those who sign are `operators`."""
        self._store = store
        self._ledger = ledger
        self._operators = operators
        self._sealing = operators.sealing
        self._clock = clock
        self._handlers: dict[str, Handler] = {}

    def carry_out_with(self, kind: str, handler: Handler) -> None:
        """Have `carry_out` do acts of this kind by `handler`, inside its transaction."""
        self._handlers[kind] = handler

    # ---- proposing ----

    def propose(self, kind: Kind, caller: Caller, facts: Sequence[Fact], reason: str, gallery: str = "") -> Proposal:
        """Lay an act before a second person, for a week.

        Raises:
            BadInput: facts or reason are not as they must be.
            Forbidden: it comes from a program.
            SpareNeeded: it lets somebody in, and the caller had only one passkey for too long.

        """
        check_facts(facts)
        if not reason.strip() or len(reason) > REASON_CHARS_MAX:
            raise BadInput(f"A reason has 1 to {REASON_CHARS_MAX} characters.")
        proposer = str(caller.key_id)
        if proposer.startswith("key_"):
            raise Forbidden("A program's key proposes nothing; a person does.")
        if kind in LETS_IN and caller.spare_missing:
            raise SpareNeeded
        now = int(self._clock.now())
        content = Content(
            tenant=self._sealing.tenant,
            id=new_approval_id(),
            kind=kind.name,
            proposer=proposer,
            gallery=gallery,
            facts=tuple(facts),
            reason=reason.strip(),
            nonce=os.urandom(NONCE_BYTES),
            created=now,
            expires=now + LIFE_SECONDS,
        )
        with self._store.begin() as tx:
            # A crash before the commit leaves no proposal; its proposer is told nothing and proposes anew.
            mine, all_of_them = tx.approvals.count_open(now, proposer), tx.approvals.count_open(now)
            if mine >= OPEN_EACH_MAX or all_of_them >= OPEN_MAX:
                raise AlreadyThere("Too many approvals are open; sign or withdraw some.")
            made = tx.approvals.add(
                ApprovalId(content.id),
                kind.name,
                proposer,
                self._sealing.seal_content(content),
                content.digest(),
                float(content.expires),
            )
            self._note(tx, "propose", proposer, content, reason)
        return Proposal(made, content)

    def _note(self, tx: Transaction, act: str, actor: str, content: Content, reason: str | None = None) -> None:
        """Write into the ledger: the act, the kind, and the content's digest, not the content."""
        self._ledger.append(
            tx,
            Record.ALTERATION,
            f"approval-{act}",
            actor=actor,
            purpose=PURPOSE,
            reason=reason,
            approval=content.id,
            of=content.kind,
            digest=content.digest().hex()[:40],
        )

    # ---- reading ----

    def list(self, caller: Caller) -> tuple[Proposal, ...]:
        """Give those of the newest hundred, and of all that can still be signed, that a caller may see."""
        with self._store.read() as tx:
            there = {one.id: one for one in (*tx.approvals.page(), *tx.approvals.current(self._clock.now()))}
        return self._for(caller, there.values())

    def waiting(self, caller: Caller) -> tuple[Proposal, ...]:
        """Give those that wait for a second person, or for being carried out, that a caller may see."""
        with self._store.read() as tx:
            current = tx.approvals.current(self._clock.now())
        return self._for(caller, current)

    def _for(self, caller: Caller, found: Iterable[Approval]) -> tuple[Proposal, ...]:
        newest = sorted(found, key=lambda one: (-one.created_at, one.id))
        opened = [self._opened(one) for one in newest]
        return tuple(one for one in opened if _sees(caller, one))

    def ended(self, caller: Caller) -> tuple[Approval, ...]:
        """Give those of the newest hundred that are at their end, their contents sealed.

        Of which gallery one is lies sealed, too: who works in some galleries sees their own, and those of none.
        """
        with self._store.read() as tx:
            current = {one.id for one in tx.approvals.current(self._clock.now())}
            found = [one for one in tx.approvals.page() if one.id not in current]
        return tuple(one for one in found if _sees_ended(caller, one))

    def for_me(self, caller: Caller) -> tuple[int, int]:
        """Count what a caller could sign now, and which of their own they could carry out.

        Only such are opened as somebody of their roles may sign: gallery and person are sealed inside.
        """
        me = str(caller.key_id)
        with self._store.read() as tx:
            current = tx.approvals.current(self._clock.now())
            who = next((one for one in tx.operators.list() if str(one.id) == me), None)
        mine = sum(one.state is ApprovalState.APPROVED and one.proposer == me for one in current)
        others = [one for one in current if one.state is ApprovalState.OPEN and one.proposer != me]
        roles = {grant.role for grant in grants_of(who)} if who else set()
        maybe = [one for one in others if roles & kind_of(one.kind).second]
        return sum(who is not None and self._could(self._opened(one).content, who) for one in maybe), mine

    def _opened(self, one: Approval) -> Proposal:
        return Proposal(one, self._sealing.content_of(one))

    def get(self, approval_id: ApprovalId, caller: Caller) -> Proposal:
        """Give one that a caller may see.

        Raises:
            NotFound: there is no such approval for this caller.

        """
        with self._store.read() as tx:
            return self._seen(tx, approval_id, caller)

    def _seen(self, tx: Transaction, approval_id: ApprovalId, caller: Caller) -> Proposal:
        found = self._found(tx, approval_id)
        if not _sees(caller, found):
            raise NotFound("There is no such approval.")
        return found

    def _found(self, tx: Transaction, approval_id: ApprovalId) -> Proposal:
        return self._opened(tx.approvals.get(approval_id))

    def _current(self, tx: Transaction, approval_id: ApprovalId) -> Proposal:
        """Give one that is not too old.

        Raises:
            NotFound: its time has passed.

        """
        found = self._found(tx, approval_id)
        if found.content.expires <= self._clock.now():
            raise NotFound("The time of this approval has passed; propose it again.")
        return found

    # ---- the second person ----

    def sign(self, approval_id: ApprovalId, signed: Signed, caller: Caller) -> Proposal:
        """Approve by a passkey's signature over the exact content, by another person than who proposed it.

        The owner of the folder may hand in what a colleague signed; an operator only what is their own.

        Raises:
            Forbidden: the signature does not hold, is the proposer's own, or of somebody who may not approve this.
            SpareNeeded: whoever signed had only one passkey for too long.
            AlreadyThere: it is not open any more.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves it open, and the passkey's counter where it was: it is signed again.
            found = self._current(tx, approval_id)
            who = self._operators.signer(tx, signed, found.content.digest())
            if caller.key_id not in {OWNER_ID, who.id}:
                raise Forbidden("This was signed with somebody else's passkey.")
            self._may(found.content, who)
            spares.check(tx.operators.passkeys(who.id), self._clock.now())
            made = tx.approvals.approve(approval_id, who.id, signed.credential, signed.value)
            self._note(tx, "sign", who.id, found.content)
        return Proposal(made, found.content)

    def _may(self, content: Content, who: Operator) -> None:
        """Check that somebody may be the second person; raises as `sign`."""
        if who.id == content.proposer:
            raise Forbidden("Whoever proposes something cannot approve it; ask a colleague.")
        if not kind_of(content.kind).may_sign(grants_of(who), content.gallery):
            raise Forbidden("Your roles do not allow to approve this.")
        subject = content.fact("operator")
        if subject == who.id:
            raise Forbidden("This is about yourself; ask a colleague to approve it.")

    def may_sign(self, content: Content, caller: Caller) -> bool:
        """Whether a caller could be the second person behind this."""
        with self._store.read() as tx:
            found = [one for one in tx.operators.list() if str(one.id) == str(caller.key_id)]
        return any(self._could(content, one) for one in found)

    def confirm(self, approval_id: ApprovalId) -> Proposal:
        """Approve as the owner of the machine, where nobody else can: while a single operator works here.

        Raises:
            Forbidden: there is a colleague who can, or the owner proposed it.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves it open.
            found = self._current(tx, approval_id)
            if found.content.proposer == OWNER_ID:
                raise Forbidden("Whoever proposes something cannot approve it.")
            others = [one for one in tx.operators.list() if one.state is OperatorState.ACTIVE]
            if any(self._could(found.content, one) for one in others):
                raise Forbidden("A colleague can approve this, with a passkey; the owner of the machine then cannot.")
            made = tx.approvals.approve(approval_id, OWNER_ID, b"", b"")
            self._note(tx, "confirm", OWNER_ID, found.content)
        return Proposal(made, found.content)

    def _could(self, content: Content, who: Operator) -> bool:
        try:
            self._may(content, who)
        except Forbidden:
            return False
        return True

    def end(self, approval_id: ApprovalId, caller: Caller) -> Proposal:
        """Withdraw one's own proposal, or refuse another's that one could sign; the owner of the machine any.

        Raises:
            NotFound: there is no such approval for this caller.
            Forbidden: the caller could not be the second person.
            AlreadyThere: it is at its end already.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves it as it was.
            found = self._seen(tx, approval_id, caller)
            mine = found.content.proposer == caller.key_id
            if not mine and caller.key_id != OWNER_ID:
                self._may(found.content, tx.operators.get(OperatorId(caller.key_id)))
            state = ApprovalState.WITHDRAWN if mine else ApprovalState.REFUSED
            made = tx.approvals.end(approval_id, state)
            self._note(tx, "withdraw" if mine else "refuse", caller.key_id, found.content)
        return Proposal(made, found.content)

    # ---- the act ----

    def carry_out(self, approval_id: ApprovalId, caller: Caller) -> tuple[Proposal, Mapping[str, str]]:
        """Do what was approved, once, at the proposer's word; gives what the act itself gives.

        Raises:
            BadInput: acts of this kind are carried out elsewhere.
            Forbidden: the caller did not propose it, or might not any more; or whoever signed it might not any more.
            AlreadyThere: it is not approved, or carried out already.

        """
        with self._store.begin() as tx:
            # A crash before the commit leaves it approved and nothing done; after it, its result may be lost.
            found = self._current(tx, approval_id)
            handler = self._handlers.get(found.content.kind)
            if handler is None:
                raise BadInput("This is carried out where it is needed, not here.")
            caller.require(kind_of(found.content.kind).proposing)
            content = self._spent(tx, found, caller)
            result = handler(tx, content)
            return Proposal(tx.approvals.get(approval_id), content), result

    def spend(self, tx: Transaction, approval_id: ApprovalId, kind: Kind, caller: Caller) -> Content:
        """Use an approval for an act of the caller's own transaction: once, and for exactly what its content says.

        Raises:
            NotFound: there is none of this kind, or its time has passed.
            Forbidden: the caller did not propose it, or whoever signed it might not any more.
            AlreadyThere: it is not approved, or carried out already.

        """
        found = self._current(tx, approval_id)
        if found.content.kind != kind.name:
            raise NotFound("There is no such approval of this kind.")
        return self._spent(tx, found, caller)

    def _spent(self, tx: Transaction, found: Proposal, caller: Caller) -> Content:
        if found.content.proposer != caller.key_id:
            raise Forbidden("Only whoever proposed it carries it out.")
        tx.approvals.finish(found.approval.id)
        self._still(tx, found)
        self._note(tx, "carry-out", caller.key_id, found.content)
        return found.content

    def _still(self, tx: Transaction, found: Proposal) -> None:
        """Check that whoever signed could sign it now: a passkey that was stolen is found out after it was used.

        Raises:
            Forbidden: they work here no more, are locked, or have other roles.

        """
        approver = found.approval.approver or ""
        if approver == OWNER_ID:
            return
        who = tx.operators.get(OperatorId(approver))
        if who.state is not OperatorState.ACTIVE or tx.alerts.locked(who.id):
            raise Forbidden("Whoever signed this works here no more, or is locked; have it signed anew.")
        self._may(found.content, who)


def _sees(caller: Caller, one: Proposal) -> bool:
    """Whether a caller may see a proposal: one of a gallery is for those who work there, and for its proposer."""
    if not one.approval.content_sealed:
        return _sees_ended(caller, one.approval)
    if not one.content.gallery or one.content.proposer == caller.key_id:
        return True
    return bool(caller.visible(Permission.GALLERY_LIST, [GalleryId(one.content.gallery)]))


def _sees_ended(caller: Caller, one: Approval) -> bool:
    """Whether a caller may see that there was one whose content stays closed: its gallery is not known then."""
    if one.kind in OWN or one.proposer == caller.key_id:
        return True
    try:
        caller.require(Permission.GALLERY_LIST)
    except Forbidden:
        return False
    return True
