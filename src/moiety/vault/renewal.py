"""Vault B's side of a refresh: new seeds, the differences that A adds to its rows, and the decision.

REFRESH_BEGIN   A names the epoch in force and its order; B draws new seeds and holds back changes of rows
REFRESH_PULL    B expands the new pads of some rows and answers old pads - new pads: it is written nowhere
REFRESH_PUSH    A tells the new commitments of these rows; B seals the new seeds into the next generation's file
REFRESH_COMMIT  B puts the next generation into force, durably: from here on the refresh is done, whatever crashes
REFRESH_STATE   B tells which generation is in force, and what it has prepared
REFRESH_DROP    B gives up what it has prepared, and destroys the old seeds once A has the new epoch in force
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.errors import Busy, OutOfStep
from moiety.kernel import expand
from moiety.vault import register
from moiety.vault.generations import Generation
from moiety.vault.halves import COMMITMENT_BYTES, SEED_BYTES
from moiety.vault.memory import reserve
from moiety.vault.seed_records import sealed
from moiety.vault.shelf import arranged
from moiety.warrants.batch import row_nonces
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from numpy.typing import NDArray

    from moiety.foundation.clock import Clock
    from moiety.vault.cabinet import Cabinet
    from moiety.vault.journal import Journal
    from moiety.vault.register import Rows
    from moiety.vault.seeds import SeedStore
    from moiety.vault.turns import Changes, Hold, Turns
    from moiety.wire.frames import Frame

# A that says nothing for so long has gone away: B gives up what it has prepared.
SILENCE_SECONDS = 120.0


@dataclass(slots=True, repr=False)
class _Renewal:
    """One refresh on its way at B: `rows` are the live ones, then those that both have prepared."""

    new: Generation
    rows: Rows
    old: tuple[NDArray[np.uint16], NDArray[np.uint16]]
    lanes: NDArray[np.uint16]
    seeds: NDArray[np.uint8]
    cipher: AESGCM
    hold: Hold
    lost: list[bytes]
    pushed: int = 0
    alarm: asyncio.TimerHandle | None = None
    working: asyncio.Lock = field(default_factory=asyncio.Lock)

    def old_lanes(self, part: slice) -> NDArray[np.uint16]:
        """Give the old pads of some rows, live or prepared."""
        live, prepared = self.old
        if part.stop <= len(live):
            return live[part]
        return np.concatenate([live[part], prepared[max(0, part.start - len(live)) : part.stop - len(live)]])


class Renewing:
    """The handlers, and the refreshes on their way, by gallery."""

    def __init__(
        self, journal: Journal, cabinet: Cabinet, seeds: SeedStore, clock: Clock, turns: Turns, changes: Changes
    ) -> None:
        """Renew what `seeds` keeps."""
        self._journal = journal
        self._cabinet = cabinet
        self._seeds = seeds
        self._clock = clock
        self._turns = turns
        self._changes = changes
        self._under_way: dict[str, _Renewal] = {}

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """List what A may ask."""
        return {
            Kind.REFRESH_BEGIN: self._begin,
            Kind.REFRESH_PULL: self._pull,
            Kind.REFRESH_PUSH: self._push,
            Kind.REFRESH_COMMIT: self._commit,
            Kind.REFRESH_STATE: self._state,
            Kind.REFRESH_DROP: self._drop,
        }

    # ---- begin ----

    async def _begin(self, frame: Frame) -> Answer:
        """Draw new seeds for the rows that both have; answers which prepared rows are among them, in order."""
        gallery = str(frame.meta["gallery"])
        order, theirs = bytes(frame.buffers[0]), register.cut(bytes(frame.buffers[1]))
        async with self._changes.one(gallery):
            if gallery in self._under_way:
                raise Busy("The gallery's halves are being renewed already; try again in 10 s.")
            of, shelf = self._cabinet.generation(gallery), self._cabinet.shelf(gallery)
            fits = (of.epoch, of.mark.hex()) == (frame.meta["epoch"], frame.meta["mark"])
            if not fits or shelf.order_digest() != order or max(self._cabinet.held(gallery)) != of.epoch:
                raise OutOfStep
            hold = self._changes.hold(gallery)
            try:
                made = await asyncio.to_thread(self._prepare, gallery, bytes.fromhex(frame.meta["next"]), theirs, hold)
            except BaseException:
                self._changes.release(gallery)
                raise
            self._under_way[gallery] = made
        self._wind_up(gallery, made)
        return Answer({}, [made.rows.ids[len(shelf) :].tobytes()])

    def _prepare(self, gallery: str, mark: bytes, theirs: list[bytes], hold: Hold) -> _Renewal:
        """Gather what is to be renewed; a prepared row that only one vault has will not be carried over."""
        of, shelf, policy = (
            self._cabinet.generation(gallery),
            self._cabinet.shelf(gallery),
            self._cabinet.policy(gallery),
        )
        mine = register.in_state(self._journal, gallery, "prepared")
        common = [row_id for row_id in mine if row_id in set(theirs)]
        more = self._cabinet.rows(gallery, common)
        old, damaged = self._cabinet.read(gallery, of.epoch, more)
        # A seed that opens no more gets a new one: whatever A makes of it differs from its commitment, and shows.
        del damaged
        rows = shelf.rows.joined(more)
        new = Generation(gallery, of.epoch + 1, mark, 1, self._clock.now(), 0)
        # A crash from here to the commit leaves a key and a file of no generation: the next start removes them.
        self._seeds.drop(new)
        return _Renewal(
            new=new,
            rows=rows,
            old=(shelf.lanes, old),
            lanes=reserve(len(rows), policy.dim),
            seeds=np.frombuffer(os.urandom(SEED_BYTES * len(rows)), np.uint8).reshape(-1, SEED_BYTES),
            cipher=self._seeds.make_key(new),
            hold=hold,
            lost=[row_id for row_id in mine if row_id not in set(common)],
        )

    def _wind_up(self, gallery: str, made: _Renewal) -> None:
        """Give up later, unless A says something before."""
        if made.alarm:
            made.alarm.cancel()
        made.alarm = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._give_up, gallery, made)

    def _give_up(self, gallery: str, made: _Renewal) -> None:
        """Forget a refresh; its file and key go when the next begins or the vault starts."""
        if self._under_way.get(gallery) is made:
            del self._under_way[gallery]
            self._changes.release(gallery)
        if made.alarm:
            made.alarm.cancel()

    def _found(self, frame: Frame) -> tuple[str, _Renewal]:
        """Find the refresh that a frame belongs to."""
        gallery = str(frame.meta["gallery"])
        made = self._under_way.get(gallery)
        if made is None or made.new.mark.hex() != frame.meta["next"]:
            raise OutOfStep("Vault B knows of no such refresh.")
        self._wind_up(gallery, made)
        return gallery, made

    # ---- rows ----

    async def _pull(self, frame: Frame) -> Answer:
        """Answer the differences u16[count, d] of some rows."""
        gallery, made = self._found(frame)
        part = _part(frame, made)
        policy = self._cabinet.policy(gallery)

        def differ() -> NDArray[np.uint16]:
            nonces = row_nonces((policy.tenant, gallery, made.new.epoch), made.rows.ids[part])
            expand(made.seeds[part], nonces, policy.dim, made.lanes[part])
            difference: NDArray[np.uint16] = made.old_lanes(part) - made.lanes[part]
            return difference

        delta = await asyncio.to_thread(differ)
        made.hold.part = part.stop / max(1, len(made.rows))
        return Answer({}, [delta.reshape(-1).view(np.uint8).data])

    async def _push(self, frame: Frame) -> Answer:
        """Seal the new seeds of some rows with the commitments u8[count, 32] of A's new rows."""
        _, made = self._found(frame)
        part = _part(frame, made)
        kept = np.frombuffer(bytes(frame.buffers[0]), np.uint8).reshape(-1, COMMITMENT_BYTES)

        def write() -> None:
            rows = made.rows.part(part)
            records = sealed(made.cipher, made.new, rows.ids, made.seeds[part], kept)
            self._seeds.flat(made.new).write(rows.slots, records)

        async with made.working:
            if part.start != made.pushed:
                raise OutOfStep("The rows of a refresh come in their order.")
            await asyncio.to_thread(write)
            made.pushed = part.stop
        return Answer({})

    # ---- the decision ----

    async def _commit(self, frame: Frame) -> Answer:
        """Put the next generation into force; the shelf of the one before stays until A has switched too."""
        gallery, made = self._found(frame)
        if made.pushed != len(made.rows):
            raise OutOfStep("The rows of a refresh are not complete.")
        # A link that breaks ends the waiting, not the work.
        await asyncio.shield(asyncio.create_task(self._decide(gallery, made)))
        return Answer({})

    async def _decide(self, gallery: str, made: _Renewal) -> None:
        new = replace(made.new, flat=int(made.rows.slots.max()) + 1 if len(made.rows) else 0)
        if new.flat:
            await asyncio.to_thread(self._seeds.flat(new).sync)
        async with self._changes.one(gallery), self._turns.alone(gallery):
            if self._under_way.get(gallery) is not made:
                # Given up while this waited for its turn: the new key may be destroyed already.
                raise OutOfStep("Vault B knows of no such refresh.")
            shelf = arranged(new.epoch, made.rows, made.lanes, self._cabinet.shelf(gallery).rows)
            await asyncio.to_thread(self._cabinet.switch, new, shelf, made.lost, keep=True)
            self._give_up(gallery, made)

    async def _state(self, frame: Frame) -> Answer:
        """Tell A where B stands."""
        gallery = str(frame.meta["gallery"])
        of, made = self._cabinet.generation(gallery), self._under_way.get(gallery)
        told = {
            "epoch": of.epoch,
            "mark": of.mark.hex(),
            "held": sorted(self._cabinet.held(gallery)),
            "under_way": made.new.mark.hex() if made else "",
        }
        return Answer(told, [b"".join(register.in_state(self._journal, gallery, "prepared"))])

    async def _drop(self, frame: Frame) -> Answer:
        """Let go of everything but the epoch in force: what was prepared and, unless `memory`, the old seeds."""
        gallery, keep = str(frame.meta["gallery"]), int(frame.meta["keep"])
        # Not while a commit whose asker went away is being carried out all the same.
        async with self._changes.one(gallery), self._turns.alone(gallery):
            if keep != self._cabinet.epoch(gallery):
                raise OutOfStep
            made = self._under_way.get(gallery)
            if made:
                self._give_up(gallery, made)
                await asyncio.to_thread(self._seeds.drop, made.new)
            await asyncio.to_thread(self._cabinet.let_go, gallery, files=not frame.meta.get("memory"))
        return Answer({})


def _part(frame: Frame, made: _Renewal) -> slice:
    """Read which rows a frame is about."""
    first, count = int(frame.meta["first"]), int(frame.meta["count"])
    if not 0 <= first <= first + count <= len(made.rows):
        raise OutOfStep("A refresh has no such rows.")
    return slice(first, first + count)
