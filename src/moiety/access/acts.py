"""The acts of access/ itself that two people stand behind: proposing them, and carrying them out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moiety.access import kinds
from moiety.access.operators import check_name
from moiety.access.papers import Fact
from moiety.access.roles import parse_grants
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import OperatorId, new_operator_id
from moiety.storage import OperatorState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.access.approvals import Approvals, Proposal
    from moiety.access.callers import Caller
    from moiety.access.keys import ApiKeys
    from moiety.access.operators import Operators
    from moiety.access.papers import Content
    from moiety.storage import Operator, Transaction

WAY = "way"


class Acts:
    """Invitations, roles, recoveries, unlocking, and keys beyond what their maker holds."""

    def __init__(self, operators: Operators, approvals: Approvals, keys: ApiKeys) -> None:
        """Let `approvals` carry them out here."""
        self._operators = operators
        self._approvals = approvals
        self._keys = keys
        approvals.carry_out_with(kinds.INVITE.name, self._invited)
        approvals.carry_out_with(kinds.ROLES.name, self._given)
        approvals.carry_out_with(kinds.RECOVERY.name, self._recovered)
        approvals.carry_out_with(kinds.UNLOCK.name, self._unlocked)
        approvals.carry_out_with(kinds.KEY.name, self._issued)

    # ---- proposing; each raises as `Approvals.propose` ----

    def invite(self, caller: Caller, name: str, roles: Sequence[str], reason: str) -> Proposal:
        """Propose that somebody works here."""
        facts = [Fact("name", check_name(name)), Fact("roles", _roles(roles))]
        return self._approvals.propose(kinds.INVITE, caller, facts, reason)

    def give_roles(self, caller: Caller, operator_id: OperatorId, roles: Sequence[str], reason: str) -> Proposal:
        """Propose other roles for somebody, in the place of those before."""
        return self._approvals.propose(
            kinds.ROLES, caller, [*self._who(operator_id, caller), Fact("roles", _roles(roles))], reason
        )

    def recover(self, caller: Caller, operator_id: OperatorId, reason: str) -> Proposal:
        """Propose that somebody who lost all passkeys makes new ones."""
        return self._approvals.propose(kinds.RECOVERY, caller, self._who(operator_id, caller), reason)

    def unlock(self, caller: Caller, actor: str, reason: str) -> Proposal:
        """Propose that an account or a key which an alarm locked opens again."""
        lock = self._operators.lock_of(actor)
        facts = self._who(OperatorId(actor), caller) if actor.startswith("opr_") else [Fact("key", actor)]
        return self._approvals.propose(kinds.UNLOCK, caller, [*facts, Fact("alert", lock.alert_id)], reason)

    def key(self, caller: Caller, name: str, scopes: Sequence[str], expires_at: float, reason: str) -> Proposal:
        """Propose a program's key with scopes that its maker does not hold."""
        parsed = self._keys.checked(name, scopes, expires_at)
        facts = [
            Fact("key", name),
            Fact("scopes", ", ".join(sorted(str(scope) for scope in parsed))),
            Fact("expires", datetime.fromtimestamp(int(expires_at), UTC).isoformat()),
        ]
        return self._approvals.propose(kinds.KEY, caller, facts, reason)

    def _who(self, operator_id: OperatorId, caller: Caller) -> list[Fact]:
        """Name an operator who works here, by id and name.

        Raises:
            BadInput: it is the caller, or somebody who does not work here any more or never came.

        """
        operator = self._operators.get(operator_id)
        if operator.state is OperatorState.INVITED and operator.name_sealed is None:
            raise BadInput("This invitation has lapsed, and nobody knows any more whose it was; invite them anew.")
        if operator.state is OperatorState.DISABLED or str(operator_id) == str(caller.key_id):
            raise BadInput("This is for colleagues who work here, proposed by somebody else than themselves.")
        name = self._operators.sealing.name_of(operator) or "not named yet"
        return [Fact("operator", operator_id), Fact("name", name)]

    # ---- carrying out, inside the approval's transaction ----

    def _invited(self, tx: Transaction, content: Content) -> dict[str, str]:
        operator_id = new_operator_id()
        sealed = self._operators.sealing.seal_name(operator_id, content.fact("name"))
        tx.operators.add(operator_id, content.fact("roles").split(", "), sealed)
        self._operators.note(tx, "operator-invite", content.proposer, operator_id)
        return {"operator": operator_id, WAY: self._operators.way_for(tx, operator_id)}

    def _given(self, tx: Transaction, content: Content) -> dict[str, str]:
        operator = self._here(tx, content)
        tx.operators.set_roles(operator.id, content.fact("roles").split(", "))
        self._operators.note(tx, "operator-roles", content.proposer, operator.id)
        return {"operator": operator.id}

    def _recovered(self, tx: Transaction, content: Content) -> dict[str, str]:
        """Make the link. The passkeys that are lost go when the new one is made: until then nobody has less."""
        operator = self._here(tx, content)
        self._operators.note(tx, "operator-recover", content.proposer, operator.id)
        return {"operator": operator.id, WAY: self._operators.way_for(tx, operator.id)}

    def _unlocked(self, tx: Transaction, content: Content) -> dict[str, str]:
        """Take the lock away that the alert of this content put there, and no later one."""
        actor = content.fact("operator") or content.fact("key")
        lock = tx.alerts.locked(actor)
        if lock is None or lock.alert_id != content.fact("alert"):
            raise BadInput("Another alarm has locked this account since; look at that one first.")
        tx.alerts.unlock(actor)
        self._operators.note(tx, "operator-unlock", content.proposer, actor)
        return {"unlocked": actor}

    def _issued(self, tx: Transaction, content: Content) -> dict[str, str]:
        scopes = content.fact("scopes").split(", ")
        expires_at = datetime.fromisoformat(content.fact("expires")).timestamp()
        key_id, token = self._keys.issue_within(tx, content.fact("key"), scopes, expires_at, content.proposer)
        self._operators.note(tx, "key-make", content.proposer, key_id)
        return {"key": key_id, "token": token}

    @staticmethod
    def _here(tx: Transaction, content: Content) -> Operator:
        operator = tx.operators.get(OperatorId(content.fact("operator")))
        if operator.state is OperatorState.DISABLED:
            raise BadInput("This operator does not work here any more.")
        return operator


def _roles(roles: Sequence[str]) -> str:
    return ", ".join(str(grant) for grant in parse_grants(roles))
