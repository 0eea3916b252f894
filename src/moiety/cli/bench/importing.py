"""Import of templates the real way: the eye's halves, what both vaults check and keep, the gate's tables.

Faces are random unit vectors, so no picture is looked at; everything after the embedding is as in an enrolment, with
one statement and one warrant for each batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.cli import installation, places
from moiety.cli.gate import house
from moiety.cli.gateway import running
from moiety.cli.output import progress, say
from moiety.cli.supervisor import Supervisor
from moiety.eye.halver import Halver, Setting
from moiety.eye.rotations import Rotations
from moiety.foundation.errors import NotFound, PartDown
from moiety.foundation.ids import ROW_ID_BYTES, RowId, new_photo_id, new_subject_id
from moiety.matching.desk import Asker
from moiety.storage import IntentKind, IntentState
from moiety.storage.batches import Newcomer
from moiety.warrants.batch import BATCH_MAX
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray

    from moiety.eye.halver import Sealed
    from moiety.people.house import House
    from moiety.storage import Gallery, Intent

ASKER = Asker("owner", "benchmark")
LIMIT_SECONDS = 60


def run(rows: int) -> list[dict[str, Any]]:
    """Import `rows` templates into a scratch installation and time it."""
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch:
        made = installation.create(Path(scratch) / "installation")
        with Supervisor(made, "127.0.0.1", 0, say) as supervisor:
            line = running(made.data)
            if line is None:
                raise PartDown("The gate does not answer.")
            with line:
                # A whole import in one hour is more than the usual budget lets in.
                body = {"name": "bench", "purpose": "benchmark", "templates_per_hour": 10 * rows}
                line.ask("POST", "galleries", json=body)
            with progress("importing", rows) as advance:
                begun = time.perf_counter()
                asyncio.run(_import(made, supervisor, rows, advance))
                seconds = time.perf_counter() - begun
    return [
        {
            "measure": "import",
            "rows": rows,
            "batch": BATCH_MAX,
            "cores": os.cpu_count(),
            "seconds": round(seconds, 2),
            "templates_per_s": round(rows / seconds),
            "limit_s_per_100000": LIMIT_SECONDS,
        }
    ]


async def _import(
    made: installation.Installation, supervisor: Supervisor, rows: int, advance: Callable[[int], None]
) -> None:
    async with entrance(made, supervisor.addresses()) as door:
        await door.enter(rows, advance)


@contextlib.asynccontextmanager
async def entrance(made: installation.Installation, addresses: dict[Role, tuple[str, int]]) -> AsyncIterator[Entrance]:
    """Open a way into the first gallery of a running installation, with its own keys, which its owner has."""
    at = places.place(made, Role.GATE, addresses)
    gate = house(at)
    eye = made.identity(Role.EYE)
    vaults = (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B))
    halver = Halver(Rotations(eye.keys), eye.signing, vaults, at.clock)
    try:
        yield Entrance(gate, (await gate.galleries.list())[0], halver)
    finally:
        for client in (gate.desk.links.a, gate.desk.links.b):
            await client.close()
        gate.desk.store.close()


@dataclass(frozen=True, slots=True)
class Entrance:
    """A gate, a gallery, and an eye that halves what it is given."""

    house: House
    gallery: Gallery
    halver: Halver

    async def enter(self, rows: int, advance: Callable[[int], None], seed: int = 6) -> None:
        """Enter random people, a batch at a time; the eye halves the next ones while the vaults work on one."""
        random = np.random.default_rng(seed)
        loop = asyncio.get_running_loop()
        counts = [min(BATCH_MAX, rows - start) for start in range(0, rows, BATCH_MAX)]
        with ThreadPoolExecutor(1) as eye:
            halved = [loop.run_in_executor(eye, self._halve, random, count) for count in counts[:1]]
            for index, count in enumerate(counts):
                batch = await halved[index]
                halved += [
                    loop.run_in_executor(eye, self._halve, random, more) for more in counts[index + 1 : index + 2]
                ]
                await self.enter_batch(batch)
                advance(count)

    def _halve(self, random: np.random.Generator, count: int) -> Sealed:
        """Do what the eye does after it has measured."""
        desk, gallery = self.house.desk, self.gallery
        drawn: NDArray[np.float32] = random.standard_normal((count, gallery.dim), np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        rotation, model = bytes.fromhex(gallery.rotation_id), bytes.fromhex(gallery.model_sha256)
        setting = Setting(desk.tenant, gallery.id, rotation, model, desk.standing(gallery).epoch)
        return self.halver.templates(setting, [os.urandom(32) for _ in range(count)], os.urandom(32), drawn)

    async def enter_batch(self, batch: Sealed) -> None:
        """Prepare at both vaults, decide in the gate's tables, commit."""
        desk, gallery = self.house.desk, self.gallery
        warrant = desk.warrant_for(Act.ENROL, gallery, batch.statement, ASKER)
        to_a, to_b = ([warrant, batch.statement, batch.signature, half] for half in (batch.to_a, batch.to_b))
        await desk.links.both(Kind.PREPARE, {"gallery": gallery.id}, to_a, to_b)
        async with desk.turns.alone(gallery.id):
            intent = await asyncio.to_thread(self._decide, batch)
            # The installation's own gate may find it unfinished and finish it first.
            with contextlib.suppress(NotFound):
                await self.house.settler.finish_enrolment(intent)

    def _decide(self, batch: Sealed) -> Intent:
        desk, gallery = self.house.desk, self.gallery
        rows = [RowId(batch.row_id[at : at + ROW_ID_BYTES]) for at in range(0, len(batch.row_id), ROW_ID_BYTES)]
        people = []
        for row in rows:
            subject = new_subject_id()
            binding = desk.bind_row(gallery, row, subject)
            people.append(Newcomer(subject, new_photo_id(), row, binding, os.urandom(32)))
        with desk.store.begin() as tx:
            # A crash before the commit leaves rows that the vaults let go; after it the next start commits them.
            tx.batches.enter(gallery.id, people)
            return tx.intents.open(IntentKind.ENROL, gallery.id, row_ids=rows, state=IntentState.COMMITTING)
