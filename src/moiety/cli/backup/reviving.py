"""What a restored part does before it serves: it learns who was erased since, and forgets them too."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from moiety.archive.restoring import Folders, end, marked
from moiety.archive.tables import snapshot
from moiety.cli.backup import tombstones
from moiety.foundation.errors import Fault, PartDown
from moiety.vault.journal import Journal
from moiety.vault.policy import GalleryPolicy
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from moiety.cli.backup.tombstones import Buried
    from moiety.cli.places import Place
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk
    from moiety.foundation.envelopes import KeyRing
    from moiety.vault.halves import Halves

_log = logging.getLogger(__name__)

JOURNAL = "journal.sqlite"
_SPENT_KEYS = "store-*.key"


async def revive(at: Place) -> None:
    """Bring a part's restored folder up to date before it is opened; any other folder is left as it is.

    Raises:
        Fault: nobody says who was erased since, or the other vault's halves do not fit.

    """
    if marked(at.installation.folder(at.role)) is None:
        return
    if at.role in {Role.VAULT_A, Role.VAULT_B}:
        journal = at.installation.folder(at.role) / JOURNAL
        epochs = await asyncio.to_thread(_epochs, journal)
        buried = await tombstones.obtain(at, epochs)
        if at.role is Role.VAULT_A:
            await _compare(at, epochs, buried)
        folder = at.installation.folder(at.role)
        await asyncio.to_thread(bury, at.role, folder, at.identity.keys, buried, at.clock, at.disk)
    if at.role is not Role.GATE:
        let_go(at)


def let_go(at: Place) -> None:
    """Take the mark away; from now on the part is like any other."""
    end(Folders(at.installation.data, at.installation.keys / at.role, at.role), at.disk)


def _epochs(journal: Path) -> dict[str, tuple[int, bytes]]:
    """Read which epoch of each gallery is in force, and the mark of its refresh."""
    query = "SELECT gallery, epoch, mark FROM policy JOIN generation USING (gallery, epoch)"
    with snapshot(journal) as moment:
        return {gallery: (epoch, mark) for gallery, epoch, mark in moment.read(query)}


async def _compare(at: Place, epochs: Mapping[str, tuple[int, bytes]], buried: Buried) -> None:
    """At A: hold the epochs against B's, and learn B's tombstones too; where B is away, its first question will tell.

    Raises:
        Fault: B holds another epoch; the halves would not fit.

    """
    line = at.client(Role.VAULT_B)
    try:
        await tombstones.until_there(line)
        for gallery, (epoch, mark) in epochs.items():
            answer = await line.call(Kind.HOLDS, {"gallery": gallery})
            theirs = int(answer.meta["epoch"]), bytes.fromhex(answer.meta["mark"])
            if theirs not in {(epoch, mark), (0, b"")}:
                raise Fault(
                    f"The halves do not fit: vault A was restored at epoch {epoch} of {gallery}, vault B holds epoch "
                    f"{theirs[0]}. Restore a pair that fits: moiety backup list DIR… names them."
                )
            buried.setdefault(gallery, set()).update(tombstones.cut(bytes(answer.buffers[0])))
    except PartDown:
        _log.warning("vault-a: restored while vault B is away; its epochs were not compared")
    finally:
        await line.close()


def bury(role: Role, folder: Path, keys: KeyRing, buried: Buried, clock: Clock, disk: Disk) -> None:
    """Destroy in a vault's folder whatever has a tombstone: rows and seeds, at B personal keys too.

    A crash in the middle leaves the mark, and the next start does it again.
    """
    from moiety.vault.rows import RowStore  # noqa: PLC0415 - they load the kernel, which parts without halves need not
    from moiety.vault.seeds import SeedStore  # noqa: PLC0415 - as above

    with closing(Journal(folder / JOURNAL, disk)) as journal:
        halves: Halves
        if role is Role.VAULT_A:
            halves = RowStore(journal, folder / "rows", disk)
        else:
            halves = SeedStore(journal, keys, folder / "seeds", clock, disk)
        for (raw,) in journal.read("SELECT raw FROM policy"):
            policy = GalleryPolicy.decode(raw)
            gone = sorted(buried.get(policy.gallery, ()))
            halves.destroy(policy, gone, clock.now())
            with journal.transaction() as db:
                db.executemany(
                    "DELETE FROM person WHERE handle = ? AND gallery = ?", [(one, policy.gallery) for one in gone]
                )
            about = {"part": role, "count": len(gone), "gallery": policy.gallery}
            _log.info("%(part)s: restored; %(count)d tombstones of %(gallery)s were applied", about)
        if role is Role.VAULT_B:
            _forget_other_keys(keys, journal)
        journal.scour()


def _forget_other_keys(keys: KeyRing, journal: Journal) -> None:
    """Destroy the store's keys of what was there before: the restored journal would come to their names again."""
    ((number,),) = journal.read("SELECT number FROM store_key")
    wanted = {f"store-{number}.key", f"store-{number - 1}.key"}
    wanted |= {
        f"store-{gallery}.{epoch}.{key}.key"
        for gallery, epoch, key in journal.read("SELECT gallery, epoch, sealing FROM generation")
    }
    for name in keys.names():
        if fnmatch(name, _SPENT_KEYS) and name not in wanted:
            keys.forget(name)
