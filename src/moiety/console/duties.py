"""What each role cannot do, in the reader's words: the sentences of `access.roles`, marked for the catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moiety.access import DUTIES, Role
from moiety.console.marking import N_

if TYPE_CHECKING:
    from moiety.console.frame import Frame

SENTENCES: Final = frozenset(
    {
        N_("look for anybody, or compare faces"),
        N_("look for anybody, compare faces or see one"),
        N_("list, read, enrol or erase anybody"),
        N_("list or read anybody"),
        N_("list anybody, or read a name or any other sealed field"),
        N_("read a name or any other sealed field"),
        N_("read a reason in the ledger"),
        N_("read the ledger"),
        N_("enrol or erase anybody"),
        N_("ask who is in a picture"),
        N_("ask who is in a picture, or compare faces"),
        N_("approve anything"),
        N_("invite anybody or make keys"),
        N_("hold any other role beside this one"),
        N_("make a key that looks for people, without a second person"),
    }
)


def can_not(frame: Frame) -> dict[Role, str]:
    """Say of each role what it cannot do."""
    return {role: "; ".join(frame.say(one) for one in duty.can_not) for role, duty in DUTIES.items()}
