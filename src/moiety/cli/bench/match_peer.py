"""The rivals of a protected search, on random unit vectors: NumPy's sgemm, FAISS (flat, SQ8), usearch (i8, exact).

Started by `match` in a process of its own, so that thread counts are set before any library loads, and with the
peer environment's Python, so that no rival is ever a dependency of the product. Prints one JSON line.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 5
K = 10
SGEMM_ROWS = 4096
DRAWN = 100_000
TRAINED = 100_000


def seconds(work: Callable[[], object]) -> list[float]:
    """Return the times of REPEATS runs after one that is not counted."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def sgemm(vectors: Any, probes: Any) -> tuple[str, list[float]]:
    """Time all scores f32[q, n] = probes @ vectors' and the K best of each probe: the limit for floats.

    Rows are taken in blocks, so that scores stay in the cache until their best are picked.
    """
    out = np.empty((len(probes), SGEMM_ROWS), np.float32)

    def search() -> None:
        best = np.full((len(probes), K), -np.inf, np.float32)
        for start in range(0, len(vectors), SGEMM_ROWS):
            block = vectors[start : start + SGEMM_ROWS]
            scores = np.matmul(probes, block.T, out=out[:, : len(block)])
            # Few blocks have a score among the K best so far.
            better = scores.max(axis=1) > best[:, 0]
            if better.any():
                both = np.concatenate([best[better], scores[better]], axis=1)
                best[better] = np.sort(np.partition(both, -K, axis=1)[:, -K:], axis=1)

    return np.__version__, seconds(search)


def faiss_index(vectors: Any, probes: Any, threads: int, kind: str) -> tuple[str, list[float]]:
    """Time the search for the K best: exact as FAISS chooses, made to use BLAS, or with rows rounded to 8 bits.

    FAISS 1.15 scans query by query while queries * dim < 128,000 (measured: 12 million comparisons/s at 249 queries of
    512 numbers, 71 at 250), which 64 probes do not reach. A fair comparison takes the faster of the two.
    """
    import faiss  # noqa: PLC0415 - only the peer environment has it

    faiss.omp_set_num_threads(threads)
    dim = vectors.shape[1]
    if kind == "faiss_sq8":
        index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[:TRAINED])
    else:
        index = faiss.IndexFlatIP(dim)
        faiss.cvar.distance_compute_blas_threshold = (
            1 if kind == "faiss_blas" else faiss.cvar.distance_compute_blas_threshold
        )
    index.add(vectors)
    return faiss.__version__, seconds(lambda: index.search(probes, K))


def usearch_i8(vectors: Any, probes: Any, threads: int) -> tuple[str, list[float]]:
    """Time the exact search for the K best of rows rounded to i8."""
    import usearch  # noqa: PLC0415 - only the peer environment has it
    from usearch.index import MetricKind, search  # noqa: PLC0415 - as above

    rows, asked = (np.rint(side * 127).astype(np.int8) for side in (vectors, probes))
    return usearch.__version__, seconds(lambda: search(rows, asked, K, MetricKind.IP, exact=True, threads=threads))


def unit_vectors(rows: int, dim: int) -> Any:
    """Draw f32[n, d] of random directions, block by block."""
    rng = np.random.default_rng(1)
    vectors = np.empty((rows, dim), np.float32)
    for start in range(0, rows, DRAWN):
        block = vectors[start : start + DRAWN]
        rng.standard_normal(dtype=np.float32, out=block)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def main() -> None:
    """Measure what the arguments say: WHICH ROWS DIM BATCH THREADS."""
    which = sys.argv[1]
    rows, dim, batch, threads = (int(text) for text in sys.argv[2:6])
    vectors = unit_vectors(rows, dim)
    probes = np.ascontiguousarray(vectors[:batch])
    if which == "sgemm":
        version, taken = sgemm(vectors, probes)
    elif which == "usearch_i8":
        version, taken = usearch_i8(vectors, probes, threads)
    else:
        version, taken = faiss_index(vectors, probes, threads, which)
    taken_s = {"best_s": min(taken), "median_s": statistics.median(taken)}
    print(json.dumps({"version": version, **taken_s}))  # noqa: T201 - the line that `match` reads


if __name__ == "__main__":
    main()
