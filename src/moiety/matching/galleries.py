"""Opening galleries at the gate and at both vaults, and settling what a crash left of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.foundation.errors import BadInput, Forbidden, PartDown, Refusal, WarrantRefused
from moiety.foundation.ids import GalleryId, new_gallery_id
from moiety.ledger import Kind as Record
from moiety.matching.desk import Asker
from moiety.matching.thresholds import FMR_DEFAULT, bands
from moiety.storage import GalleryState, IntentKind, IntentState
from moiety.vault.policy import ERASURES_ALONE_PER_DAY, GalleryPolicy, Needs
from moiety.warrants import targets
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.matching.desk import Desk
    from moiety.storage import Gallery, Intent
    from moiety.wire.links import Answer

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}")
PURPOSE_CHARS = (3, 200)
KEEPERS = Asker("gate", "the vaults' keepers have signed for this gallery")


@dataclass(frozen=True, slots=True)
class NewGallery:
    """What an operator says of a new gallery; `table` replaces the model's own false-match rates."""

    name: str
    purpose: str
    fmr: float = FMR_DEFAULT
    retention_days: int | None = None
    probes_per_hour: int = 20_000
    templates_per_hour: int = 100_000
    erasures_per_hour: int = 100_000
    reveals_per_hour: int = 1_000
    table: Mapping[float, float] | None = None

    def check(self) -> None:
        """Check what can be checked without asking anybody.

        Raises:
            BadInput: a name, purpose or number is out of its range.

        """
        if not NAME.fullmatch(self.name) or self.name.startswith("gal_"):
            raise BadInput("A gallery's name has 1 to 63 letters, digits, spaces, dots, dashes; not gal_ in front.")
        if not PURPOSE_CHARS[0] <= len(self.purpose.strip()) <= PURPOSE_CHARS[1] or not self.purpose.isprintable():
            raise BadInput("A gallery needs a purpose, in 3 to 200 characters on one line.")
        if self.retention_days is not None and self.retention_days < 1:
            raise BadInput("Retention is at least one day.")
        if self.table is not None and not self.table:
            raise BadInput("The table has no false-match rate in it; calibrate with photos of more people.")


class Galleries:
    """Creates, lists and settles galleries."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._in_hand: set[GalleryId] = set()

    async def list(self) -> tuple[Gallery, ...]:
        """Give all galleries, by name."""

        def read() -> tuple[Gallery, ...]:
            with self._desk.store.read() as tx:
                return tx.galleries.list()

        return await asyncio.to_thread(read)

    async def create(self, new: NewGallery, asker: Asker) -> Gallery:
        """Open a gallery at the gate and at both vaults, or nowhere.

        Where vaults leave it to their keepers, the gallery stays pending until both have signed for it; `settle` asks.

        Raises:
            BadInput: what was said of it cannot stand.
            AlreadyThere: there is a gallery of that name.
            WarrantRefused: a vault's rules do not allow it.
            PartDown: a part is away; it is settled at the next start.

        """
        new.check()
        drawn = await self._desk.links.eye.call(Kind.ROTATION_NEW, {})
        gallery_id = new_gallery_id()
        # `settle` leaves alone what is being opened in this process.
        self._in_hand.add(gallery_id)
        try:
            return await self._carry_out(gallery_id, new, drawn, asker)
        finally:
            self._in_hand.discard(gallery_id)

    async def _carry_out(self, gallery_id: GalleryId, new: NewGallery, drawn: Answer, asker: Asker) -> Gallery:
        """Write it down, tell both vaults, open it; a refusal is undone."""
        gallery, intent = await asyncio.to_thread(self._begin, gallery_id, new, drawn)
        try:
            opened = await self._tell_vaults(gallery, new)
        except Refusal:
            await self._undo(gallery, intent)
            raise
        if not opened:
            await asyncio.to_thread(self._wait, intent)
            return gallery
        return await asyncio.to_thread(self._open, gallery, intent, asker)

    def _begin(self, gallery_id: GalleryId, new: NewGallery, drawn: Answer) -> tuple[Gallery, Intent]:
        """Write down the pending gallery and that it is about to be opened."""
        told = {float(rate): float(cosine) for rate, cosine in drawn.meta["table"].items()}
        table = told if new.table is None else new.table
        steps = bands(table, new.fmr)
        with self._desk.store.begin() as tx:
            # A crash after this is settled at the next start: the vaults drop the empty gallery, and so does the gate.
            gallery = tx.galleries.create(
                gallery_id=gallery_id,
                name=new.name,
                purpose=new.purpose,
                model_name=str(drawn.meta["name"]),
                model_sha256=str(drawn.meta["model"]),
                dim=int(drawn.meta["dim"]),
                rotation_id=str(drawn.meta["rotation"]),
                fmr_target=new.fmr,
                thresholds=list(steps.values()),
                bands=list(steps),
                retention_days=new.retention_days,
            )
            return gallery, tx.intents.open(IntentKind.GALLERY, gallery.id)

    async def _tell_vaults(self, gallery: Gallery, new: NewGallery) -> bool:
        """Set the first policy at both vaults; false when one of them waits for its keepers."""
        policy = GalleryPolicy(
            tenant=self._desk.tenant,
            gallery=gallery.id,
            version=gallery.policy_version,
            purpose=gallery.purpose,
            model=bytes.fromhex(gallery.model_sha256),
            rotation=bytes.fromhex(gallery.rotation_id),
            dim=gallery.dim,
            thresholds=gallery.thresholds,
            asks=Needs.SERVICE,
            enrols=Needs.SERVICE,
            erases=Needs.SERVICE,
            reveals=Needs.SERVICE,
            erasures_alone_per_day=ERASURES_ALONE_PER_DAY,
            probes_per_hour=new.probes_per_hour,
            templates_per_hour=new.templates_per_hour,
            erasures_per_hour=new.erasures_per_hour,
            reveals_per_hour=new.reveals_per_hour,
        ).encode()
        warrants = [self._desk.plain_warrant(Act.POLICY, gallery, "", targets.of_policy(policy)) for _ in "ab"]
        answers = await self._desk.links.both(Kind.POLICY_SET, {}, [warrants[0], policy], [warrants[1], policy])
        return not any(answer.meta.get("waits") for answer in answers)

    def _wait(self, intent: Intent) -> None:
        """Leave the gallery pending until the vaults' keepers have signed for it."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves it to be taken back at the next start.
            tx.intents.advance(intent.id, IntentState.COMMITTING)

    def _open(self, gallery: Gallery, intent: Intent, asker: Asker) -> Gallery:
        """Both vaults know it: open it and write it into the ledger."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves it pending; the next start takes it back.
            opened = tx.galleries.open(gallery.id)
            tx.intents.close(intent.id)
            self._desk.write_down(tx, Record.ALTERATION, "gallery", gallery, asker)
            return opened

    async def _undo(self, gallery: Gallery, intent: Intent) -> None:
        """Take a gallery back that could not be opened; what cannot be done now is done at the next start."""
        try:
            await self._drop_at_vaults(gallery.id)
        except PartDown:
            return
        await asyncio.to_thread(self._remove, gallery.id, intent.id)

    async def _drop_at_vaults(self, gallery: GalleryId) -> None:
        """Both vaults forget the empty gallery; one that never knew it agrees."""
        await self._desk.links.both(Kind.POLICY_DROP, {"gallery": gallery}, [], [])

    def _remove(self, gallery: GalleryId, intent: int) -> None:
        """Remove the pending gallery and its intent."""
        with self._desk.store.begin() as tx:
            # A crash before the commit leaves both, and the next start comes here again.
            if tx.galleries.get(gallery).state is GalleryState.PENDING:
                tx.galleries.remove(gallery)
            tx.intents.close(intent)

    async def settle(self) -> int:
        """Take back every gallery whose opening was cut short, open those for which keepers have signed; how many."""

        def pending() -> list[Intent]:
            with self._desk.store.read() as tx:
                left = [i for i in tx.intents.pending() if i.kind is IntentKind.GALLERY]
            return [i for i in left if i.gallery_id not in self._in_hand]

        unfinished = await asyncio.to_thread(pending)
        settled = 0
        for intent in unfinished:
            if intent.state is IntentState.PREPARING:
                settled += await self._take_back(intent)
            else:
                settled += await self._ask_again(intent)
        return settled

    async def _take_back(self, intent: Intent) -> bool:
        """Drop a gallery whose opening was cut short, unless keepers have signed for it meanwhile."""
        try:
            await self._drop_at_vaults(intent.gallery_id)
        except Forbidden:
            await asyncio.to_thread(self._wait, intent)
            return False
        await asyncio.to_thread(self._remove, intent.gallery_id, intent.id)
        return True

    async def _ask_again(self, intent: Intent) -> bool:
        """Open a gallery that waited, when the keepers of both vaults have signed for it."""
        gallery = await asyncio.to_thread(self._pending, intent.gallery_id)
        new = NewGallery(gallery.name, gallery.purpose)
        try:
            if not await self._tell_vaults(gallery, new):
                return False
        except WarrantRefused:
            # One vault may have its keepers' policy and the other a bound that the gate's wish exceeds: it goes on.
            return False
        await asyncio.to_thread(self._open, gallery, intent, KEEPERS)
        return True

    def _pending(self, gallery: GalleryId) -> Gallery:
        """Read a gallery that waits."""
        with self._desk.store.read() as tx:
            return tx.galleries.get(gallery)

    async def get(self, name_or_id: str) -> Gallery:
        """Find an open gallery.

        Raises:
            UnknownGallery: there is none of this name or id.

        """
        return await asyncio.to_thread(self._desk.gallery, name_or_id)
