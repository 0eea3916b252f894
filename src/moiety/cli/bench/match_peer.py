"""The rivals of the ring product: NumPy's sgemm, and FAISS IndexFlatIP with k = 10, on random unit vectors.

Started by `match_kernel` in a process of its own, so that thread counts are set before any library loads, and with the
peer environment's Python, so that FAISS is never a dependency of the product. Prints one JSON line.
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

REPEATS = 7
K = 10


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
    """Time all scores f32[q, n] = probes @ vectors'."""
    out = np.empty((len(probes), len(vectors)), np.float32)
    return np.__version__, seconds(lambda: np.matmul(probes, vectors.T, out=out))


def faiss_flat(vectors: Any, probes: Any, threads: int, *, by_blas: bool) -> tuple[str, list[float]]:
    """Time the exact search for the K best: as FAISS chooses by itself, or made to multiply with BLAS.

    FAISS 1.15 scans query by query while queries * dim < 128,000 (measured: 12 million comparisons/s at 249 queries of
    512 numbers, 71 at 250), which 64 probes do not reach. A fair comparison takes the faster of the two.
    """
    import faiss  # noqa: PLC0415 - only the peer environment has it

    faiss.omp_set_num_threads(threads)
    if by_blas:
        faiss.cvar.distance_compute_blas_threshold = 1
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return faiss.__version__, seconds(lambda: index.search(probes, K))


def main() -> None:
    """Measure what the arguments say: WHICH ROWS DIM BATCH THREADS."""
    which = sys.argv[1]
    rows, dim, batch, threads = (int(text) for text in sys.argv[2:6])
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((rows, dim), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probes = np.ascontiguousarray(vectors[:batch])
    if which == "sgemm":
        version, taken = sgemm(vectors, probes)
    else:
        version, taken = faiss_flat(vectors, probes, threads, by_blas=which == "faiss_blas")
    taken_s = {"best_s": min(taken), "median_s": statistics.median(taken)}
    print(json.dumps({"version": version, **taken_s}))  # noqa: T201 - the line that `match` reads


if __name__ == "__main__":
    main()
