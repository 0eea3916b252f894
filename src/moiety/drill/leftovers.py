"""What of erased people stands in restored folders before anything is started: the control of a restore drill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.archive.tables import snapshot
from moiety.warrants import targets
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moiety.cli.installation import Installation

_VAULTS = (Role.VAULT_A, Role.VAULT_B)


def leftovers(made: Installation, buried: Mapping[str, set[bytes]]) -> int:
    """Count the rows, personal keys, templates and subjects in a folder that have a tombstone."""
    every = set().union(*buried.values())
    return sum(one in every for role in (Role.GATE, *_VAULTS) for one in _things(made, role))


def _things(made: Installation, role: Role) -> Iterator[bytes]:
    """Give all ids of 16 bytes that a part's database holds of people."""
    name = "gate.sqlite" if role is Role.GATE else "journal.sqlite"
    path = made.folder(role) / name
    if not path.exists():
        return
    with snapshot(path) as moment:
        if role is Role.GATE:
            yield from (row for (row,) in moment.read("SELECT row_id FROM template"))
            for gallery, subject in moment.read("SELECT gallery_id, id FROM subject"):
                yield targets.person_handle(made.tenant, gallery, subject)
        else:
            yield from (row for (row,) in moment.read("SELECT row_id FROM row"))
            yield from (handle for (handle,) in moment.read("SELECT handle FROM person"))
