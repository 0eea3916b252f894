"""A gate that was taken over: its keys, links and database are a thief's, who may say to the others what he likes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.drill.forger import Forger
from moiety.foundation.errors import Fault, Refusal
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.matching.asking import Asking, SealedProbe, told
from moiety.matching.desk import Asker
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.warrants.warrant import NOTHING, Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moiety.drill.drill import Obtained
    from moiety.drill.ground import Ground
    from moiety.people.enrol import Enrolled
    from moiety.people.house import House
    from moiety.storage import Gallery

THIEF = Asker("owner", "a thief in the gate")
PURPOSE = "a drill against a gate that was taken over"
CANARIES_AT_ONCE = 16


def take_over(ground: Ground, work: Callable[[Thief], Awaitable[Obtained]]) -> Obtained:
    """Let a thief work in the gate's place."""

    async def run() -> Obtained:
        thief = Thief(ground, ground.house())
        try:
            return await work(thief)
        finally:
            await thief.close()

    return asyncio.run(run())


@dataclass
class Thief:
    """The gate's services in a thief's hands."""

    ground: Ground
    house: House

    async def close(self) -> None:
        """End this gate."""
        lines = self.house.desk.links
        for line in (lines.eye, lines.a, lines.b, lines.mint):
            await line.close()
        self.house.desk.store.close()

    # ---- what he needs before he begins: galleries with people in them ----

    async def gallery(self, what: str, **more: Any) -> Gallery:
        """Open a gallery as the gate does."""
        return await self.house.galleries.create(NewGallery(self.ground.name(what), PURPOSE, **more), THIEF)

    async def enrol(self, gallery: Gallery, person: str = "Barack Obama", **fields: str) -> Enrolled:
        """Enrol the first photo of one of the people there are photos of."""
        image = self.ground.photos.enrol[person][0].read_bytes()
        return await self.house.enroller.enrol(gallery, image, Who(reference=person, fields=fields), THIEF)

    # ---- probes from the eye ----

    async def probe(self, gallery: Gallery, image: bytes | None = None) -> SealedProbe:
        """Let the eye seal a probe of a photo, of somebody enrolled where no other is given."""
        image = image or self.ground.photos.probe.read_bytes()
        return (await self._asking().probes(gallery, image))[0]

    async def made_up(self, gallery: Gallery, count: int) -> list[SealedProbe]:
        """Let the eye seal many probes of faces that nobody has."""
        meta = self._asking().setting(gallery)
        probes: list[SealedProbe] = []
        for first in range(0, count, CANARIES_AT_ONCE):
            numbers = list(range(first, min(first + CANARIES_AT_ONCE, count)))
            told_of = meta | {"numbers": numbers}
            answer = await self.house.desk.links.eye.call(Kind.CANARY_PROBE, told_of, [os.urandom(32)])
            raw = [bytes(buffer) for buffer in answer.buffers]
            probes += [SealedProbe(told(face), *raw[4 * i : 4 * i + 4]) for i, face in enumerate(answer.meta["faces"])]
        return probes

    def setting(self, gallery: Gallery) -> dict[str, Any]:
        """Tell the eye for which gallery it works, as the gate does."""
        return self._asking().setting(gallery)

    def _asking(self) -> Asking:
        return Asking(self.house.desk)

    def forger(self, gallery: Gallery, *, with_eye: bool) -> Forger:
        """Make questions of his own, signed as the eye's with the eye's key or with the gate's."""
        at = self.ground.place(Role.GATE)
        key = self.ground.place(Role.EYE).identity.signing if with_eye else at.identity.signing
        return Forger(at, key, self.house.desk.links, gallery)

    # ---- asking ----

    def face(
        self, gallery: Gallery, probe: SealedProbe, act: Act = Act.SEARCH, target: bytes = NOTHING
    ) -> tuple[list[bytes], list[bytes]]:
        """Sign a warrant for a probe; gives what goes to A and what goes to B."""
        warrant = self.house.desk.warrant_for(act, gallery, probe.statement, THIEF, target)
        both = [warrant, probe.statement, probe.signature]
        return [*both, probe.to_a], [*both, probe.to_b]

    async def search(
        self, gallery: Gallery, to_a: Sequence[bytes], to_b: Sequence[bytes], **both: Any
    ) -> tuple[Any, Any]:
        """Ask both vaults at once; gives each one's answer or refusal."""
        meta = {"request": os.urandom(16).hex(), "gallery": gallery.id} | both
        return await self.ask(Kind.SEARCH, meta, meta, to_a, to_b)

    async def ask(
        self, kind: Kind, meta_a: dict[str, Any], meta_b: dict[str, Any], to_a: Sequence[bytes], to_b: Sequence[bytes]
    ) -> tuple[Any, Any]:
        """Ask each vault whatever the thief likes."""
        lines = self.house.desk.links
        asked = lines.a.call(kind, meta_a, to_a), lines.b.call(kind, meta_b, to_b)
        from_a, from_b = await asyncio.gather(*asked, return_exceptions=True)
        return from_a, from_b

    async def rows(self, gallery: Gallery) -> list[bytes]:
        """Ask vault A for the ids of the gallery's rows."""
        answer = await self.house.desk.links.a.call(Kind.ROWS, {"gallery": gallery.id})
        raw = bytes(answer.buffers[0])
        return [raw[i : i + ROW_ID_BYTES] for i in range(0, len(raw), ROW_ID_BYTES)]


def answered(outcomes: Sequence[Any], *expected: type[Refusal]) -> int:
    """Count answers among what the vaults gave.

    Raises:
        Fault: one of them failed otherwise than by a refusal that is expected: the drill itself is at fault.

    """
    odd = [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, expected)]
    if odd:
        raise Fault(f"The drill went wrong where a vault should have refused: {type(odd[0]).__name__}: {odd[0]}")
    return sum(not isinstance(one, BaseException) for one in outcomes)
