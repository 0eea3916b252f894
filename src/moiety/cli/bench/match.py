"""The match kernel beside its rivals; each line has its sizes, its thread count and both times.

`median_s` and `best_s` are of 7 runs after a warm one, on this machine, one measure after the other. FAISS runs with
the peer environment's Python, which `make bench` makes from requirements/peer.txt; a line says so when it is absent.
What is compared is not the same work: sgemm gives float scores, FAISS float scores and the 10 best, the ring product
the exact partial scores of one vault, `protected` all of a search but wire and disk: two ring products, bit slicing,
both sides of the sign test and the mint, one after the other. Compare with the faster of the FAISS lines: by its
defaults FAISS does not use BLAS for 64 probes.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PEER = Path(".peer") / "bin" / "python"
REPEATS = 7
PEER_LIMIT_S = 900
BITS = 16
STREAM_WORDS = 1 << 22
PAD_ROWS_MAX = 200_000
Line = dict[str, Any]


def timed(work: Callable[[], object]) -> Line:
    """Return the best and median seconds of REPEATS runs after one that is not counted."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return {"best_s": min(taken), "median_s": statistics.median(taken)}


def rated(line: Line, unit: str, amount: float, threads: int) -> Line:
    """Return the line with `amount` a second and core, by the median."""
    return line | {unit: round(amount / line["median_s"] / threads, 2)}


def ring(rows: int, dim: int, batch: int, threads: int) -> Line:
    """Measure the ring product u16[batch, rows], the rows shared out among threads."""
    import numpy as np  # noqa: PLC0415 - the command line that imports this module stays light

    from moiety.kernel import ring_dot  # noqa: PLC0415 - as above

    rng = np.random.default_rng(1)
    halves = [rng.integers(0, 1 << 16, (len(part), dim), np.uint16) for part in np.array_split(range(rows), threads)]
    probes = rng.integers(0, 1 << 16, (batch, dim), np.uint16)
    outs = [np.empty((batch, len(half)), np.uint16) for half in halves]
    with ThreadPoolExecutor(threads) as pool:
        line = timed(lambda: list(pool.map(lambda half, out: ring_dot(half, probes, out), halves, outs)))
    sizes = {"measure": "ring_dot", "rows": rows, "dim": dim, "batch": batch, "threads": threads}
    return rated(sizes | line, "million_comparisons_per_s_per_core", rows * batch / 1e6, threads)


def peer(which: str, rows: int, dim: int, batch: int, threads: int) -> Line:
    """Measure `sgemm`, `faiss` (its defaults) or `faiss_blas` in another process; says so when FAISS is absent."""
    sizes = {"measure": which, "rows": rows, "dim": dim, "batch": batch, "threads": threads}
    if which != "sgemm" and not PEER.exists():
        return sizes | {"absent": "no peer environment: `make bench` makes .peer from requirements/peer.txt"}
    python = str(PEER.absolute()) if PEER.exists() else sys.executable
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    command = [python, str(HERE / "match_peer.py"), which, *(str(n) for n in (rows, dim, batch, threads))]
    environment = os.environ | dict.fromkeys(names, str(threads))
    done = subprocess.run(  # noqa: S603 - the peer environment and our own script
        command, env=environment, capture_output=True, text=True, timeout=PEER_LIMIT_S, check=False
    )
    if done.returncode:
        return sizes | {"failed": done.stderr.strip().splitlines()[-1:]}
    line = json.loads(done.stdout.splitlines()[-1])
    return rated(sizes | line, "million_comparisons_per_s_per_core", rows * batch / 1e6, threads)


def streams(rows: int, dim: int) -> list[Line]:
    """Measure one long keystream, the pads of many records and the mint's words, on one thread."""
    import numpy as np  # noqa: PLC0415 - the command line that imports this module stays light

    from moiety import kernel  # noqa: PLC0415 - as above

    count = min(rows, PAD_ROWS_MAX)
    rng = np.random.default_rng(2)
    seeds, nonces = rng.integers(0, 256, (count, 32), np.uint8), rng.integers(0, 256, (count, 12), np.uint8)
    words, pads = np.empty(STREAM_WORDS, np.uint64), np.empty((count, dim), np.uint16)
    key, other = bytes(range(32)), bytes(32)
    cases: list[tuple[Line, Callable[[], object], int]] = [
        (
            {"measure": "stream", "bytes": words.nbytes},
            lambda: kernel.stream(key, b"bench", STREAM_WORDS, 0, words),
            words.nbytes,
        ),
        (
            {"measure": "expand", "rows": count, "dim": dim},
            lambda: kernel.expand(seeds, nonces, dim, pads),
            pads.nbytes,
        ),
        (
            {"measure": "mint_gamma", "bytes": words.nbytes},
            lambda: kernel.mint_gamma(key, other, b"bench", 1, STREAM_WORDS, 0, words),
            words.nbytes,
        ),
    ]
    return [rated(line | {"threads": 1} | timed(work), "gb_per_s", size / 1e9, 1) for line, work, size in cases]


def sign_test(comparisons: int) -> list[Line]:
    """Measure bit-slicing and one party's whole local work of the sign test (its own triples included), one thread."""
    import numpy as np  # noqa: PLC0415 - the command line that imports this module stays light

    from moiety import kernel  # noqa: PLC0415 - as above

    values = np.random.default_rng(3).integers(0, 1 << BITS, comparisons, np.uint16)
    planes = kernel.slice_bits(values)
    count = planes.shape[1]
    theirs = np.random.default_rng(4).integers(0, 1 << 63, (2, count), np.uint64)
    triple = np.empty((3, count), np.uint64)
    letters: tuple[kernel.Tag, ...] = ("alpha", "beta", "gamma")
    message, carry = np.empty((2, count), np.uint64), np.empty(count, np.uint64)

    def triples(bit: int) -> None:
        for into, tag in zip(triple, letters, strict=True):
            kernel.triple_words(bytes(32), b"bench", bit, tag, count, 0, into)

    def party() -> None:
        triples(0)
        kernel.first_send(planes[0], triple[0], message[0])
        kernel.first_carry(theirs[0], triple[0], triple[2], carry)
        for bit in range(1, BITS - 1):
            triples(bit)
            kernel.next_send("A", planes[bit], carry, triple[0], triple[1], message)
            kernel.next_carry("A", carry, message, theirs, *triple)
        kernel.final_share("A", planes[BITS - 1], carry, message[0])

    cases = [("slice_bits", lambda: kernel.slice_bits(values, BITS, planes)), ("sign_test_one_party", party)]
    sizes = {"comparisons": comparisons, "threads": 1}
    unit = "million_comparisons_per_s_per_core"
    return [rated({"measure": name} | sizes | timed(work), unit, comparisons / 1e6, 1) for name, work in cases]


def protected(rows: int, dim: int, batch: int, threads: int) -> Line:
    """Measure a search without wire and disk; both ring products share out their rows among threads."""
    import numpy as np  # noqa: PLC0415 - the command line that imports this module stays light

    from moiety.cli.protected import Rehearsal  # noqa: PLC0415 - as above
    from moiety.kernel import ring_dot  # noqa: PLC0415 - as above

    rng = np.random.default_rng(5)
    lanes = [rng.integers(0, 1 << 16, (rows, dim), np.uint16) for _ in "ab"]
    probes = rng.integers(0, 1 << 16, (batch, dim), np.uint16)
    rehearsal = Rehearsal(dim)
    edges = np.linspace(0, rows, threads + 1).astype(int)

    def product(pool: ThreadPoolExecutor, half: Any) -> Any:
        parts = [half[start:end] for start, end in pairwise(edges)]
        return np.concatenate(list(pool.map(lambda part: ring_dot(part, probes), parts)), axis=1)

    with ThreadPoolExecutor(threads) as pool:
        line = timed(lambda: rehearsal.sign_test(product(pool, lanes[0]), product(pool, lanes[1]), 6645))
    sizes = {"measure": "protected", "rows": rows, "dim": dim, "batch": batch, "threads": threads}
    return rated(sizes | line, "million_comparisons_per_s_per_core", rows * batch / 1e6, threads)


def run(rows: int, dim: int, batch: int, threads: int) -> list[Line]:
    """Return all lines: the ring product and its rivals for one probe and for `batch`, then the other parts."""
    from moiety import kernel  # noqa: PLC0415 - the command line that imports this module stays light

    kernel.warm_up()
    lines: list[Line] = [
        {"measure": "machine", "cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    ]
    for size in sorted({1, batch}):
        lines.append(ring(rows, dim, size, threads))
        lines += [peer(which, rows, dim, size, threads) for which in ("sgemm", "faiss", "faiss_blas")]
        lines.append(protected(rows, dim, size, threads))
    return [*lines, *streams(rows, dim), *sign_test(rows * min(batch, 16))]


def summary(lines: list[Line], rows: int, dim: int, batch: int, threads: int) -> Line:
    """Put the comparisons a second of the given batch into one object; None where a peer is absent."""

    def per_s(measure: str, size: int) -> float | None:
        found = [one for one in lines if one["measure"] == measure and one.get("batch") == size and "median_s" in one]
        return round(rows * size / found[0]["median_s"]) if found else None

    def single_ms(measure: str) -> float | None:
        rate = per_s(measure, 1)
        return round(rows / rate * 1e3, 3) if rate else None

    flat = [rate for rate in (per_s("faiss", batch), per_s("faiss_blas", batch)) if rate]
    ring_rate = per_s("ring_dot", batch)
    return {
        "rows": rows,
        "dim": dim,
        "batch": batch,
        "threads": threads,
        "ring_per_core_s": ring_rate and round(ring_rate / threads),
        "protected_per_s": per_s("protected", batch),
        "faiss_flat_per_s": max(flat, default=None),
        "sgemm_per_s": per_s("sgemm", batch),
        "single_ms_protected": single_ms("protected"),
        "single_ms_faiss_flat": min((ms for ms in (single_ms("faiss"), single_ms("faiss_blas")) if ms), default=None),
    }
