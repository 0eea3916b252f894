"""One gallery of an installation without a gate, in which one person lives and another comes and goes.

The gate's services run in the test's process over real links to the real parts, so that a step can be met exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import OTHERS
from moiety.matching.desk import Asker
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.wire import links
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from harness import Site
    from moiety.cli.samples import Samples
    from moiety.foundation.ids import SubjectId
    from moiety.people.house import House
    from moiety.storage import Gallery
    from moiety.wire.frames import Buffer
    from moiety.wire.links import Answer, Client

    # Gets the real call, and makes it or not.
    Around = Callable[[Callable[[], Awaitable[Answer]]], Awaitable[Answer]]

ME = Asker("owner", "a test of crashes")
Step = tuple[Kind, Role]
ENROLMENT: tuple[Step, ...] = (
    (Kind.BLIND, Role.VAULT_B),
    (Kind.TEMPLATE, Role.EYE),
    (Kind.WRAP, Role.VAULT_B),
    (Kind.PREPARE, Role.VAULT_A),
    (Kind.PREPARE, Role.VAULT_B),
    (Kind.COMMIT, Role.VAULT_A),
    (Kind.COMMIT, Role.VAULT_B),
)
ERASURE: tuple[Step, ...] = ((Kind.ERASE, Role.VAULT_A), (Kind.ERASE, Role.VAULT_B))


def at_step(house: House, step: Step, around: Around) -> None:
    """Put something around the first message of a kind to a part."""
    lines = house.desk.links
    for role, line in ((Role.EYE, lines.eye), (Role.VAULT_A, lines.a), (Role.VAULT_B, lines.b)):
        if role is step[1]:
            _watch(line, step[0], around)


def _watch(line: Client, wanted: Kind, around: Around) -> None:
    call, waiting = line.call, [around]

    async def watched(
        kind: Kind, meta: dict[str, Any], buffers: Sequence[Buffer] = (), seconds: float = links.CALL_SECONDS
    ) -> Answer:
        if kind is wanted and waiting:
            return await waiting.pop()(lambda: call(kind, meta, buffers, seconds))
        return await call(kind, meta, buffers, seconds)

    line.call = watched  # type: ignore[method-assign]  # put around the real call


@dataclass
class Guests:
    """The gallery, and the photos of the one who comes and goes."""

    site: Site
    gallery: str
    photo: bytes
    other: bytes

    def house(self) -> tuple[House, Gallery]:
        """Be a gate that has just started."""
        made = self.site.house()
        return made, made.desk.gallery(self.gallery)

    async def enter(self) -> tuple[House, Gallery]:
        """Be a gate that has just started, where no test before has left the guest behind."""
        self.site.restart_all([role for role in OTHERS if not self.site.alive(role)])
        house, gallery = self.house()
        for subject in await self.who(house, gallery):
            await house.eraser.subject(gallery, subject, ME)  # type: ignore[arg-type]  # ids are strings
        return house, gallery

    async def close(self, house: House) -> None:
        """End a gate."""
        lines = house.desk.links
        for line in (lines.eye, lines.a, lines.b, lines.mint):
            await line.close()
        house.desk.store.close()

    async def enrol(self, house: House, gallery: Gallery) -> SubjectId:
        who = Who(reference="guest", fields={"room": "12"})
        return (await house.enroller.enrol(gallery, self.photo, who, ME)).subject

    async def who(self, house: House, gallery: Gallery) -> list[str]:
        """Say who of the gallery is in the guest's other photo."""
        answers = await house.identifier.identify(gallery, self.other, ME)
        return [candidate.subject for candidate in answers[0].candidates]

    async def check(self, house: House, gallery: Gallery) -> bool:
        """Check that the guest is all there or not at all; says which."""
        found = await self.who(house, gallery)
        self.site.holding().check_whole()
        assert self.site.holding().people == 1 + len(found)
        assert await house.fields.find(gallery, "guest") == (found[0] if found else None)
        for subject in found:
            names = [(subject, "reference"), (subject, "room")]
            opened = await house.fields.reveal(gallery, names, ME)  # type: ignore[arg-type]  # ids are strings
            assert list(opened.values()) == ["guest", "12"]
        return bool(found)

    @classmethod
    async def move_in(cls, site: Site, photos: Samples) -> Guests:
        """Open the gallery and enrol the one who stays."""
        made = cls(site, "lobby", photos.enrol["Barack Obama"][0].read_bytes(), photos.probe.read_bytes())
        house = site.house()
        gallery = await house.galleries.create(NewGallery("lobby", "a lobby"), ME)
        resident = photos.enrol["Joe Biden"][0].read_bytes()
        await house.enroller.enrol(gallery, resident, Who(reference="resident"), ME)
        await made.close(house)
        return made
