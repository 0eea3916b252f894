"""Where one can go: each place with its words, its sign, and the permissions of which one opens it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access import Permission
from moiety.console.marking import N_

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from moiety.access import Caller

_P = Permission
TABS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Place:
    """One page of the navigation; without permissions everybody who is signed in may go there."""

    key: str
    address: str
    words: str
    icon: str
    any_of: frozenset[Permission] = frozenset()

    def open_to(self, caller: Caller) -> bool:
        """Whether somebody may go there, for one gallery at least."""
        return not self.any_of or bool(self.any_of & {scope.permission for scope in caller.scopes})


@dataclass(frozen=True, slots=True)
class Group:
    """Places that belong together."""

    words: str
    places: tuple[Place, ...]


GROUPS: Final = (
    Group(
        N_("Work"),
        (
            Place("home", "/", N_("Home"), "home"),
            Place("identify", "/identify", N_("Identify"), "face", frozenset({_P.PROBE_IDENTIFY})),
            Place("verify", "/verify", N_("Verify"), "pair", frozenset({_P.PROBE_VERIFY})),
            Place("people", "/people", N_("People"), "people", frozenset({_P.SUBJECT_READ})),
            Place("enrol", "/enrol", N_("Enrol"), "add", frozenset({_P.SUBJECT_ENROL})),
            Place("approvals", "/approvals", N_("Approvals"), "pen", frozenset({_P.APPROVAL_READ})),
        ),
    ),
    Group(
        N_("The house"),
        (
            Place("galleries", "/galleries", N_("Galleries"), "stack", frozenset({_P.GALLERY_LIST})),
            Place(
                "retention",
                "/retention",
                N_("Retention"),
                "calendar",
                frozenset({_P.SUBJECT_READ, _P.SUBJECT_HOLD, _P.LEDGER_READ}),
            ),
            Place("ledger", "/ledger", N_("Ledger"), "book", frozenset({_P.LEDGER_READ})),
            Place("report", "/report", N_("Annual report"), "calendar", frozenset({_P.LEDGER_READ})),
            Place("alerts", "/alerts", N_("Alerts"), "eye", frozenset({_P.ALERT_READ})),
            Place("emergency", "/emergency", N_("Stop"), "halt", frozenset({_P.STOP_PRESS})),
            Place("incidents", "/incidents", N_("Incidents"), "alarm", frozenset({_P.INCIDENT_READ})),
            Place("reports", "/reports", N_("Reports from outside"), "letter", frozenset({_P.REPORT_READ})),
            Place("operators", "/operators", N_("Colleagues"), "badge", frozenset({_P.OPERATOR_READ})),
            Place("told", "/told", N_("Changed since"), "letter", frozenset({_P.SELF})),
            Place("status", "/status", N_("Status"), "pulse", frozenset({_P.METRICS_READ})),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Ways:
    """What one reader sees of the navigation: all of it in groups, and on a phone the first few below the page."""

    groups: tuple[Group, ...]
    tabs: tuple[Place, ...]


def ways(caller: Caller, there: Collection[str]) -> Ways:
    """Give the places that a caller may go to; `there` are the addresses that this application answers."""
    groups = tuple(Group(one.words, tuple(_open(one.places, caller, there))) for one in GROUPS)
    shown = tuple(one for one in groups if one.places)
    return Ways(shown, tuple(place for group in shown for place in group.places)[:TABS_MAX])


def _open(places: Iterable[Place], caller: Caller, there: Collection[str]) -> list[Place]:
    return [one for one in places if one.address in there and one.open_to(caller)]
