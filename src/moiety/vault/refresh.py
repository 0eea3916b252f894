"""Refresh: every row of a gallery gets new halves without a face being seen again, while searches go on.

Vault A drives it: it pulls B's differences (old pad - new pad), adds them to its rows, draws new salts and tells B the
new commitments (`renewal` has B's side). When both have the new halves on disk B decides; then A switches; then both
drop the old ones. A difference is in memory only: it stands in no file, log, journal or queue. After a crash B's word
settles it: `resolve`.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import DiskFull, HalvesApart, OutOfStep, Refusal, Unavailable
from moiety.vault import register
from moiety.vault.generations import Generation
from moiety.vault.halves import AT_ONCE, COMMITMENT_BYTES, SALT_BYTES
from moiety.vault.memory import reserve
from moiety.vault.shelf import arranged
from moiety.warrants.batch import commit_rows
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from numpy.typing import NDArray

    from moiety.vault.cabinet import Cabinet
    from moiety.vault.journal import Journal
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.register import Rows
    from moiety.vault.rows import RowStore
    from moiety.vault.turns import Changes, Hold, Turns
    from moiety.wire.frames import Buffer
    from moiety.wire.links import Client

_log = logging.getLogger(__name__)

MARK_BYTES = 16
CALL_SECONDS = 120.0
MEETINGS, MEET_AGAIN_SECONDS = 10, 0.5
# Left free beside the new halves: the journal and the log grow too.
SPARE_BYTES = 64 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(slots=True)
class Progress:
    """How far a refresh is, for people."""

    rows: int
    done: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did."""

    gallery: str
    epoch: int
    rows: int
    seconds: float


@dataclass(slots=True, repr=False)
class _Renewal:
    """One refresh on its way at A: `rows` are the live ones, then those that both have prepared."""

    old: Generation
    new: Generation
    policy: GalleryPolicy
    rows: Rows
    lanes_old: tuple[NDArray[np.uint16], NDArray[np.uint16]]
    lanes: NDArray[np.uint16]
    lost: list[bytes]

    def about(self, part: slice | None = None) -> dict[str, object]:
        """Name the refresh, and some rows of it."""
        meta: dict[str, object] = {"gallery": self.new.gallery, "next": self.new.mark.hex()}
        return meta if part is None else meta | {"first": part.start, "count": part.stop - part.start}

    def old_rows(self, part: slice) -> NDArray[np.uint16]:
        """Give the rows of the epoch in force, live or prepared."""
        live, prepared = self.lanes_old
        if part.stop <= len(live):
            return live[part]
        return np.concatenate([live[part], prepared[max(0, part.start - len(live)) : part.stop - len(live)]])


class Refreshing:
    """Refreshes one gallery at a time; who calls sees to it that nobody else tends the gallery."""

    def __init__(
        self, journal: Journal, cabinet: Cabinet, rows: RowStore, peer: Client, turns: Turns, changes: Changes
    ) -> None:
        """Ask B over `peer`."""
        self._journal = journal
        self._cabinet = cabinet
        self._rows = rows
        self._peer = peer
        self._turns = turns
        self._changes = changes
        self.progress: dict[str, Progress] = {}
        # Awaited between the switch and the end of the old halves: whoever keeps copies takes those of the new epoch.
        self.before_drop: Callable[[str], Awaitable[object]] | None = None

    async def run(self, gallery: str) -> Refreshed:
        """Give all rows of an attested gallery new halves.

        Raises:
            Busy, OutOfStep, PartDown: it cannot be begun or went wrong; the old epoch is in force, unless B has
                decided already, and then the next question ends it.
            DiskFull: there is no room; nothing has changed.

        """
        began = time.monotonic()
        self._must_have_room(gallery)
        try:
            with self._changes.held(gallery) as hold:
                made = await self._begin(gallery)
                await self._prepare(made, hold)
                await self._decide(made)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise DiskFull("The disk of vault A is full; the refresh was given up and nothing was changed.") from None
        finally:
            self.progress.pop(gallery, None)
        await self._drop(gallery)
        return Refreshed(gallery, made.new.epoch, len(made.rows), time.monotonic() - began)

    async def _prepare(self, made: _Renewal, hold: Hold) -> None:
        """Make the new halves durable at both, or leave nothing of them."""
        try:
            await self._renew(made, hold)
            await asyncio.to_thread(self._cabinet.enter, made.new)
        except BaseException:
            await self._give_up(made)
            raise

    def _must_have_room(self, gallery: str) -> None:
        """Refuse before anything is written where the new halves would not fit."""
        policy, shelf = self._cabinet.policy(gallery), self._cabinet.shelf(gallery)
        needed = len(shelf) * (2 * policy.dim + SALT_BYTES + COMMITMENT_BYTES) + SPARE_BYTES
        if shutil.disk_usage(self._rows.folder).free < needed:
            raise DiskFull(
                f"A refresh of this gallery needs {needed >> 20} MiB of disk at vault A; nothing was changed."
            )

    # ---- begin ----

    async def _begin(self, gallery: str) -> _Renewal:
        """Agree with B on the rows, as soon as what the gate has decided is known to both.

        Raises:
            OutOfStep: they have not the same rows.

        """
        for _ in range(MEETINGS - 1):
            try:
                return await self._meet(gallery)
            except OutOfStep:
                await asyncio.sleep(MEET_AGAIN_SECONDS)
        return await self._meet(gallery)

    async def _meet(self, gallery: str) -> _Renewal:
        """Ask B to begin, with the rows that A has now."""
        async with self._changes.one(gallery):
            old, shelf = self._cabinet.generation(gallery), self._cabinet.shelf(gallery)
            mine = register.in_state(self._journal, gallery, "prepared")
            new = Generation(gallery, old.epoch + 1, os.urandom(MARK_BYTES))
            meta = {"gallery": gallery, "epoch": old.epoch, "mark": old.mark.hex(), "next": new.mark.hex()}
            told = [shelf.order_digest(), b"".join(mine)]
            reply = await self._peer.call(Kind.REFRESH_BEGIN, meta, told, CALL_SECONDS)
            common = register.cut(bytes(reply.buffers[0]))
            return await asyncio.to_thread(self._gather, old, new, mine, common)

    def _gather(self, old: Generation, new: Generation, mine: list[bytes], common: list[bytes]) -> _Renewal:
        """Gather what is to be renewed."""
        gallery, shelf = old.gallery, self._cabinet.shelf(old.gallery)
        policy, more = self._cabinet.policy(gallery), self._cabinet.rows(gallery, common)
        prepared, _ = self._cabinet.read(gallery, old.epoch, more)
        rows = shelf.rows.joined(more)
        # A crash from here on leaves files of no generation: the next start, or the next refresh, removes them.
        self._rows.drop(new)
        self.progress[gallery] = Progress(len(rows))
        lost = [row_id for row_id in mine if row_id not in set(common)]
        return _Renewal(old, new, policy, rows, (shelf.lanes, prepared), reserve(len(rows), policy.dim), lost)

    # ---- rows ----

    async def _renew(self, made: _Renewal, hold: Hold) -> None:
        """Pull, add, write and push, some thousand rows at a time; the next pull runs beside the work."""
        parts = [slice(at, min(at + AT_ONCE, len(made.rows))) for at in range(0, len(made.rows), AT_ONCE)]
        pulled: asyncio.Task[Buffer] | None = None
        try:
            for part, following in itertools.zip_longest(parts, parts[1:]):
                delta = await (pulled or asyncio.create_task(self._pull(made, part)))
                pulled = following and asyncio.create_task(self._pull(made, following))
                told = await asyncio.to_thread(self._apply, made, part, delta)
                await self._peer.call(Kind.REFRESH_PUSH, made.about(part), [told], CALL_SECONDS)
                self.progress[made.new.gallery].done = part.stop
                hold.part = part.stop / len(made.rows)
        finally:
            if pulled:
                pulled.cancel()
        if parts:
            await asyncio.to_thread(self._rows.sync, made.new, made.policy.dim)

    async def _pull(self, made: _Renewal, part: slice) -> Buffer:
        """Fetch B's differences of some rows."""
        reply = await self._peer.call(Kind.REFRESH_PULL, made.about(part), (), CALL_SECONDS)
        return reply.buffers[0]

    def _apply(self, made: _Renewal, part: slice, delta: Buffer) -> bytes:
        """Make and write the new rows of a part; returns their commitments."""
        differences = np.frombuffer(delta, np.uint16)
        if differences.size != (part.stop - part.start) * made.policy.dim:
            raise OutOfStep("Vault B sent differences of another size.")
        lanes, rows = made.lanes[part], made.rows.part(part)
        np.add(made.old_rows(part), differences.reshape(lanes.shape), out=lanes)
        salts = np.frombuffer(os.urandom(SALT_BYTES * len(rows)), np.uint8).reshape(-1, SALT_BYTES)
        told = commit_rows((made.policy.tenant, made.new.gallery, made.new.epoch), rows.ids, salts, lanes)
        self._rows.write(made.new, made.policy.dim, rows.slots, (lanes, salts, told))
        return b"".join(told)

    # ---- the decision ----

    async def _decide(self, made: _Renewal) -> None:
        """Let B put the new epoch into force, then follow. If its answer is lost, `resolve` asks again."""
        try:
            await self._peer.call(Kind.REFRESH_COMMIT, made.about(), (), CALL_SECONDS)
        except Refusal as refusal:
            if isinstance(refusal, Unavailable) and not isinstance(refusal, OutOfStep | DiskFull):
                raise
            await self._give_up(made)
            raise
        await self._switch(made)

    async def _switch(self, made: _Renewal) -> None:
        gallery = made.new.gallery
        async with self._changes.one(gallery), self._turns.alone(gallery):
            shelf = arranged(made.new.epoch, made.rows, made.lanes, self._cabinet.shelf(gallery).rows)
            await asyncio.to_thread(self._cabinet.switch, made.new, shelf, made.lost, keep=False)

    async def _give_up(self, made: _Renewal) -> None:
        """Let go of the new halves at both; B, when it is away, does so by itself."""
        gallery = made.new.gallery
        await asyncio.to_thread(self._cabinet.let_go, gallery)
        await asyncio.to_thread(self._rows.drop, made.new)
        try:
            await self._peer.call(Kind.REFRESH_DROP, {"gallery": gallery, "keep": made.old.epoch}, (), CALL_SECONDS)
        except Refusal as refusal:
            told = {"slug": refusal.slug}
            _log.warning("vault-a: vault B was not told that a refresh was given up: %(slug)s", told)

    async def _drop(self, gallery: str) -> None:
        """End the old halves: B's pads in memory at once, files and keys when copies of the new epoch are kept."""
        about = {"gallery": gallery, "keep": self._cabinet.epoch(gallery)}
        await self._peer.call(Kind.REFRESH_DROP, about | {"memory": True}, (), CALL_SECONDS)
        if self.before_drop:
            await self.before_drop(gallery)
        await self._peer.call(Kind.REFRESH_DROP, about, (), CALL_SECONDS)
        await asyncio.to_thread(self._cabinet.let_go, gallery)

    # ---- after a crash ----

    async def resolve(self, gallery: str) -> None:
        """End what a crash has left of a refresh, and see that both vaults hold halves of one epoch.

        Raises:
            PartDown: B is away.
            HalvesApart: the halves do not fit each other: one vault was restored from an old backup.

        """
        mine = self._cabinet.generation(gallery)
        reply = await self._peer.call(Kind.REFRESH_STATE, {"gallery": gallery}, (), CALL_SECONDS)
        epoch, mark = int(reply.meta["epoch"]), bytes.fromhex(reply.meta["mark"])
        held = self._cabinet.held(gallery)
        if (epoch, mark) != (mine.epoch, mine.mark):
            new = held.get(epoch)
            if new is None or new.mark != mark or epoch != mine.epoch + 1:
                raise HalvesApart(_apart(gallery, mine.epoch, epoch))
            await self._follow(new, register.cut(bytes(reply.buffers[0])))
        if len(self._cabinet.held(gallery)) > 1 or len(reply.meta["held"]) > 1 or reply.meta["under_way"]:
            await self._drop(gallery)

    async def _follow(self, new: Generation, prepared_at_b: list[bytes]) -> None:
        """Put into force what B has put into force already."""
        gallery = new.gallery
        async with self._changes.one(gallery), self._turns.alone(gallery):
            mine = register.in_state(self._journal, gallery, "prepared")
            lost = [row_id for row_id in mine if row_id not in set(prepared_at_b)]
            await asyncio.to_thread(self._cabinet.take_over, new, lost)


def _apart(gallery: str, mine: int, theirs: int) -> str:
    """Say plainly that the halves do not fit."""
    return (
        f"Vault A holds epoch {mine} of gallery {gallery}, vault B epoch {theirs}; these halves do not fit. "
        "Restore both vaults from one pair of backups, made of the same epoch."
    )
