"""Write the vectors of kernel and refresh from `moiety.kernel.reference`, never from the fast kernel.

Run it only when the protocol itself changes: `PYTHONPATH=src python vectors/make.py`. The tests read the files; they
never write them. Bytes are hex; arrays are the hex of their little-endian C-order bytes.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from moiety.kernel import reference
from moiety.kernel.labels import Tag, label, nonce_of, triple_label
from moiety.kernel.rehearsal import rehearse
from moiety.warrants.statement import commit_row, row_label

HERE = Path(__file__).parent
SEEDS = [bytes(range(i, i + 32)) for i in range(0, 160, 32)]


def _some(tag: str, dtype: str, *shape: int) -> Any:
    """Return arbitrary but fixed numbers: bytes of SHAKE-128 of a tag."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(hashlib.shake_128(tag.encode()).digest(size), dtype).reshape(shape)


def _unit(tag: str, d: int) -> Any:
    floats = _some(tag, "<i2", d).astype(np.float64)
    return (floats / np.linalg.norm(floats)).astype("<f4")


def streams() -> dict[str, Any]:
    """Labels, nonces, long keystreams and pads."""
    parts: list[list[Any]] = [[], [7], [b"tenant", b"gallery", 2**64 - 1], [b"", b"a", b"ab"], [b"a", b"", b"ab"]]
    names = [("moiety/row/1", case) for case in parts] + [("", [b"\x00"])]
    enters = [(8, 0), (3, 0), (130, 0), (20, 16), (300, 8)]
    seeds, nonces = _some("seeds", "u1", 5, 32), _some("nonces", "u1", 5, 12)
    return {
        "labels": [
            {
                "domain": domain,
                "parts": [part if isinstance(part, int) else part.hex() for part in case],
                "label": label(domain, *case).hex(),
                "nonce": nonce_of(label(domain, *case)).hex(),
            }
            for domain, case in names
        ],
        "streams": [
            {
                "seed": seed.hex(),
                "label": label("moiety/vector/1", i).hex(),
                "first_word": first,
                "words": words,
                "stream": reference.stream(seed, label("moiety/vector/1", i), words, first).tobytes().hex(),
            }
            for i, (seed, (words, first)) in enumerate(zip(SEEDS, enters, strict=True))
        ],
        "pads": [
            {
                "seeds": seeds.tobytes().hex(),
                "nonces": nonces.tobytes().hex(),
                "d": d,
                "pads": reference.expand(seeds, nonces, d).tobytes().hex(),
            }
            for d in (512, 128, 40)
        ],
    }


def splits() -> dict[str, Any]:
    """Templates taken apart, from their floats on."""
    cases = []
    for i, d in enumerate((512, 256, 128)):
        x, name = _unit(f"face {i}", d), label("moiety/row/1", b"tenant", b"gallery", i, 1)
        template = reference.quantise(x)
        cases.append(
            {
                "x": x.tobytes().hex(),
                "template": template.tobytes().hex(),
                "seed": SEEDS[i].hex(),
                "label": name.hex(),
                "row": reference.split(template, SEEDS[i], name).tobytes().hex(),
            }
        )
    return {"splits": cases}


def rotations() -> dict[str, Any]:
    """Rotations: a few entries to 1e-6, and the hash of all of them rounded to 1e-6 as little-endian i32."""
    cases = []
    for seed, d in zip(SEEDS, (512, 128, 3), strict=False):
        turned = reference.rotation(seed, d)
        rounded = np.rint(turned.astype(np.float64) * 1e6).astype("<i4")
        places = [(0, 0), (0, d - 1), (d // 2, 1), (d - 1, d - 1)]
        cases.append(
            {
                "seed": seed.hex(),
                "d": d,
                "entries": [[i, j, round(float(turned[i, j]), 6)] for i, j in places],
                "sha256_of_millionths": hashlib.sha256(rounded.tobytes()).hexdigest(),
            }
        )
    return {"rotations": cases}


def products() -> dict[str, Any]:
    """Ring products, the subtraction of a threshold and bit-planes."""
    cases = []
    for n, q, d in ((70, 5, 32), (3, 1, 512), (9, 4, 20)):
        rows, probes = _some(f"rows {n}", "<u2", n, d), _some(f"probes {n}", "<u2", q, d)
        product = reference.ring_dot(rows, probes)
        below = reference.below_threshold(product, 5000)
        cases.append(
            {
                "n": n,
                "q": q,
                "d": d,
                "rows": rows.tobytes().hex(),
                "probes": probes.tobytes().hex(),
                "product": product.tobytes().hex(),
                "threshold": 5000,
                "below_threshold": below.tobytes().hex(),
                "planes": reference.slice_bits(below.reshape(-1)).tobytes().hex(),
            }
        )
    return {"products": cases}


def sign_tests() -> dict[str, Any]:
    """One small exchange whole: scores on both sides of the threshold, 70 comparisons, 16 bits."""
    threshold, sid, keys = 4242, b"a session of vectors", (SEEDS[0], SEEDS[1])
    scores = np.resize(np.arange(-3, 4), 70) + threshold
    scores[7:14] = [16_129, -16_129, 0, -1, 1, threshold, threshold - 1]
    u_b = _some("shares", "<u2", 70)
    u_a = scores.astype(np.uint16) - u_b
    seen = rehearse(reference, (reference.below_threshold(u_a, threshold), u_b), 16, keys, sid)
    letters: tuple[Tag, ...] = ("alpha", "beta", "gamma")
    return {
        "bits": 16,
        "count": 70,
        "threshold": threshold,
        "sid": sid.hex(),
        "key_a": keys[0].hex(),
        "key_b": keys[1].hex(),
        "u_a": u_a.tobytes().hex(),
        "u_b": u_b.tobytes().hex(),
        "triple_labels": [triple_label(sid, 1, tag).hex() for tag in letters],
        "triples_a_bit_1": [reference.triple_words(keys[0], sid, 1, tag, 2).tobytes().hex() for tag in letters],
        "messages_a": [message.tobytes().hex() for message in seen.messages_a],
        "messages_b": [message.tobytes().hex() for message in seen.messages_b],
        "gamma_b": [words.tobytes().hex() for words in seen.gamma_b],
        "share_a": seen.shares[0].tobytes().hex(),
        "share_b": seen.shares[1].tobytes().hex(),
        "hits": seen.hits(),
    }


def refreshes() -> dict[str, Any]:
    """One template over two epochs: its halves, what B sends in between, what A makes of it, and both commitments."""
    cases = []
    for i, d in enumerate((512, 128)):
        tenant, gallery, row_id, epoch = (
            f"ten_{i:04}",
            "gal_abcdefghijklmnop",
            _some(f"row {i}", "u1", 16).tobytes(),
            7 + i,
        )
        template = reference.quantise(_unit(f"refreshed face {i}", d))
        halves = []
        for at in (epoch, epoch + 1):
            seed, salt = _some(f"seed {i} {at}", "u1", 32), _some(f"salt {i} {at}", "u1", 32).tobytes()
            name = row_label(tenant, gallery, row_id, at)
            nonce = np.frombuffer(nonce_of(name), np.uint8)
            row = reference.split(template, seed.tobytes(), name)
            pad = reference.expand(seed[None], nonce[None], d)[0]
            halves.append((seed, salt, row, pad, commit_row(tenant, gallery, row_id, at, salt, row.tobytes())))
        old, new = (
            {
                "seed": s.tobytes().hex(),
                "salt": t.hex(),
                "row": r.tobytes().hex(),
                "pad": p.tobytes().hex(),
                "c": c.hex(),
            }
            for s, t, r, p, c in halves
        )
        delta = halves[0][3] - halves[1][3]
        cases.append(
            {
                "d": d,
                "tenant": tenant,
                "gallery": gallery,
                "row_id": row_id.hex(),
                "epoch": epoch,
                "template": template.tobytes().hex(),
                "old": old,
                "delta": delta.tobytes().hex(),
                "new": new,
            }
        )
    return {"refreshes": cases}


MAKERS = {
    "kernel_streams": streams,
    "kernel_splits": splits,
    "kernel_rotations": rotations,
    "kernel_products": products,
    "kernel_sign_test": sign_tests,
    "refresh": refreshes,
}


def main() -> None:
    """Write one JSON file for each maker."""
    for name, maker in MAKERS.items():
        (HERE / f"{name}.json").write_text(json.dumps(maker(), indent=1) + "\n")


if __name__ == "__main__":
    main()
