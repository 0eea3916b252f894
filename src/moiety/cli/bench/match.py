"""A protected search beside its rivals, on the same cores, in the same run; every line is one measure with its sizes.

What is measured is the real thing: vault A, vault B and the mint as processes of a scratch installation, TLS 1.3
between them, true warrants and sealed probes, and both shares joined to bits in this process, which stands in for the
gate. Rows are random directions, entered straight into both vaults' stores (`fill`). Rivals run with the peer
environment's Python, which `make bench` makes from requirements/peer.txt; a line says so where it is absent.
What is compared is not the same work: sgemm gives float scores and the 10 best of them, FAISS and usearch the 10 best.
Compare with the faster of the FAISS lines: by its defaults FAISS does not use BLAS for 64 probes.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety import kernel
from moiety.cli import installation
from moiety.cli.bench import match_kernel
from moiety.cli.bench.agreement import different, floats, searched
from moiety.cli.bench.fill import fill, templates
from moiety.cli.bench.questioner import Questioner
from moiety.cli.bench.relay import Relay
from moiety.cli.bench.trio import ROLES, Trio
from moiety.foundation.errors import Busy
from moiety.matching.thresholds import SCORE_OF_ONE
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moiety.cli.bench.trio import Used
    from moiety.cli.installation import Installation

HERE = Path(__file__).parent
PEER = Path(".peer") / "bin" / "python"
RIVALS = ("sgemm", "faiss", "faiss_blas", "faiss_sq8", "usearch_i8")
PEER_LIMIT_S = 3600
FIRST_LOOK_S = 0.1
REFRESH_LIMIT_S = 1800.0
REPEATS = 5
MIN_ROWS = 64
FILLED_SEED = 1
PROBE_SEED = 77
# The lowest that a vault's standing policy allows by itself.
THRESHOLD = 3_200
# A probe in the middle of so many rows has a cosine of 0.2 with each, which is the threshold: half of them are hits.
AMONG = 24
COSINE = 6_646 / SCORE_OF_ONE
PARTS_OF_ROWS = (250, 25, 2.5, 1)
WIRE_ROWS = 100_000
Line = dict[str, Any]
Progress = Callable[[int], None]


def sizes_of(rows: int) -> list[int]:
    """Give the gallery sizes at which the growth of the cost is measured, rising; the last is `rows`."""
    return sorted({max(MIN_ROWS, round(rows / part)) for part in PARTS_OF_ROWS})


def run(rows: int, dim: int, batch: int, cores: int, advance: Progress) -> list[Line]:
    """Return all lines; everything, rivals too, runs on the first `cores` cores that this process may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    kernel.warm_up()
    cpu = next((line.partition(": ")[2] for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    lines: list[Line] = [{"measure": "machine", "cpu": cpu, "cores": cores}]
    with tempfile.TemporaryDirectory(prefix="moiety-bench-") as scratch:
        made = installation.create(Path(scratch) / "installation")
        made.introduce()
        made.logs.mkdir(mode=0o700, exist_ok=True)
        lines += asyncio.run(_protected(made, rows, dim, batch, advance))
    lines += [peer(which, rows, dim, size, cores) for size in sorted({1, batch}) for which in RIVALS]
    some = min(rows, WIRE_ROWS)
    return [
        *lines,
        *match_kernel.products(some, dim, batch),
        *match_kernel.streams(some, dim),
        *match_kernel.sign_test(),
        floats(dim, COSINE),
        searched(dim, THRESHOLD / SCORE_OF_ONE, AMONG),
    ]


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def probes_of(dim: int, batch: int) -> NDArray[np.int8]:
    """Make probes i8[q, d], each in the middle of AMONG rows that every gallery begins with."""
    first = templates(MIN_ROWS, dim, FILLED_SEED).astype(np.float32)
    rng = np.random.default_rng(PROBE_SEED)
    mixed = [first[rng.choice(MIN_ROWS, AMONG, replace=False)].sum(axis=0) for _ in range(batch)]
    return np.stack([kernel.quantise(one) for one in mixed])


# ---- the real thing ----


async def _protected(made: Installation, rows: int, dim: int, batch: int, advance: Progress) -> list[Line]:
    """Open and fill galleries of several sizes, then ask about each."""
    galleries = {size: f"gal_bench{size}" for size in sizes_of(rows)}
    with Trio(made) as trio:
        questioner = Questioner(made, trio.addresses())
        for gallery in galleries.values():
            await questioner.open(gallery, dim, THRESHOLD)
        await questioner.close()
    for size, gallery in galleries.items():
        fill(made, gallery, size, advance, FILLED_SEED)
    lines: list[Line] = []
    with Trio(made) as trio:
        questioner = Questioner(made, trio.addresses())
        asking = _Asking(trio, questioner, dim)
        begun = time.perf_counter()
        await _first(questioner, galleries[rows], probes_of(dim, 1))
        started = {f"start_s_{role.value}": round(trio.started_s[role], 2) for role in ROLES}
        first = round(time.perf_counter() - begun, 2)
        lines.append({"measure": "start", "rows": sum(galleries), "dim": dim, **started, "first_answer_s": first})
        resident = {f"resident_bytes_per_row_{role.value}": round(n / sum(galleries)) for role, n in _memory(trio)}
        lines.append({"measure": "memory", "rows": sum(galleries), "dim": dim, **resident})
        grown = [await asking.timed(size, gallery, batch) for size, gallery in galleries.items()]
        lines += [await asking.timed(rows, galleries[rows], 1), *grown, growth(grown)]
        lines.append(await asking.equal(rows, galleries[rows], batch))
        vault_a = LocalClient(made.folder(Role.VAULT_A) / NAME, Role.VAULT_A)
        lines.append(await asking.refreshed(galleries[rows], vault_a))
        lines.append(await asking.equal(rows, galleries[rows], 1))
        await questioner.close()
    some = min(galleries, key=lambda size: abs(size - WIRE_ROWS))
    lines.append(await _on_the_wire(made, some, galleries[some], dim, batch))
    return lines


async def _first(questioner: Questioner, gallery: str, probes: NDArray[np.int8]) -> None:
    """Ask the first question after a start until it is answered: before that every row is attested."""
    while True:
        try:
            await questioner.ask(questioner.question(gallery, probes))
        except Busy:
            await asyncio.sleep(FIRST_LOOK_S)
        else:
            return


def _memory(trio: Trio) -> list[tuple[Role, int]]:
    return [(role, count) for role, count in trio.resident_bytes().items() if role is not Role.MINT]


class _Asking:
    """Asks a running trio and looks at the clock."""

    def __init__(self, trio: Trio, questioner: Questioner, dim: int) -> None:
        self._trio = trio
        self._questioner = questioner
        self._dim = dim

    async def timed(self, rows: int, gallery: str, batch: int) -> Line:
        """Time a question until the positions of all hits are known; CPU time is that of all three parts."""
        probes = probes_of(self._dim, batch)
        taken: list[float] = []
        used: list[dict[Role, Used]] = []
        for _ in range(1 + REPEATS):
            asked = self._questioner.question(gallery, probes)
            await asyncio.sleep(0.5)  # what vault B does between questions is no part of one
            used.append(self._trio.used())
            begun = time.perf_counter()
            words = await self._questioner.ask(asked)
            hits = sum(len(kernel.positions(line, rows)) for line in words)
            taken.append(time.perf_counter() - begun)
        used.append(self._trio.used())
        taken = taken[1:]
        best, median, comparisons = min(taken), statistics.median(taken), rows * batch
        spent = {role: used[-1][role].total_s - used[1][role].total_s for role in ROLES}
        return {
            "measure": "protected",
            "rows": rows,
            "dim": self._dim,
            "batch": batch,
            "hits": hits,
            "best_s": best,
            "median_s": median,
            "per_s": round(comparisons / median),
            **{f"cpu_ns_{role.value}": round(s / REPEATS / comparisons * 1e9, 2) for role, s in spent.items()},
            "cpu_ns": round(sum(spent.values()) / REPEATS / comparisons * 1e9, 2),
        }

    async def equal(self, rows: int, gallery: str, batch: int) -> Line:
        """Hold every bit of an answer against the plain integer result."""
        probes = probes_of(self._dim, batch)
        words = await self._questioner.ask(self._questioner.question(gallery, probes))
        wrong, hits = different(
            words, probes, rows, THRESHOLD, lambda start, count: templates(count, self._dim, FILLED_SEED + start)
        )
        return {"measure": "equality", "comparisons": rows * batch, "hits": hits, "different": wrong}

    async def refreshed(self, gallery: str, vault_a: LocalClient) -> Line:
        """Time a refresh of all rows, and the answers to one probe that is asked again and again meanwhile."""
        probes = probes_of(self._dim, 1)
        refresh = asyncio.create_task(vault_a.ask("refresh", {"gallery": gallery}, REFRESH_LIMIT_S))
        taken: list[float] = []
        while not refresh.done():
            begun = time.perf_counter()
            await self._questioner.ask(self._questioner.question(gallery, probes))
            taken.append(time.perf_counter() - begun)
        (told,) = (await refresh)["galleries"]
        return {
            "measure": "refresh",
            "rows": told["rows"],
            "dim": self._dim,
            "seconds": round(told["seconds"], 2),
            "answered_meanwhile": len(taken),
            "answer_median_s": round(statistics.median(taken), 3),
            "answer_longest_s": round(max(taken), 3),
        }


def growth(grown: list[Line]) -> Line:
    """Say how far the time of each size is from a straight line: fixed seconds and seconds a row, by least squares."""
    rows, taken = (np.array([line[name] for line in grown]) for name in ("rows", "best_s"))
    # Each size counts alike, so the differences are taken relative to the time.
    columns = np.stack([1 / taken, rows / taken], axis=1)
    (fixed, each), *_ = np.linalg.lstsq(columns, np.ones(len(taken)), rcond=None)
    off = (fixed + each * rows) / taken - 1
    return {
        "measure": "growth",
        "batch": grown[0]["batch"],
        "rows": [int(n) for n in rows],
        "best_s": [float(s) for s in taken],
        "fixed_ms": round(float(fixed) * 1e3, 3),
        "ns_per_comparison": round(float(each) / grown[0]["batch"] * 1e9, 3),
        "off_line_percent": [round(100 * float(x), 1) for x in off],
    }


async def _on_the_wire(made: Installation, rows: int, gallery: str, dim: int, batch: int) -> Line:
    """Count the bytes of a question between A and B, each way, with a relay in between."""
    trio = Trio(made)
    with Relay(trio.open_doors()[Role.VAULT_B]) as relay:
        trio.look_for(Role.VAULT_B, relay.address)
        with trio:
            questioner = Questioner(made, trio.addresses())
            await questioner.ask(questioner.question(gallery, probes_of(dim, 1)))
            before = relay.forth_bytes, relay.back_bytes
            await questioner.ask(questioner.question(gallery, probes_of(dim, batch)))
            forth, back = relay.forth_bytes - before[0], relay.back_bytes - before[1]
            await questioner.close()
    each_way = {"a_to_b": forth, "b_to_a": back}
    return {
        "measure": "wire",
        "rows": rows,
        "batch": batch,
        **{f"bytes_{way}": count for way, count in each_way.items()},
        **{f"bits_per_comparison_{way}": round(8 * count / rows / batch, 3) for way, count in each_way.items()},
    }


# ---- rivals ----


def peer(which: str, rows: int, dim: int, batch: int, cores: int) -> Line:
    """Measure a rival in another process, with the peer environment's Python; says so where there is none."""
    sizes: Line = {"measure": which, "rows": rows, "dim": dim, "batch": batch, "threads": cores}
    if not PEER.exists():
        return sizes | {"absent": "no peer environment: `make bench` makes .peer from requirements/peer.txt"}
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    command = [str(PEER.absolute()), str(HERE / "match_peer.py"), which, *(str(n) for n in (rows, dim, batch, cores))]
    environment = os.environ | dict.fromkeys(names, str(cores))
    done = subprocess.run(  # noqa: S603 - the peer environment and our own script
        command, env=environment, capture_output=True, text=True, timeout=PEER_LIMIT_S, check=False
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)  # noqa: T201 - why a rival failed
        return sizes | {"failed": done.stderr.strip().splitlines()[-1:]}
    line: Line = json.loads(done.stdout.splitlines()[-1])
    return sizes | line | {"per_s": round(rows * batch / line["median_s"])}


def summary(lines: list[Line], rows: int, dim: int, batch: int, cores: int) -> Line:
    """Put what is compared into one object, by medians; None where a rival is absent."""

    def per_s(measure: str, size: int = batch) -> int | None:
        found = [x for x in lines if (x["measure"], x.get("rows"), x.get("batch")) == (measure, rows, size)]
        return found[0].get("per_s") if found else None

    def single_ms(*measures: str) -> float | None:
        rates = [rate for rate in (per_s(measure, 1) for measure in measures) if rate]
        return round(rows / max(rates) * 1e3, 2) if rates else None

    flat = [rate for rate in (per_s("faiss"), per_s("faiss_blas")) if rate]
    wire, refresh = (next(line for line in lines if line["measure"] == name) for name in ("wire", "refresh"))
    both_ways = wire["bytes_a_to_b"], wire["bytes_b_to_a"]
    return {
        "rows": rows,
        "dim": dim,
        "batch": batch,
        "cores": cores,
        "protected_per_s": per_s("protected"),
        "faiss_flat_per_s": max(flat, default=None),
        "faiss_flat_default_per_s": per_s("faiss"),
        "faiss_sq8_per_s": per_s("faiss_sq8"),
        "usearch_i8_per_s": per_s("usearch_i8"),
        "sgemm_per_s": per_s("sgemm"),
        "single_ms_protected": single_ms("protected"),
        "single_ms_faiss_flat": single_ms("faiss", "faiss_blas"),
        "comparisons_per_core_s": round((per_s("protected") or 0) / cores),
        "bytes_per_row_each_way": round(max(both_ways) / wire["rows"] / batch, 4),
        "different_from_plain": sum(line["different"] for line in lines if line["measure"] == "equality"),
        "same_as_floats_percent": next(line for line in lines if line["measure"] == "search_agreement")["same_percent"],
        "refresh_s": refresh["seconds"],
    }
