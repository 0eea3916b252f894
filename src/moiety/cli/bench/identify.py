"""Identify over HTTP, picture in and answer out, against a running installation with a gallery of a given size.

All rows but one are random unit vectors, split and sealed as the eye does; they are entered with the installation's
own keys, which its owner has. The time of one request is what a client on the same machine waits.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.cli import installation, parts
from moiety.cli.gate import house
from moiety.cli.gateway import running
from moiety.cli.output import progress, say
from moiety.cli.supervisor import Supervisor
from moiety.eye.halver import Halver, Setting, Sighting
from moiety.eye.rotations import Rotations
from moiety.foundation.errors import PartDown
from moiety.foundation.ids import RowId, new_photo_id, new_subject_id
from moiety.matching.desk import Asker
from moiety.vault.policy import EPOCH_FIRST
from moiety.warrants.records import NO_BOX
from moiety.warrants.statement import Pad
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from moiety.eye.halver import Sealed
    from moiety.people.house import House
    from moiety.storage import Gallery

ASKER = Asker("owner", "benchmark")
AT_ONCE = 256
WARM = 5


def run(rows: int, images: list[Path], requests: int) -> list[dict[str, Any]]:
    """Fill a scratch installation and time `requests` identifications, one after the other."""
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch:
        made = installation.create(Path(scratch) / "installation")
        with Supervisor(made, "127.0.0.1", 0, say) as supervisor:
            line = running(made.data)
            if line is None:
                raise PartDown("The gate does not answer.")
            with line:
                body = {"name": "bench", "purpose": "benchmark", "probes_per_hour": 100_000}
                line.ask("POST", "galleries", json=body)
                # The gate's first question settles what a last run left; only then may rows be entered beside it.
                _timed(line, images[0])
                with progress("filling the gallery", rows) as advance:
                    asyncio.run(_fill(made, supervisor, rows, advance))
                times = [_timed(line, images[i % len(images)]) for i in range(WARM + requests)][WARM:]
    ranked = sorted(times)
    return [
        {
            "measure": "identify_over_http",
            "rows": rows,
            "requests": requests,
            "pictures": len(images),
            "cores": os.cpu_count(),
            "p50_ms": round(statistics.median(ranked) * 1e3, 1),
            "p95_ms": round(ranked[int(0.95 * len(ranked))] * 1e3, 1),
            "limit_p50_ms": 80,
        }
    ]


def _timed(line: Any, image: Path) -> float:
    """Ask once and give the seconds."""
    content = image.read_bytes()
    begun = time.perf_counter()
    line.ask("POST", "galleries/bench/identify", data={"reason": "benchmark"}, files={"image": ("picture", content)})
    return time.perf_counter() - begun


async def _fill(
    made: installation.Installation, supervisor: Supervisor, rows: int, advance: Callable[[int], None]
) -> None:
    """Enter random templates in batches, with the gate's and the eye's keys."""
    at = parts.place(made, Role.GATE, supervisor.addresses())
    gate = house(at)
    gallery = (await gate.galleries.list())[0]
    eye = made.identity(Role.EYE)
    vaults = (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B))
    halver = Halver(Rotations(eye.keys), eye.signing, vaults, at.clock)
    rng = np.random.default_rng(6)
    try:
        for start in range(0, rows, AT_ONCE):
            count = min(AT_ONCE, rows - start)
            await _enter(gate, gallery, halver, rng.standard_normal((count, gallery.dim)).astype(np.float32))
            advance(count)
    finally:
        for client in (gate.desk.links.a, gate.desk.links.b):
            await client.close()
        gate.desk.store.close()


async def _enter(gate: House, gallery: Gallery, halver: Halver, vectors: Any) -> None:
    """Enter one batch: prepare at both vaults, decide in the gate's tables, commit."""
    desk = gate.desk
    setting = Setting(
        desk.tenant, gallery.id, bytes.fromhex(gallery.rotation_id), bytes.fromhex(gallery.model_sha256), EPOCH_FIRST
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    made: list[Sealed] = [
        halver.template(setting, Sighting(os.urandom(32), NO_BOX, Pad.UNKNOWN, os.urandom(32)), vector)
        for vector in unit
    ]
    to_a: list[bytes] = []
    to_b: list[bytes] = []
    for one in made:
        warrant = desk.warrant_for(Act.ENROL, gallery, one.statement, ASKER)
        to_a += [warrant, one.statement, one.signature, one.to_a]
        to_b += [warrant, one.statement, one.signature, one.to_b]
    await desk.links.both(Kind.PREPARE, {"gallery": gallery.id}, to_a, to_b)
    with desk.store.begin() as tx:
        photos = []
        for one in made:
            subject, photo = tx.subjects.add(gallery.id, new_subject_id()), new_photo_id()
            row = RowId(one.row_id)
            tx.templates.add(
                photo_id=photo,
                gallery_id=gallery.id,
                subject_id=subject.id,
                row_id=row,
                binding=desk.bind_row(gallery, row, subject.id),
                photo_mark=os.urandom(32),
            )
            tx.subjects.activate(gallery.id, subject.id)
            photos.append(photo)
        placed = tx.templates.activate(gallery.id, photos)
    places = [(template.row_id.hex(), template.seq) for template in placed]
    await desk.links.both(Kind.COMMIT, {"gallery": gallery.id, "places": places, "people": []}, [], [])
