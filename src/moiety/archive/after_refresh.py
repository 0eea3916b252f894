"""What a refresh lets go of: once both vaults have backed up the new epoch, backups of the old one are destroyed.

Two epochs of A together give the difference that B sent; so none of the old ones may stay (shared protocol, "Backups").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from moiety.archive.places import Backup


def kept_epochs(backups: Sequence[Backup], role: Role, tenant: str) -> dict[str, int]:
    """Give the newest epoch of each gallery that a role's backups hold and that can be opened."""
    whole: dict[str, list[Backup]] = {}
    for one in backups:
        if (one.about.role, one.about.tenant) == (role, tenant) and one.about.part != "keys":
            whole.setdefault(one.about.run, []).append(one)
    found: dict[str, int] = {}
    for files in whole.values():
        if len(files) == (2 if role is Role.VAULT_B else 1) and all(one.opens for one in files):
            for gallery, epoch in files[0].about.epochs().items():
                found[gallery] = max(epoch, found.get(gallery, 0))
    return found


def outdated(
    backups: Sequence[Backup], role: Role, tenant: str, mine: Mapping[str, int], theirs: Mapping[str, int]
) -> list[Backup]:
    """Choose a role's backups of an epoch that both vaults have left behind and backed up anew."""
    both = {gallery: min(epoch, theirs.get(gallery, 0)) for gallery, epoch in mine.items()}
    return [
        one
        for one in backups
        if (one.about.role, one.about.tenant) == (role, tenant)
        and any(epoch < both.get(gallery, 0) for gallery, epoch in one.about.epochs().items())
    ]
