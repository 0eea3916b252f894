"""Where a page shows what somebody decided: the ledger's entry of it, for whoever may read that entry."""

from dataclasses import dataclass

from moiety.access import Permission
from moiety.console.frame import Frame
from moiety.foundation.ids import GalleryId
from moiety.storage import LedgerEntry, Transaction
from moiety.storage.ledger_entries import Wanted


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry, and the page that proves it to this reader."""

    seq: int
    address: str


def last(tx: Transaction, act: str, gallery: GalleryId) -> LedgerEntry | None:
    """Give the newest entry of an act in a gallery, however long ago it was."""
    return next(iter(tx.ledger.search(Wanted(act=act, gallery_id=gallery), before=None, limit=1)), None)


def proof(frame: Frame, *entries: LedgerEntry | None) -> Proof | None:
    """Lead to the newest of some entries that the reader may read: any for some roles, their own for everybody."""
    reads, me = frame.may(Permission.LEDGER_READ), frame.caller.key_id
    mine = [one.seq for one in entries if one is not None and (reads or one.actor == me)]
    return Proof(max(mine), f"/{'ledger' if reads else 'proof'}/{max(mine)}") if mine else None
