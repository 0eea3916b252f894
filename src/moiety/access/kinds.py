"""The kinds of acts that two people stand behind: who may propose each, and who may be the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access.permissions import Permission
from moiety.access.roles import DUTIES, Role
from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moiety.access.roles import Grant

_SIGNING: Final = frozenset(role for role, duty in DUTIES.items() if Permission.APPROVAL_SIGN in duty.may)
_OF_HALVES: Final = frozenset({Role.ADMINISTRATOR, Role.VAULT_OPERATOR, Role.EXAMINER})
_OF_PEOPLE: Final = frozenset({Role.REGISTRAR, Role.OFFICER, Role.EXAMINER})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: the permission that proposing it needs, and the roles of which the second person has one."""

    name: str
    proposing: Permission
    second: frozenset[Role]

    def may_sign(self, grants: Iterable[Grant], gallery: str) -> bool:
        """Whether roles are enough to be the second person, in this gallery if there is one."""
        here = [grant for grant in grants if grant.gallery_id is None or grant.gallery_id == gallery]
        return any(grant.role in self.second for grant in here)


INVITE: Final = Kind("invite", Permission.OPERATOR_MANAGE, _SIGNING)
ROLES: Final = Kind("roles", Permission.OPERATOR_MANAGE, _SIGNING)
RECOVERY: Final = Kind("recovery", Permission.OPERATOR_MANAGE, _SIGNING)
UNLOCK: Final = Kind("unlock", Permission.OPERATOR_MANAGE, _SIGNING)
KEY: Final = Kind("key", Permission.KEY_MANAGE, _SIGNING)
POLICY: Final = Kind("policy", Permission.GALLERY_CREATE, _OF_HALVES)
THRESHOLD: Final = Kind("threshold", Permission.GALLERY_CREATE, _OF_HALVES)
BULK_EXPORT: Final = Kind("bulk-export", Permission.SUBJECT_REVEAL, _OF_PEOPLE)
LEGAL_HOLD: Final = Kind("legal-hold", Permission.SUBJECT_HOLD, _OF_PEOPLE)
RULES: Final = Kind("rules", Permission.RULES_SET, _OF_PEOPLE)
CASE_SEARCH: Final = Kind("case-search", Permission.PROBE_IDENTIFY, _OF_PEOPLE | {Role.VERIFIER})
# Whoever may lift is whoever may sign in while the kill switch is pressed.
LIFT: Final = Kind("lift", Permission.EMERGENCY_LIFT, frozenset({Role.ADMINISTRATOR, Role.VAULT_OPERATOR}))

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        INVITE,
        ROLES,
        RECOVERY,
        UNLOCK,
        KEY,
        POLICY,
        THRESHOLD,
        BULK_EXPORT,
        LEGAL_HOLD,
        RULES,
        CASE_SEARCH,
        LIFT,
    )
}
# These speak of people who work here; routes of their own propose them, and they are carried out here.
OWN: Final[Sequence[str]] = (INVITE.name, ROLES.name, RECOVERY.name, UNLOCK.name, KEY.name, LIFT.name)


def kind_of(name: str) -> Kind:
    """Find a kind.

    Raises:
        BadInput: there is none of that name.

    """
    if name not in KINDS:
        raise BadInput(f"There is no such kind of approval; there are: {', '.join(KINDS)}.")
    return KINDS[name]
