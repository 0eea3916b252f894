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

from moiety.cli import installation
from moiety.cli.bench.importing import entrance
from moiety.cli.gateway import running
from moiety.cli.output import progress, say
from moiety.cli.supervisor import Supervisor
from moiety.foundation.errors import PartDown

if TYPE_CHECKING:
    from collections.abc import Callable

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
    async with entrance(made, supervisor.addresses()) as door:
        await door.enter(rows, advance)
