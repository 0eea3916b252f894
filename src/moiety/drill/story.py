"""What an installation lives through, for the restore drill without copies of one's own: real photos, real processes.

Enrol; copy; erase somebody; copy; drill; refresh; copy; erase somebody else; drill; and try the old epoch's copies.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from moiety.archive import age_keys
from moiety.archive.holdings import KEYS
from moiety.cli import gate, installation
from moiety.cli.backup.taking import Taking
from moiety.cli.backup.tombstones import cut
from moiety.drill.ground import ENVIRONMENT, environment
from moiety.drill.kept_copies import Copies
from moiety.drill.restore import Shown, one_set
from moiety.drill.restored import DRILL, PLAYED, Photos, Site
from moiety.drill.scratch import scratch
from moiety.foundation.errors import PartDown
from moiety.matching.galleries import NewGallery
from moiety.people.enrol import Who
from moiety.wire.kinds import Kind, Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from moiety.cli.samples import Samples
    from moiety.drill.restored import Buried
    from moiety.people.house import House
    from moiety.storage import Gallery

GALLERY = "staff"
CANARIES = 2
PEOPLE = (Role.GATE, Role.VAULT_A, Role.VAULT_B)
OPERATORS = {Role.VAULT_A: "a.key", Role.VAULT_B: "b.key"}
WITNESS_SECONDS = 60.0


class Story:
    """One installation with its operators' keys and its store of copies."""

    def __init__(self, folder: Path, samples: Samples) -> None:
        """Begin in an empty folder."""
        self._folder = folder
        self._samples = samples
        self.store = folder / "store"
        self._ids: dict[str, Any] = {}
        self._recipients = {name: age_keys.new_operator(folder / name) for name in ("g.key", "a.key", "b.key")}
        self.made = installation.create(folder / "lived")

    def copies(self, folder: Path | None = None) -> Copies:
        """List the copies, with all three operators' keys."""
        store = folder or self.store
        keys = [self._folder / name for name in self._recipients]
        return Copies([path for path in (store, *store.glob("*")) if path.is_dir()], keys)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Site, House]]:
        """Run all parts; the gate is played here."""
        with Site(self.made) as site:
            house = gate.house(site.place(Role.GATE))
            try:
                yield site, house
            finally:
                house.desk.store.close()
                for line in (house.desk.links.eye, house.desk.links.a, house.desk.links.b, house.desk.links.mint):
                    await line.close()

    async def enrol(self) -> None:
        """Open a gallery, plant canaries, enrol everybody, copy all parts; erase the first, copy again."""
        async with self.running() as (site, house):
            gallery = await house.galleries.create(NewGallery(GALLERY, "a restore drill"), DRILL)
            for person, photos in self._samples.enrol.items():
                for photo in photos:
                    done = await house.enroller.enrol(
                        gallery, photo.read_bytes(), Who(reference=person, amends=True), DRILL
                    )
                    self._ids[person] = done.subject
            await house.canaries.plant(gallery, CANARIES)
            await self.back_up(site, Role, with_keys=True)
            await self.erase(site, house, gallery, self.first)
            await self.back_up(site, PEOPLE)

    @property
    def first(self) -> str:
        """Who is erased first: the person of whom there is a photo that was never enrolled."""
        return self._samples.probe_shows

    @property
    def second(self) -> str:
        """Who is erased after the refresh."""
        return next(person for person in self._samples.enrol if person != self.first)

    async def refresh(self) -> None:
        """Give everybody new halves, copy again, then erase the second."""
        async with self.running() as (site, house):
            gallery = house.desk.gallery(GALLERY)
            socket = self.made.folder(Role.VAULT_A) / NAME
            await LocalClient(socket, Role.VAULT_A).ask("refresh", {"gallery": gallery.id})
            # A comes last: B has copied the new epoch by then, and both let go of the old one.
            await self.back_up(site, (Role.GATE, Role.VAULT_B, Role.VAULT_A))
            await self.erase(site, house, gallery, self.second)

    async def erase(self, site: Site, house: House, gallery: Gallery, person: str) -> None:
        """Erase somebody and wait until the witness knows."""
        before = await self.buried(site, house)
        await house.eraser.subject(gallery, self._ids[person], DRILL)
        wanted = sum(map(len, before.values())) + len(self._samples.enrol[person]) + 1
        end = time.monotonic() + WITNESS_SECONDS
        while sum(map(len, (await self.buried(site, house)).values())) < wanted:
            if time.monotonic() > end:
                raise PartDown("The witness was not told of an erasure.")
            await asyncio.sleep(0.2)

    async def buried(self, site: Site, house: House) -> Buried:
        """Ask the witness who was erased."""
        witness = site.place(Role.GATE).client(Role.WITNESS)
        with house.desk.store.read() as tx:
            galleries = [gallery.id for gallery in tx.galleries.list()]
        found: dict[str, set[bytes]] = {}
        for gallery in galleries:
            answer = await witness.call(Kind.BURIED, {"gallery": gallery})
            raw = b"".join(bytes(buffer) for buffer in answer.buffers)
            found[gallery] = cut(raw)
        await witness.close()
        return found

    async def back_up(self, site: Site, roles: Any, *, with_keys: bool = False) -> None:
        """Copy parts, each for its operator; a second apart from the last time, which names the files."""
        await asyncio.sleep(1.1)
        for role in roles:
            to = self.store / role
            recipient = self._recipients[OPERATORS.get(role, "g.key")]
            places = {"to": str(to), "seeds_to": str(to / "seeds"), "keys_to": str(to / "keys")}
            given = {**places, "recipient": recipient, "days": 30, "seeds_days": 7, "with_keys": with_keys}
            if role in PLAYED:
                await LocalClient(self.made.folder(role) / NAME, role).ask("backup", given)
            else:
                await Taking(site.place(role)).backup(given)

    async def now_buried(self) -> Buried:
        """Start the parts to ask the witness who was erased until now."""
        async with self.running() as (site, house):
            return await self.buried(site, house)

    def photos(self, *erased: str) -> Photos:
        """Give a photo of each person, and who is to be found."""
        shows: dict[Path, str | None] = {}
        for person, paths in self._samples.enrol.items():
            photo = self._samples.probe if person == self.first else paths[0]
            shows[photo] = None if person in erased else person
        return Photos(GALLERY, shows)


def lived(samples: Samples, say: Callable[[str], None]) -> Iterator[Shown]:
    """Live through it all in a scratch folder, and drill before and after the refresh."""
    with environment(ENVIRONMENT), scratch() as folder:
        story = Story(folder, samples)
        say("enrolling, copying, erasing, copying")
        asyncio.run(story.enrol())
        buried = asyncio.run(story.now_buried())
        say("restoring what was copied before the refresh")
        yield _drill("restore-before-refresh", folder, story, buried, story.photos(story.first), say)
        # A thief takes the sealed files; the control has the keys beside them as well, as they were.
        stolen, before = folder / "stolen", folder / "before"
        shutil.copytree(story.store, stolen, ignore=shutil.ignore_patterns("keys"))
        shutil.copytree(story.store, before)
        say("refreshing, copying, erasing")
        asyncio.run(story.refresh())
        buried = asyncio.run(story.now_buried())
        yield _old_epoch(story, stolen, before)
        say("restoring what was copied after the refresh")
        yield _drill("restore-after-refresh", folder, story, buried, story.photos(story.first, story.second), say)


def _drill(name: str, folder: Path, story: Story, buried: Buried, photos: Photos, say: Callable[[str], None]) -> Shown:
    """Restore every copy at least once, and add up."""
    began, obtained, control, words = time.monotonic(), 0, 0, []
    for together in story.copies().together(every=False):
        shown = one_set(folder, story.copies(), None, together, buried, photos)
        say(f"{together.name}: obtained {shown.obtained} ({shown.what}); without tombstones {shown.control}")
        obtained, control = obtained + shown.obtained, control + shown.control
        words.append(f"{together.name}: {shown.what}")
    return Shown(name, obtained, control, " | ".join(words), round(time.monotonic() - began, 1), needed=True)


def _old_epoch(story: Story, stolen: Path, before: Path) -> Shown:
    """Try to open sealed files of the old epoch: with every key that is left, and with the keys as they were before."""
    began = time.monotonic()
    old, opened = _opened(story, stolen)
    _, control = _opened(story, before)
    what = f"{opened} of {old} sealed files of the old epoch open with all operators' keys and all keys that are left"
    return Shown("old-epoch-after-refresh", opened, control, what, round(time.monotonic() - began, 1), needed=True)


def _opened(story: Story, folder: Path) -> tuple[int, int]:
    """Count the vaults' copies in a folder, but for their keys', and how many of them open."""
    copies = story.copies(folder)
    vaults = [one for one in copies.all if one.about.role in PEOPLE[1:] and one.about.part != KEYS]
    shut = copies.shut()
    return len(vaults), sum(one not in shut for one in vaults)
