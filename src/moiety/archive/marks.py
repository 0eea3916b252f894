"""Which rows a part holds of each gallery, read from a snapshot: what two parts' backups are compared by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from moiety.archive.manifest import GalleryMark
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moiety.archive.tables import Tables


def _order(rows: Iterable[tuple[bytes]]) -> tuple[int, str]:
    """Count ordered row ids and hash them, as the vaults do."""
    digest, count = hashlib.sha256(), 0
    for (row_id,) in rows:
        digest.update(row_id)
        count += 1
    return count, digest.hexdigest()


def marks(role: Role, moment: Tables) -> dict[str, GalleryMark]:
    """Give each gallery's epoch (0 at the gate), number of rows and SHA-256 over their ids in order."""
    if role is Role.GATE:
        active = "SELECT row_id FROM template WHERE gallery_id = ? AND state = 'active' ORDER BY seq"
        open_ones = list(moment.read("SELECT id FROM gallery WHERE state = 'open'"))
        return {gallery: GalleryMark(0, *_order(moment.read(active, (gallery,)))) for (gallery,) in open_ones}
    if role in {Role.VAULT_A, Role.VAULT_B}:
        live = "SELECT row_id FROM row WHERE gallery = ? AND state = 'live' ORDER BY seq"
        known = list(moment.read("SELECT gallery, epoch FROM policy"))
        return {gallery: GalleryMark(epoch, *_order(moment.read(live, (gallery,)))) for gallery, epoch in known}
    return {}
