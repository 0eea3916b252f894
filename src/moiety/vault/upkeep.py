"""How vault A tends the galleries of both vaults: settled and attested before an answer, scrubbed, refreshed in time.

The words that commands on A's machine may ask: `refresh`, `scrub`, `upkeep`. Nobody else can ask for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import Busy, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from moiety.foundation.clock import Clock
    from moiety.vault.attest import Attested, Attesting
    from moiety.vault.cabinet import Cabinet
    from moiety.vault.journal import Journal
    from moiety.vault.refresh import Refreshed, Refreshing

_log = logging.getLogger(__name__)

HOUR_SECONDS = 3600
# How often the schedule looks whether something is due, and how soon it tries again what failed.
LOOK_SECONDS = 10.0
# How long a question waits for its gallery to be attested, which a start or a doubt has made necessary.
PATIENCE_SECONDS = 5.0
SCRUB, REFRESH = "scrub", "refresh"


_TIMES = "SELECT gallery, at FROM upkeep WHERE work = ?"


@dataclass(frozen=True, slots=True)
class Hours:
    """How often each gallery is scrubbed and refreshed; 0: only when somebody asks."""

    scrub: int
    refresh: int


class Upkeep:
    """One piece of work at a time for each gallery; questions do not wait for it but for their first attestation."""

    def __init__(
        self,
        cabinet: Cabinet,
        journal: Journal,
        work: tuple[Attesting, Refreshing],
        clock: Clock,
        hours: Hours,
    ) -> None:
        """Keep the times of the last work in `journal`."""
        self._cabinet = cabinet
        self._journal = journal
        self._attesting, self._refreshing = work
        self._clock = clock
        self._hours = hours
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Galleries that were attested since they were loaded, and those that are settled as well: both vaults were
        # found to have the same epoch and to have excluded the same, and nothing has gone wrong since.
        self._attested: set[str] = set()
        self._sure: set[str] = set()
        self._making: dict[str, asyncio.Task[None]] = {}

    def words(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """Map each word to what answers it."""
        return {SCRUB: self._scrub_word, REFRESH: self._refresh_word, "upkeep": self._upkeep_word}

    # ---- before a question ----

    async def ready(self, gallery: str) -> None:
        """See that a gallery is settled and attested before it answers.

        Raises:
            UnknownGallery: there is none.
            Busy: that takes longer than a question waits.
            PartDown, HalvesApart: it cannot be done now.

        """
        self._cabinet.policy(gallery)
        if gallery in self._sure:
            return
        if gallery not in self._making:
            self._making[gallery] = asyncio.create_task(self._make_sure(gallery))
            self._making[gallery].add_done_callback(lambda task: self._made(gallery, task))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(self._making[gallery])
        except TimeoutError:
            raise Busy("The gallery's rows are being attested after a start; try again in 10 s.") from None

    def _made(self, gallery: str, task: asyncio.Task[None]) -> None:
        """Count an error as seen where nobody waits any more."""
        self._making.pop(gallery, None)
        if not task.cancelled():
            task.exception()

    async def _make_sure(self, gallery: str) -> None:
        async with self._tended(gallery):
            if gallery not in self._sure:
                await self._settle(gallery)

    async def _settle(self, gallery: str) -> None:
        await self._refreshing.resolve(gallery)
        if gallery in self._attested:
            await self._attesting.align(gallery)
        else:
            await self._attesting.attest(gallery, files=False)
        self._attested.add(gallery)
        self._sure.add(gallery)

    def doubt(self, gallery: str) -> None:
        """Let the next question find out first whether both vaults still have the same."""
        self._sure.discard(gallery)

    @asynccontextmanager
    async def _tended(self, gallery: str) -> AsyncIterator[None]:
        """Keep others from tending the gallery; whatever goes wrong meanwhile makes it doubtful."""
        async with self._locks[gallery]:
            try:
                yield
            except BaseException:
                self.doubt(gallery)
                raise

    # ---- work ----

    async def scrub(self, gallery: str) -> Attested:
        """Read everything again from both disks, and exclude what was damaged.

        Raises:
            PartDown, HalvesApart: vault B is away or does not fit.

        """
        self._cabinet.policy(gallery)
        async with self._tended(gallery):
            await self._refreshing.resolve(gallery)
            found = await self._attesting.attest(gallery, files=True)
            self._attested.add(gallery)
            self._sure.add(gallery)
            await asyncio.to_thread(self._note, SCRUB, gallery)
        return found

    async def refresh(self, gallery: str) -> Refreshed:
        """Give every row of a gallery new halves.

        Raises:
            PartDown, HalvesApart, OutOfStep, DiskFull: it was not done; the next question finds one whole epoch.

        """
        self._cabinet.policy(gallery)
        async with self._tended(gallery):
            # Only what is attested may be carried over: new commitments would hide what was altered before.
            if gallery not in self._sure:
                await self._settle(gallery)
            done = await self._refreshing.run(gallery)
            await asyncio.to_thread(self._note, REFRESH, gallery)
        return done

    def _note(self, work: str, gallery: str) -> None:
        with self._journal.transaction() as db:
            # A crash before the commit leaves the old time: the work is done once more.
            db.execute("INSERT OR REPLACE INTO upkeep VALUES (?, ?, ?)", (gallery, work, self._clock.now()))

    # ---- in time ----

    async def run(self) -> None:
        """Attest after the start, then scrub and refresh whatever is due, for ever."""
        failed = ""
        while True:
            for gallery in [policy.gallery for policy in self._cabinet.policies]:
                try:
                    await self._tend(gallery)
                except Refusal as refusal:
                    if refusal.slug != failed:
                        _log.warning(
                            "vault-a: upkeep of %(gallery)s waits: %(why)s", {"gallery": gallery, "why": refusal}
                        )
                    failed = refusal.slug
                else:
                    failed = ""
            await asyncio.sleep(LOOK_SECONDS)

    async def _tend(self, gallery: str) -> None:
        """Do what is due for one gallery."""
        if gallery not in self._sure:
            await self._make_sure(gallery)
        if await asyncio.to_thread(self._due, SCRUB, gallery, self._hours.scrub):
            await self.scrub(gallery)
        if await asyncio.to_thread(self._due, REFRESH, gallery, self._hours.refresh):
            await self.refresh(gallery)

    def _due(self, work: str, gallery: str, hours: int) -> bool:
        """Say whether work is due; a gallery that has never seen it begins to count now."""
        if not hours:
            return False
        last = self._journal.read("SELECT at FROM upkeep WHERE gallery = ? AND work = ?", (gallery, work))
        if not last:
            self._note(work, gallery)
            return False
        return bool(self._clock.now() - last[0][0] >= hours * HOUR_SECONDS)

    # ---- words ----

    def _meant(self, given: dict[str, Any]) -> list[str]:
        """Read which galleries a word is about: one, or all."""
        named = given.get("gallery")
        return [str(named)] if named else sorted(policy.gallery for policy in self._cabinet.policies)

    async def _scrub_word(self, given: dict[str, Any]) -> dict[str, Any]:
        """Scrub one gallery or all."""
        told = []
        for gallery in self._meant(given):
            found = await self.scrub(gallery)
            told.append({"rows": found.rows, "found": len(found.excluded), **self._standing(gallery)})
        return {"galleries": told}

    async def _refresh_word(self, given: dict[str, Any]) -> dict[str, Any]:
        """Refresh one gallery or all."""
        return {"galleries": [asdict(await self.refresh(gallery)) for gallery in self._meant(given)]}

    async def _upkeep_word(self, given: dict[str, Any]) -> dict[str, Any]:
        """Tell how the galleries stand, and how far a refresh is."""
        return {"galleries": [self._standing(gallery) for gallery in self._meant(given)]}

    def since(self) -> dict[str, float]:
        """Say since when all galleries have been scrubbed and refreshed: `scrubbed_at`, `refreshed_at`; 0 for never."""
        times = {work: dict(self._journal.read(_TIMES, (work,))) for work in (SCRUB, REFRESH)}
        galleries = [policy.gallery for policy in self._cabinet.policies]
        return {
            name: min((times[work].get(gallery, 0.0) for gallery in galleries), default=0.0)
            for name, work in (("scrubbed_at", SCRUB), ("refreshed_at", REFRESH))
        }

    def _standing(self, gallery: str) -> dict[str, Any]:
        done = dict(self._journal.read("SELECT work, at FROM upkeep WHERE gallery = ?", (gallery,)))
        progress = self._refreshing.progress.get(gallery)
        return {
            "gallery": gallery,
            "epoch": self._cabinet.epoch(gallery),
            "live": len(self._cabinet.shelf(gallery)),
            "attested": gallery in self._attested,
            "excluded": [row_id.hex() for row_id in self._cabinet.excluded(gallery)],
            "scrubbed_at": done.get(SCRUB),
            "refreshed_at": done.get(REFRESH),
            "refreshing": {"done": progress.done, "rows": progress.rows} if progress else None,
        }
