"""Roles: closed sets of permissions, and of each in words what it can not do. docs/access.md shows the same table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from moiety.access.permissions import Permission, Scope
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import GalleryId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GALLERY = re.compile(r"gal_[a-z2-7]{16}")
ROLES_MAX: Final = 16


class Role(StrEnum):
    """What somebody is here for."""

    ADMINISTRATOR = "administrator"
    REGISTRAR = "registrar"
    EXAMINER = "examiner"
    VERIFIER = "verifier"
    OFFICER = "officer"
    GUARD = "guard"
    AUDITOR = "auditor"
    VAULT_OPERATOR = "vault-operator"


@dataclass(frozen=True, slots=True)
class Duty:
    """What a role may do, and in words what it can not."""

    may: frozenset[Permission]
    can_not: tuple[str, ...]
    narrowable: bool = True


_P = Permission
_SIGNS: Final = frozenset({_P.SELF, _P.GALLERY_LIST, _P.APPROVAL_READ, _P.APPROVAL_SIGN, _P.STOP_PRESS})
_IN_CHARGE: Final = frozenset(
    {_P.KILL_PRESS, _P.EMERGENCY_LIFT, _P.INCIDENT_READ, _P.INCIDENT_MANAGE, _P.REPORT_READ, _P.REPORT_ANSWER}
)

DUTIES: Final[dict[Role, Duty]] = {
    Role.ADMINISTRATOR: Duty(
        _SIGNS
        | _IN_CHARGE
        | {_P.GALLERY_CREATE, _P.KEY_MANAGE, _P.OPERATOR_READ, _P.OPERATOR_MANAGE, _P.LEDGER_READ, _P.METRICS_READ}
        | {_P.ALERT_READ, _P.DECOY_PLANT},
        (
            "look for anybody, or compare faces",
            "list, read, enrol or erase anybody",
            "read a reason in the ledger",
            "hold any other role beside this one",
            "make a key that looks for people, without a second person",
        ),
        narrowable=False,
    ),
    Role.REGISTRAR: Duty(
        _SIGNS
        | {_P.SUBJECT_ENROL, _P.SUBJECT_AMEND, _P.SUBJECT_READ, _P.SUBJECT_REVEAL, _P.SUBJECT_ERASE}
        | {_P.SUBJECT_RIGHTS, _P.SUBJECT_HOLD, _P.RULES_SET},
        ("ask who is in a picture, or compare faces", "invite anybody or make keys", "read the ledger"),
    ),
    Role.EXAMINER: Duty(
        _SIGNS | {_P.PROBE_IDENTIFY, _P.PROBE_VERIFY, _P.PAIR_COMPARE, _P.SUBJECT_READ},
        ("read a name or any other sealed field", "enrol or erase anybody", "invite anybody or make keys"),
    ),
    Role.VERIFIER: Duty(
        _SIGNS | {_P.PROBE_VERIFY, _P.PAIR_COMPARE},
        ("ask who is in a picture", "list or read anybody", "enrol or erase anybody", "invite anybody or make keys"),
    ),
    Role.OFFICER: Duty(
        _SIGNS | {_P.PROBE_IDENTIFY, _P.PROBE_VERIFY, _P.SUBJECT_READ, _P.SUBJECT_REVEAL, _P.SUBJECT_HOLD},
        ("enrol or erase anybody", "read the ledger", "invite anybody or make keys"),
    ),
    Role.GUARD: Duty(
        frozenset({_P.SELF, _P.GALLERY_LIST, _P.PROBE_IDENTIFY, _P.PROBE_VERIFY, _P.STOP_PRESS}),
        (
            "list anybody, or read a name or any other sealed field",
            "enrol or erase anybody",
            "approve anything",
            "invite anybody or make keys",
        ),
    ),
    Role.AUDITOR: Duty(
        frozenset(
            {_P.SELF, _P.GALLERY_LIST, _P.OPERATOR_READ, _P.APPROVAL_READ, _P.LEDGER_READ, _P.LEDGER_REASON}
            | {_P.INCIDENT_READ, _P.REPORT_READ, _P.ALERT_READ},
        ),
        (
            "look for anybody, compare faces or see one",
            "list, read, enrol or erase anybody",
            "approve anything",
            "invite anybody or make keys",
            "hold any other role beside this one",
        ),
        narrowable=False,
    ),
    Role.VAULT_OPERATOR: Duty(
        _SIGNS | _IN_CHARGE | {_P.LEDGER_READ, _P.METRICS_READ},
        (
            "look for anybody, or compare faces",
            "list, read, enrol or erase anybody",
            "read a reason in the ledger",
            "invite anybody or make keys",
        ),
        narrowable=False,
    ),
}
ALONE: Final = frozenset({Role.ADMINISTRATOR, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for every gallery, or for one."""

    role: Role
    gallery_id: GalleryId | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `officer` or `officer@gal_…`.

        Raises:
            BadInput: there is no such role, or it cannot be narrowed so.

        """
        name, at, gallery = text.partition("@")
        try:
            role = Role(name)
        except ValueError:
            raise BadInput(f"There is no such role; there are: {', '.join(Role)}.") from None
        if not at:
            return cls(role)
        if not DUTIES[role].narrowable:
            raise BadInput(f"The role {role} cannot be narrowed to a gallery.")
        if not _GALLERY.fullmatch(gallery):
            raise BadInput("A role is narrowed by a gallery's id, such as officer@gal_… with 16 letters.")
        return cls(role, GalleryId(gallery))

    def __str__(self) -> str:
        return self.role.value if self.gallery_id is None else f"{self.role}@{self.gallery_id}"

    def scopes(self) -> frozenset[Scope]:
        """Give what it allows; a narrowed role keeps its other permissions whole."""
        return frozenset(Scope(one, self.gallery_id if one.narrowable else None) for one in DUTIES[self.role].may)


def parse_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """Read the roles of one person, in a fixed order.

    Raises:
        BadInput: there is none, one is unknown, or a role stands beside others that may not.

    """
    grants = tuple(sorted({Grant.parse(text) for text in texts}, key=str))
    if not 1 <= len(grants) <= ROLES_MAX:
        raise BadInput(f"A person has 1 to {ROLES_MAX} roles.")
    alone = ALONE & {grant.role for grant in grants}
    if alone and len(grants) > 1:
        raise BadInput(f"The role {min(alone)} cannot be held together with another.")
    return grants


def scopes_of(grants: Sequence[Grant]) -> frozenset[Scope]:
    """Give what several roles allow together."""
    return frozenset(scope for grant in grants for scope in grant.scopes())
