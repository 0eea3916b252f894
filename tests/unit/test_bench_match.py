"""What the benchmark of the matching says of its own lines: growth, agreement with plain integers, the summary."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest

from moiety import kernel
from moiety.cli.bench import match
from moiety.cli.bench.agreement import different, floats, searched
from moiety.cli.bench.fill import templates
from moiety.cli.bench.relay import Relay


def test_sizes_rise_to_the_rows_that_were_asked_for() -> None:
    assert match.sizes_of(2_500_000) == [10_000, 100_000, 1_000_000, 2_500_000]
    assert match.sizes_of(64) == [64]


def line(rows: int, seconds: float) -> dict[str, Any]:
    return {"rows": rows, "batch": 4, "best_s": seconds}


def test_growth_finds_the_straight_line_and_who_is_off_it() -> None:
    sizes = (100, 1000, 10_000, 100_000)
    straight = match.growth([line(n, 0.002 + 4e-8 * n * 4) for n in sizes])
    assert (straight["fixed_ms"], straight["ns_per_comparison"]) == (2.0, 40.0)
    assert straight["off_line_percent"] == [0.0] * 4
    bent = match.growth([line(n, 0.002 + 4e-8 * n * 4 * (1 + (n == 100_000))) for n in sizes])
    assert max(abs(off) for off in bent["off_line_percent"]) > 10


def answer(rows: int, probes: Any, threshold: int) -> Any:
    """Give the bits that a search with no fault would."""
    scores = probes.astype(np.int64) @ templates(rows, probes.shape[1], 1).astype(np.int64).T
    padded = np.zeros((len(probes), -(-rows // 64) * 64), bool)
    padded[:, :rows] = scores >= threshold
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


@pytest.mark.parametrize("rows", [64, 100, 1000])
def test_every_bit_is_held_against_the_plain_result(rows: int) -> None:
    probes = match.probes_of(128, 5)
    words = answer(rows, probes, match.THRESHOLD)
    given = (probes, rows, match.THRESHOLD, lambda start, count: templates(rows, 128, 1)[start : start + count])
    wrong, hits = different(words, *given)
    assert wrong == 0
    assert 0 < hits < rows * 5
    assert hits == sum(len(kernel.positions(one, rows)) for one in words)
    flipped = words.copy()
    flipped[2, 0] ^= np.uint64(0b101)
    assert different(flipped, *given) == (2, hits)


def test_probes_are_fit_to_be_asked_and_half_their_neighbours_are_hits() -> None:
    probes = match.probes_of(512, 16)
    kernel.check_probe(probes)
    scores = probes.astype(np.int64) @ templates(64, 512, 1).astype(np.int64).T
    near = (scores > match.THRESHOLD - 700).sum()
    assert 0.25 < (scores >= match.THRESHOLD).sum() / near < 0.75


def test_rounding_decides_as_floats_do_but_beside_the_threshold() -> None:
    found = floats(512, match.COSINE)
    assert found["same_percent_beyond_0.015"] >= 99.9
    assert 90 < found["same_percent"] < 100
    assert 0.002 < found["rounding_moves_sd"] < 0.004


def test_the_summary_takes_the_better_flat_index_and_says_none_where_there_is_none() -> None:
    lines = [
        {"measure": "protected", "rows": 100, "batch": 8, "per_s": 50},
        {"measure": "protected", "rows": 10, "batch": 8, "per_s": 7},
        {"measure": "protected", "rows": 100, "batch": 1, "per_s": 2000},
        {"measure": "faiss", "rows": 100, "batch": 8, "per_s": 20},
        {"measure": "faiss_blas", "rows": 100, "batch": 8, "per_s": 30},
        {"measure": "faiss", "rows": 100, "batch": 1, "per_s": 1000},
        {"measure": "usearch_i8", "rows": 100, "batch": 8, "absent": "no peer environment"},
        {"measure": "search_agreement", "same_percent": 99.99},
        {"measure": "refresh", "rows": 100, "seconds": 2.5},
        {"measure": "wire", "rows": 100, "batch": 8, "bytes_a_to_b": 2900, "bytes_b_to_a": 2800},
        {"measure": "equality", "different": 0},
    ]
    said = match.summary(lines, 100, 512, 8, 2)
    assert (said["protected_per_s"], said["comparisons_per_core_s"]) == (50, 25)
    assert (said["faiss_flat_per_s"], said["faiss_flat_default_per_s"]) == (30, 20)
    assert (said["single_ms_protected"], said["single_ms_faiss_flat"]) == (50.0, 100.0)
    assert (said["usearch_i8_per_s"], said["faiss_sq8_per_s"], said["sgemm_per_s"]) == (None, None, None)
    assert said["bytes_per_row_each_way"] == 3.625


def test_the_relay_counts_what_passes_each_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Relay(server.getsockname()[:2]) as relay:
        asking = socket.create_connection(relay.address)
        answering, _ = server.accept()
        asking.sendall(b"a" * 700_000)
        got = 0
        while got < 700_000:
            got += len(answering.recv(1 << 16))
        answering.sendall(b"b" * 50)
        assert asking.recv(100) == b"b" * 50
        asking.close()
        assert answering.recv(1) == b""
        answering.close()
        assert (relay.forth_bytes, relay.back_bytes) == (700_000, 50)


def test_a_whole_search_decides_as_floats_do() -> None:
    found = searched(128, 0.2, 24, probes=16, rows=2_000)
    assert found["hits_of_floats"] > 100
    assert 99.0 < found["same_percent"] <= 100.0
