"""Both kernels give the frozen answers of vectors/kernel_*.json, and ChaCha20 is that of `cryptography`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from moiety.kernel import fast, reference
from moiety.kernel.labels import label, nonce_of, triple_label
from moiety.kernel.rehearsal import rehearse

if TYPE_CHECKING:
    from types import ModuleType

    from moiety.kernel.labels import Tag

VECTORS = Path(__file__).parents[2] / "vectors"
both = pytest.mark.parametrize("kernel", [reference, fast], ids=["reference", "fast"])


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"kernel_{name}.json").read_text())


def array(text: str, dtype: str, *shape: int) -> Any:
    return np.frombuffer(bytes.fromhex(text), dtype).reshape(shape or (-1,))


def keystream(key: bytes, nonce: bytes, size: int, block: int = 0) -> bytes:
    # this library writes the block counter of RFC 8439 in front of the nonce
    return Cipher(algorithms.ChaCha20(key, block.to_bytes(4, "little") + nonce), None).encryptor().update(bytes(size))


def test_labels_and_nonces() -> None:
    for case in vectors("streams")["labels"]:
        name = label(case["domain"], *(p if isinstance(p, int) else bytes.fromhex(p) for p in case["parts"]))
        assert (name.hex(), nonce_of(name).hex()) == (case["label"], case["nonce"])


@both
def test_streams(kernel: ModuleType) -> None:
    for case in vectors("streams")["streams"]:
        seed, name = bytes.fromhex(case["seed"]), bytes.fromhex(case["label"])
        words = kernel.stream(seed, name, case["words"], case["first_word"])
        assert words.tobytes().hex() == case["stream"]
        assert words.tobytes() == keystream(seed, nonce_of(name), 8 * case["words"], case["first_word"] // 8)


@both
@pytest.mark.parametrize("words", [0, 1, 8, 127, 128, 129, 1000])
def test_stream_is_chacha20_at_the_end_of_its_counter(kernel: ModuleType, words: int) -> None:
    seed, name = bytes(range(32)), b"far"
    block = 2**32 - 200
    assert kernel.stream(seed, name, words, 8 * block).tobytes() == keystream(seed, nonce_of(name), 8 * words, block)


@both
def test_pads(kernel: ModuleType) -> None:
    for case in vectors("streams")["pads"]:
        seeds, nonces = array(case["seeds"], "u1", -1, 32), array(case["nonces"], "u1", -1, 12)
        pads = kernel.expand(seeds, nonces, case["d"])
        assert pads.tobytes().hex() == case["pads"]
        for pad, seed, nonce in zip(pads, seeds, nonces, strict=True):
            assert pad.tobytes() == keystream(seed.tobytes(), nonce.tobytes(), 2 * case["d"])


@both
def test_templates_and_splits(kernel: ModuleType) -> None:
    for case in vectors("splits")["splits"]:
        template = kernel.quantise(array(case["x"], "<f4"))
        assert template.tobytes().hex() == case["template"]
        seed, name = bytes.fromhex(case["seed"]), bytes.fromhex(case["label"])
        row = kernel.split(template, seed, name)
        assert row.tobytes().hex() == case["row"]
        assert np.array_equal(reference.join(row, seed, name), template)


@both
def test_rotations(kernel: ModuleType) -> None:
    for case in vectors("rotations")["rotations"]:
        turned = kernel.rotation(bytes.fromhex(case["seed"]), case["d"])
        assert [round(float(turned[i, j]), 6) for i, j, _ in case["entries"]] == [
            value for *_, value in case["entries"]
        ]
        millionths = np.rint(turned.astype(np.float64) * 1e6).astype("<i4")
        assert hashlib.sha256(millionths.tobytes()).hexdigest() == case["sha256_of_millionths"]


@both
def test_products_and_planes(kernel: ModuleType) -> None:
    for case in vectors("products")["products"]:
        n, q, d = case["n"], case["q"], case["d"]
        product = kernel.ring_dot(array(case["rows"], "<u2", n, d), array(case["probes"], "<u2", q, d))
        assert product.tobytes().hex() == case["product"]
        below = kernel.below_threshold(product, case["threshold"])
        assert below.tobytes().hex() == case["below_threshold"]
        assert kernel.slice_bits(below.reshape(-1)).tobytes().hex() == case["planes"]


@both
def test_sign_test_transcript(kernel: ModuleType) -> None:
    case = vectors("sign_test")
    keys = (bytes.fromhex(case["key_a"]), bytes.fromhex(case["key_b"]))
    sid, u_b = bytes.fromhex(case["sid"]), array(case["u_b"], "<u2")
    a = kernel.below_threshold(array(case["u_a"], "<u2"), case["threshold"])
    letters: tuple[Tag, ...] = ("alpha", "beta", "gamma")
    assert [triple_label(sid, 1, tag).hex() for tag in letters] == case["triple_labels"]
    triples = [kernel.triple_words(keys[0], sid, 1, tag, 2).tobytes().hex() for tag in letters]
    assert triples == case["triples_a_bit_1"]
    seen = rehearse(kernel, (a, u_b), case["bits"], keys, sid)
    for got, want in ((seen.messages_a, "messages_a"), (seen.messages_b, "messages_b"), (seen.gamma_b, "gamma_b")):
        assert [words.tobytes().hex() for words in got] == case[want]
    assert [share.tobytes().hex() for share in seen.shares] == [case["share_a"], case["share_b"]]
    assert seen.hits() == case["hits"]
