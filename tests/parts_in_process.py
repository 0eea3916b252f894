"""All parts of an installation in one process, over real TLS on loopback; only the eye's sight is painted by the test.

async with InProcess(tmp_path) as site:
    gallery = await site.gallery()
    face = site.sight.person()
    await site.enrol(gallery, face)
    answers = await site.house.identifier.identify(gallery, site.sight.picture(face), ASKER)
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from databases import at as at_database
from moiety.cli import installation, keeping, parts
from moiety.cli.backup.reviving import revive
from moiety.cli.backup.taking import Taking
from moiety.cli.places import Place
from moiety.cli.wired import BACKGROUND, Wired
from moiety.eye.canaries import MadeUp
from moiety.eye.halver import Halver
from moiety.eye.rotations import Rotations
from moiety.eye.service import Eye, Model
from moiety.foundation.clock import HandClock, SystemClock
from moiety.foundation.errors import NotAnImage
from moiety.ledger import Ledger
from moiety.matching.desk import Asker, Desk, Secrets
from moiety.matching.galleries import NewGallery
from moiety.matching.links import Links
from moiety.people.enrol import Enrolled, Who
from moiety.people.house import House
from moiety.storage import Store
from moiety.tlog.names import witness_key
from moiety.vault.book import Book
from moiety.vault.endorsed import Endorsed
from moiety.vault.service import Vault
from moiety.vault.service_a import VaultA
from moiety.vault.service_b import VaultB
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Client, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.foundation.ids import SubjectId
    from moiety.storage import Gallery
    from moiety.vault.emergency import Emergency
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.roster import Roster
    from moiety.vault.upkeep import Upkeep

ASKER = Asker("owner", "a test")
DIM = 128
# Two random unit vectors of 128 dimensions reach cosine 0.45 with probability 1e-7; photos of one person have 0.9.
TABLE = {1e-2: 0.35, 1e-4: 0.45, 1e-5: 0.60, 1e-6: 0.85}
MODEL = bytes(range(32))
VAULTS = (Role.VAULT_A, Role.VAULT_B)
SERVED = (Role.MINT, Role.EYE, Role.WITNESS, Role.VAULT_B, Role.VAULT_A)


@dataclass(frozen=True, slots=True)
class PaintedQuality:
    """What the test says of a face's quality."""

    enrollable: bool = True
    reasons: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {"enrollable": self.enrollable}


@dataclass(frozen=True, slots=True, eq=False)
class PaintedFace:
    """A face that was never in a picture."""

    embedding: NDArray[np.float32]
    box: tuple[int, int, int, int] = (10, 20, 100, 100)
    quality: PaintedQuality = field(default_factory=PaintedQuality)
    liveness: float | None = None
    off_middle: float = 0.0


class PaintedSight:
    """A table from a picture's bytes to the faces that the test painted into it."""

    def __init__(self, dim: int = DIM, seed: int = 1) -> None:
        self._dim = dim
        self._random = np.random.default_rng(seed)
        self._pictures: dict[bytes, Sequence[PaintedFace]] = {}

    def faces(self, image: bytes) -> Sequence[PaintedFace]:
        if image not in self._pictures:
            raise NotAnImage
        return self._pictures[image]

    def person(self) -> NDArray[np.float32]:
        """Draw a face nobody has: f32[dim] of unit length."""
        return _unit(self._random.standard_normal(self._dim))

    def like(self, person: NDArray[np.float32], cosine: float = 0.95) -> NDArray[np.float32]:
        """Draw a face at exactly this cosine from `person`."""
        other = self._random.standard_normal(self._dim)
        across = _unit(other - (other @ person) * person)
        return _unit(cosine * person + np.sqrt(1 - cosine**2) * across)

    def paint(self, *faces: PaintedFace) -> bytes:
        """Make a new picture of these faces."""
        image = b"picture %d" % len(self._pictures)
        self._pictures[image] = faces
        return image

    def picture(self, *people: NDArray[np.float32], cosine: float = 0.95) -> bytes:
        """Make a new picture of these people, biggest first."""
        return self.paint(
            *(PaintedFace(self.like(one, cosine), (0, 0, 200 - i, 200 - i)) for i, one in enumerate(people))
        )


def _unit(vector: NDArray[Any]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = (vector / np.linalg.norm(vector)).astype(np.float32)
    return made


def painted_eye(at: Place, sight: PaintedSight, dim: int) -> tuple[Eye, Any]:
    """Wire an eye that sees what was painted; gives it and its handlers."""
    rotations = Rotations(at.identity.keys)
    halver = Halver(rotations, at.identity.signing, (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B)), at.clock)
    model = Model("painted", MODEL, dim, TABLE, (0.45, 0.60, 0.85))
    seeing = Eye(sight, model, rotations, halver)
    made_up = MadeUp(at.identity.keys.secret("canary.key"), MODEL, dim, halver)
    return seeing, {**seeing.handlers(), **made_up.handlers()}


class _Threads(ThreadPoolExecutor):
    """Remembers what still runs: a thread goes on when the link that asked for its work is cut."""

    def __init__(self) -> None:
        super().__init__(8)
        self.running: set[Future[Any]] = set()

    def submit(self, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = super().submit(*given, **named)
        self.running.add(future)
        future.add_done_callback(self.running.discard)
        return future


class InProcess:
    """One installation whose parts can be stopped and started one by one."""

    def __init__(self, folder: Path, *, dim: int = DIM, standing: dict[str, Any] | None = None, seed: int = 1) -> None:
        """Put it into `folder`; `standing` changes both vaults' standing policies."""
        self.clock = HandClock(time.time())
        self.sight = PaintedSight(dim, seed)
        self._dim = dim
        self._threads = _Threads()
        self.installation = installation.create(folder / "site")
        self.installation.introduce()
        for half in (Role.VAULT_A, Role.VAULT_B):
            if standing:
                self.put_standing(half, **standing)
        self.servers: dict[Role, Server] = {}
        self._eye: Eye | None = None
        self._parts: dict[Role, Vault] = {}
        self._background: dict[Role, set[asyncio.Task[None]]] = {}
        listeners = {role: socket.create_server(("127.0.0.1", 0)) for role in SERVED}
        self.addresses: dict[Role, tuple[str, int]] = {r: s.getsockname()[:2] for r, s in listeners.items()}
        self._listeners = listeners
        self._lines: list[Client] = []

    def book(self, role: Role) -> Book:
        """Open the book of a vault that does not run."""
        made = self.installation
        return Book(made.folder(role), made.tenant, made.identity(role, SystemClock()).signing, self.clock)

    def put_standing(self, role: Role, **more: Any) -> None:
        """Put another standing policy into a vault's book, signed by the installation's keeper."""
        book = self.book(role)
        changed = replace(book.standing, version=book.standing.version + 1, **more)
        book.put_standing(Endorsed(changed.encode()).by(keeping.keeper_key(self.installation.keys)))

    def endorsed(self, record: Roster | GalleryPolicy | Emergency) -> Endorsed:
        """Sign as the installation's keeper."""
        return Endorsed(record.encode()).by(keeping.keeper_key(self.installation.keys))

    async def put_roster(self, *roles: Role, **more: Any) -> None:
        """Put the next roster into running vaults' books."""
        for role in roles or VAULTS:
            vault = self.vault(role)
            before = vault._policies.book.roster
            changed = replace(before, version=before.version + 1, **more)
            await vault.words()["roster-put"]({"endorsed": self.endorsed(changed).encode().hex()})

    async def let_go(self, *roles: Role) -> None:
        """Let go of stop and kill at running vaults, as the installation's keeper."""
        for role in roles or VAULTS:
            vault = self.vault(role)
            before = vault._policies.book.emergencies.now
            freed = replace(before, version=before.version + 1, stopped=0, killed=0)
            await vault.words()["emergency-put"]({"endorsed": self.endorsed(freed).encode().hex()})

    async def put_policy(self, gallery: str, *roles: Role, **more: Any) -> int:
        """Put a gallery's next policy into running vaults' books; gives its version."""
        version = 0
        for role in roles or VAULTS:
            vault = self.vault(role)
            before = vault._policies.book.entry(gallery)[1]
            changed = replace(before, version=before.version + 1, **more)
            told = await vault.words()["policy-put"]({"endorsed": self.endorsed(changed).encode().hex()})
            version = told["version"]
        return version

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_default_executor(self._threads)
        for role in SERVED:
            await self.start(role)
        self.open_gate()
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._lines:
            await line.close()
        for role in list(self.servers):
            await self.stop(role)
        self.store.close()
        # The last tasks end here, so that no test inherits them.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    # ---- the gate ----

    def open_gate(self) -> None:
        """Give the gate a new process: nothing but its database is the same."""
        at = self.place(Role.GATE)
        self.store = Store(at_database(self.installation.folder(Role.GATE) / "gate.sqlite"), self.clock)
        roles = (Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS)
        self.links = Links(*(self.line(Role.GATE, role) for role in roles))
        keys = at.identity.keys
        secrets = Secrets(at.identity.signing, keys.secret("binding.key"), keys.secret("blind.key"))
        ledger = Ledger(self.store, keys.secret("reasons.key"))
        known = witness_key(self.installation.tenant, at.public(Role.WITNESS))
        self.desk = Desk(self.installation.tenant, self.store, ledger, self.links, secrets, self.clock, witness=known)
        self.house = House.over(self.desk)

    async def restart_gate(self) -> None:
        """End the gate's process and begin another."""
        for line in (self.links.eye, self.links.a, self.links.b, self.links.mint):
            await line.close()
        await self.quiet()
        self.store.close()
        self.open_gate()

    async def gallery(self, name: str = "doors", **more: Any) -> Gallery:
        """Open a gallery."""
        return await self.house.galleries.create(NewGallery(name, "a door of the site", **more), ASKER)

    async def enrol(
        self, gallery: Gallery, person: NDArray[np.float32], who: Who | None = None, cosine: float = 0.999
    ) -> Enrolled:
        """Enrol a new photo of a person."""
        image = self.sight.picture(person, cosine=cosine)
        return await self.house.enroller.enrol(gallery, image, replace(who or Who(), amends=True), ASKER)

    async def found(self, gallery: Gallery, person: NDArray[np.float32]) -> set[SubjectId]:
        """Say whom the gallery takes this person for."""
        answers = await self.house.identifier.identify(gallery, self.sight.picture(person), ASKER)
        return {candidate.subject for candidate in answers[0].candidates}

    # ---- the other parts ----

    def place(self, role: Role) -> Place:
        """Give a role's keys, peers and addresses; certificates need the real time, all else has the test's clock."""
        made = self.installation
        identity = made.identity(role, SystemClock())
        return Place(made, role, identity, made.peers(role), self.addresses, self.clock)

    def line(self, sender: Role, receiver: Role) -> Client:
        """Open a line from one role to another."""
        client = self.place(sender).client(receiver)
        self._lines.append(client)
        return client

    def vault(self, role: Role) -> Vault:
        """Look inside a running vault."""
        return self._parts[role]

    @property
    def vault_b(self) -> VaultB:
        """Look inside vault B."""
        found = self._parts[Role.VAULT_B]
        assert isinstance(found, VaultB)
        return found

    @property
    def eye(self) -> Eye:
        """Look inside the eye."""
        assert self._eye is not None
        return self._eye

    async def start(self, role: Role) -> None:
        """Start a part at its old address with what it has on disk."""
        at = self.place(role)
        await revive(at)
        before = set(BACKGROUND)
        wired = Wired(self._seeing(at)) if role is Role.EYE else parts.wire(at)
        handlers = wired.handlers | Taking(at).handlers()
        self._background[role] = BACKGROUND - before
        if role in {Role.VAULT_A, Role.VAULT_B}:
            vault = getattr(handlers[Kind.ROWS], "__self__", None)
            assert isinstance(vault, Vault)
            self._parts[role] = vault
        server = Server(at.identity, at.peers, handlers, streams=wired.streams)
        fresh = role not in self._listeners
        await server.start(socket.create_server(self.addresses[role]) if fresh else self._listeners.pop(role))
        self.servers[role] = server

    def _seeing(self, at: Place) -> Any:
        """Wire an eye that sees what was painted."""
        self._eye, handlers = painted_eye(at, self.sight, self._dim)
        return handlers

    async def stop(self, role: Role) -> None:
        """End a part: its links are cut at once, and nothing of it is left but its files."""
        await self.servers.pop(role).close()
        for task in self._background.pop(role, set()):
            task.cancel()
            BACKGROUND.discard(task)
        await self.quiet()
        vault = self._parts.pop(role, None)
        if vault:
            for line in self._lines_of(vault):
                await line.close()
            vault._cabinet._journal.close()
        # No process is started again sooner than its peers see that their links are cut.
        others = [line for other in self._parts.values() for line in self._lines_of(other)]
        peers = [line for line in (*self._lines, *others) if line._role is role]
        while any(line._open for line in peers):  # noqa: ASYNC110 - a link tells nobody when it ends
            await asyncio.sleep(0.001)

    @staticmethod
    def _lines_of(vault: Vault) -> list[Client]:
        """Give A's lines to B, or B's to the mint."""
        if isinstance(vault, VaultB):
            return [vault._answering._dealings._mint]
        assert isinstance(vault, VaultA)
        return [vault._asking._peer, vault.upkeep._attesting._peer]

    @property
    def vault_a(self) -> VaultA:
        """Look inside vault A."""
        found = self._parts[Role.VAULT_A]
        assert isinstance(found, VaultA)
        return found

    @property
    def upkeep(self) -> Upkeep:
        """Look inside vault A's upkeep."""
        return self.vault_a.upkeep

    async def restart(self, role: Role) -> None:
        """Stop and start a part."""
        await self.stop(role)
        await self.start(role)

    async def quiet(self) -> None:
        """Wait until no thread works for anybody any more."""
        calm = 0
        while calm < 5:
            running = list(self._threads.running)
            if running:
                await asyncio.wait([asyncio.wrap_future(one) for one in running])
            calm = 0 if running else calm + 1
            await asyncio.sleep(0)
