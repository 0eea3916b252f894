"""What a restored gate does before it serves; apart, because only the gate loads its tables."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from moiety.archive.restoring import marked
from moiety.cli.backup import tombstones
from moiety.cli.backup.reviving import let_go
from moiety.people.replay import Books, replay

if TYPE_CHECKING:
    from moiety.cli.places import Place
    from moiety.matching.desk import Desk

_log = logging.getLogger(__name__)


async def revive_gate(at: Place, desk: Desk) -> None:
    """Bring a restored gate's database up to date; any other is left as it is.

    Raises:
        Fault: nobody says who was erased since.

    """
    if marked(at.installation.folder(at.role)) is None:
        return
    books = Books(desk.tenant, desk.store, desk.ledger)
    with desk.store.read() as tx:
        galleries = [gallery.id for gallery in tx.galleries.list()]
    forgotten = await asyncio.to_thread(replay, books, await tombstones.obtain(at, galleries))
    told = {"count": len(forgotten.subjects), "photos": forgotten.photos}
    _log.info("gate: restored; forgot %(count)d subjects and %(photos)d photos", told)
    let_go(at)
