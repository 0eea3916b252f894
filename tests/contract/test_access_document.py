"""docs/access.md: its tables say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moiety.access import DUTIES, Role
from moiety.access.kinds import KINDS

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text()


def rows(names: set[str]) -> dict[str, list[str]]:
    """Read the rows whose first cell names one of these."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in GUIDE.splitlines() if line.startswith("| `")]
    named = {re.findall(r"`([^`]+)`", row[0])[0]: row for row in cells}
    return {name: row for name, row in named.items() if name in names}


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_and_can_not_what_stands_there(role: Role) -> None:
    told, duty = rows(set(Role))[role], DUTIES[role]
    assert words(told[1]) == set(duty.may)
    assert told[2].split("; ") == list(duty.can_not)
    assert ("never narrowed" in told[0]) is not duty.narrowable


@pytest.mark.parametrize("name", list(KINDS))
def test_a_kind_is_proposed_and_approved_by_whom_stands_there(name: str) -> None:
    told, kind = rows(set(KINDS))[name], KINDS[name]
    assert (words(told[1]), words(told[2])) == ({kind.proposing}, set(kind.second))
