"""Taking a backup on the part's machine: the word `backup` of its local socket, or the same while it stands still."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moiety.archive import after_refresh, places
from moiety.archive.holdings import KEYS, Holdings
from moiety.archive.packing import in_our_words
from moiety.archive.tables import snapshot
from moiety.archive.writing import Order, Writer, remember, remembered
from moiety.cli.database import server_tables
from moiety.foundation import settings
from moiety.foundation.errors import BadInput, Refusal
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from moiety.archive.places import Backup
    from moiety.cli.places import Place
    from moiety.wire.frames import Frame

    Frozen = Callable[[], AbstractAsyncContextManager[None]]

_log = logging.getLogger(__name__)

FOLLOW_SECONDS = 20.0
_OTHER = {Role.VAULT_A: Role.VAULT_B, Role.VAULT_B: Role.VAULT_A}


def order_of(given: dict[str, Any]) -> Order:
    """Read an order as it came over the local socket."""
    to, seeds_to, keys_to = (Path(str(given[name])) for name in ("to", "seeds_to", "keys_to"))
    kept = int(given["days"]), int(given["seeds_days"])
    return Order(to, seeds_to, keys_to, str(given["recipient"]), *kept, bool(given["with_keys"]))


class Taking:
    """Backs up one part; `frozen` keeps those away who would change files meanwhile."""

    def __init__(self, at: Place, frozen: Frozen = contextlib.nullcontext) -> None:
        """Work on the folders of `at`."""
        self._at = at
        self._frozen = frozen
        made = at.installation
        self._folder = made.folder(at.role)
        self._holdings = Holdings(at.role, self._folder, made.keys / at.role, server_tables(at.role))
        self._one_at_a_time = asyncio.Lock()

    async def backup(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take a backup, destroy what is over, and after a refresh what the new epoch replaces.

        Raises:
            BadInput: vault A's and B's would have the same operator.
            DiskFull, Unavailable: nothing was written and nothing destroyed.

        """
        order = order_of(given)
        async with self._one_at_a_time:
            await asyncio.to_thread(self._must_have_its_own_operator, order)
            made: list[Backup] = []
            if not given.get("if_behind") or await asyncio.to_thread(self._is_behind, order):
                async with self._frozen():
                    made = await asyncio.to_thread(self._writer().take, order)
            over = await asyncio.to_thread(self._destroy_due, order)
            left = await self._leave_old_epochs(order)
        return {
            "files": [{"path": str(one.path), "part": one.about.part, "bytes": one.size} for one in made],
            "destroyed": [one.path.name for one in [*over, *left]],
        }

    def _writer(self) -> Writer:
        at = self._at
        return Writer(at.installation.tenant, self._holdings, at.identity.signing, at.clock, at.disk)

    def _must_have_its_own_operator(self, order: Order) -> None:
        """Keep A's and B's backups under different keys, as far as it can be seen from here."""
        other = _OTHER.get(self._at.role)
        if other is None:
            return
        theirs = {remembered(self._at.installation.folder(other)).get("recipient")}
        theirs |= {one.recipient for one in places.found_in([order.to]) if one.about.role == other}
        if order.recipient in theirs:
            raise BadInput(
                f"This recipient opens the backups of {other}; with both, one key would open every template. "
                "Give the other operator's recipient."
            )

    def _own(self, order: Order) -> list[Backup]:
        """List this part's backups where they go."""
        mine = (self._at.role, self._at.installation.tenant)
        found = places.found_in({order.to, order.seeds_to})
        return [one for one in found if (one.about.role, one.about.tenant) == mine]

    def _is_behind(self, order: Order) -> bool:
        """Whether an epoch is in force that no backup holds."""
        kept = after_refresh.kept_epochs(self._own(order), self._at.role, self._at.installation.tenant)
        with self._holdings.frozen() as frozen:
            now = frozen.galleries()
        return any(kept.get(gallery, 0) < mark.epoch for gallery, mark in now.items())

    def _destroy_due(self, order: Order) -> list[Backup]:
        """Destroy what is older than it may become."""
        over = [one for one in self._own(order) if places.due([one], order.kept(one.about.part), self._at.clock.now())]
        for one in over:
            one.destroy(self._at.disk)
        return over

    # ---- after a refresh ----

    async def follow(self) -> None:
        """At a vault: after each refresh copy the new epoch to where the last copy went, for ever."""
        failed = ""
        while self._at.role in _OTHER:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                await self.catch_up()
                failed = ""
            except (Refusal, OSError) as error:
                refusal = in_our_words(error)
                if str(refusal) != failed:
                    told = {"part": self._at.role, "why": refusal}
                    _log.warning("%(part)s: the new epoch is not backed up yet: %(why)s", told)
                failed = str(refusal)

    async def catch_up(self) -> dict[str, Any] | None:
        """Copy an epoch that no copy holds, and let go of those before it; nothing where no copy was ever asked for."""
        given = await asyncio.to_thread(self._left_to_do)
        return await self.backup(given) if given else None

    def _left_to_do(self) -> dict[str, Any] | None:
        """Say what to back up by itself, if anything."""
        told = remembered(self._folder)
        # A folder that is not there is a disk that is not mounted: no copy belongs beneath its name.
        if "to" not in told or not Path(told["to"]).is_dir():
            return None
        if not told.get("waiting") and self._in_force() == told.get("epochs"):
            return None
        days = settings.number("MOIETY_BACKUP_DAYS"), settings.number("MOIETY_BACKUP_SEEDS_DAYS")
        return {**told, "days": days[0], "seeds_days": days[1], "with_keys": False, "if_behind": True}

    def _in_force(self) -> dict[str, int]:
        """Read the epochs in force."""
        with snapshot(self._folder / "journal.sqlite") as moment:
            return dict(moment.read("SELECT gallery, epoch FROM policy"))

    async def _leave_old_epochs(self, order: Order) -> list[Backup]:
        """Tell the other vault what is backed up, hear what it has, and destroy what both have left behind."""
        if self._at.role not in _OTHER:
            return []
        mine = await asyncio.to_thread(self._kept, order)
        await asyncio.to_thread(self._note, epochs=mine)
        theirs = _epochs(remembered(self._folder).get("peer"))
        if self._at.role is Role.VAULT_A and Role.VAULT_B in self._at.addresses:
            line = self._at.client(Role.VAULT_B)
            try:
                answer = await line.call(Kind.BACKED_UP, {"epochs": mine})
                theirs = _epochs(answer.meta["epochs"])
            except Refusal:
                theirs = {}  # B is away: nothing is destroyed before it says what it has
            finally:
                await line.close()
        return await asyncio.to_thread(self._destroy_outdated, order, mine, theirs)

    def _kept(self, order: Order) -> dict[str, int]:
        return after_refresh.kept_epochs(self._own(order), self._at.role, self._at.installation.tenant)

    def _destroy_outdated(self, order: Order, mine: dict[str, int], theirs: dict[str, int]) -> list[Backup]:
        own = self._own(order)
        old = after_refresh.outdated(own, self._at.role, self._at.installation.tenant, mine, theirs)
        old = [one for one in old if one.about.part != KEYS]
        for one in old:
            one.destroy(self._at.disk)
        left = after_refresh.outdated(own, self._at.role, self._at.installation.tenant, mine, mine)
        self._note(waiting=any(one not in old and one.about.part != KEYS for one in left))
        return old

    def _note(self, **told: Any) -> None:
        """Keep which epochs are backed up beside where backups go."""
        remember(self._folder, self._at.disk, **told)

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map what others may ask a vault about backups and restores."""
        if self._at.role not in _OTHER:
            return {}
        handlers: dict[Kind, Callable[[Frame], Awaitable[Answer]]] = {Kind.HELD: self.held}
        if self._at.role is Role.VAULT_B:
            handlers |= {Kind.BACKED_UP: self.backed_up, Kind.HOLDS: self.holds}
        return handlers

    async def held(self, frame: Frame) -> Answer:
        """Give the gate all rows of a gallery that a search may find or that are damaged, and at B the live keys."""
        gallery = str(frame.meta["gallery"])

        def read() -> list[bytes]:
            with snapshot(self._folder / "journal.sqlite") as moment:
                rows = moment.read("SELECT row_id FROM row WHERE gallery = ? AND state <> 'prepared'", (gallery,))
                people = moment.read("SELECT handle FROM person WHERE gallery = ? AND state = 'live'", (gallery,))
                return [b"".join(one for (one,) in found) for found in (rows, people)]

        return Answer({}, await asyncio.to_thread(read))

    async def holds(self, frame: Frame) -> Answer:
        """Give epoch and mark of a gallery's halves in force (0 where it is unknown), and its tombstones."""
        gallery = str(frame.meta["gallery"])

        def read() -> tuple[int, bytes, bytes]:
            with snapshot(self._folder / "journal.sqlite") as moment:
                query = "SELECT epoch, mark FROM policy JOIN generation USING (gallery, epoch) WHERE gallery = ?"
                epoch, mark = next(moment.read(query, (gallery,)), (0, b""))
                buried = moment.read("SELECT row_id FROM tombstone WHERE gallery = ?", (gallery,))
                return epoch, mark, b"".join(row_id for (row_id,) in buried)

        epoch, mark, joined = await asyncio.to_thread(read)
        return Answer({"epoch": epoch, "mark": mark.hex()}, [joined])

    async def backed_up(self, frame: Frame) -> Answer:
        """At B: hear which epochs A has backed up, say which B has, and destroy what both have left behind."""
        theirs = _epochs(frame.meta.get("epochs"))
        await asyncio.to_thread(self._note, peer=theirs)
        told = remembered(self._folder)
        mine = _epochs(told.get("epochs"))
        if "to" in told:
            order = Order(Path(told["to"]), Path(told["seeds_to"]), Path(told["keys_to"]), told["recipient"], 0, 0)
            async with self._one_at_a_time:
                mine = await asyncio.to_thread(self._kept, order)
                await asyncio.to_thread(self._destroy_outdated, order, mine, theirs)
        return Answer({"epochs": mine})


def _epochs(raw: Any) -> dict[str, int]:
    """Read epochs by gallery; nothing where there are none."""
    return {str(gallery): int(epoch) for gallery, epoch in raw.items()} if isinstance(raw, dict) else {}
