"""One conformance test that every runtime passes, on the real networks; none is a stand-in."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.errors import BadInput
from moiety.vision import weights
from moiety.vision.inference import Network, runtime_of

if TYPE_CHECKING:
    import numpy.typing as npt

RUNTIMES = ("openvino", "onnxruntime")
# name, input shape, output shapes, any shape
NETWORKS = {
    "fr-detect": ((1, 3, 240, 320), [(1, 4420, 2), (1, 4420, 4)], False),
    "fr-landmark": ((1, 1, 64, 64), [(1, 136)], False),
    "faceplugin": ((1, 3, 112, 112), [(1, 512)], False),
    "fr-liveness": ((1, 3, 128, 128), [(1, 3)], False),
    "centerface": ((1, 3, 96, 160), [(1, 1, 24, 40), (1, 2, 24, 40), (1, 2, 24, 40), (1, 10, 24, 40)], True),
}


@cache
def loaded(runtime: str, name: str) -> Network:
    weights.install()
    content = weights.load(weights.find(name))[0]
    return runtime_of(runtime, threads=2).load(content, any_shape=NETWORKS[name][2])


def blob_for(name: str, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.5, NETWORKS[name][0]).astype(np.float32)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_have_the_documented_shapes_and_repeat(runtime: str, name: str) -> None:
    network, blob = loaded(runtime, name), blob_for(name)
    before = blob.copy()
    first = network.run(blob)
    assert [output.shape for output in first] == NETWORKS[name][1]
    assert all(output.dtype == np.float32 for output in first)
    assert np.array_equal(blob, before)
    kept = [output.copy() for output in first]
    network.run(blob_for(name, seed=1))
    assert all(np.array_equal(now, then) for now, then in zip(first, kept, strict=True)), "an output was overwritten"
    again = network.run(blob)
    assert all(np.allclose(now, then, atol=1e-5) for now, then in zip(again, kept, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_all_runtimes_give_the_same_numbers(name: str) -> None:
    # f32 on both sides: a runtime that silently took bfloat16 would be off by about 1e-2.
    answers = [loaded(runtime, name).run(blob_for(name)) for runtime in RUNTIMES]
    for one, other in zip(*answers, strict=True):
        assert np.abs(one - other).max() <= 2e-3 * max(1.0, float(np.abs(one).max()))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_any_shape_means_any_multiple_of_32(runtime: str) -> None:
    network = loaded(runtime, "centerface")
    for height, width in ((64, 32), (320, 192), (64, 32)):
        heat = network.run(np.zeros((1, 3, height, width), np.float32))[0]
        assert heat.shape == (1, 1, height // 4, width // 4)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_many_threads_get_their_own_answers(runtime: str) -> None:
    network = loaded(runtime, "fr-landmark")
    blobs = [blob_for("fr-landmark", seed) for seed in range(8)]
    expected = [network.run(blob)[0] for blob in blobs]
    wrong: list[int] = []

    def ask(number: int) -> None:
        answers = [network.run(blobs[number])[0] for _ in range(20)]
        wrong.extend(number for answer in answers if not np.allclose(answer, expected[number], atol=1e-5))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(blobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(BadInput, match="choose openvino or onnxruntime"):
        runtime_of("abacus", threads=1)


def test_no_engine_reports_home() -> None:
    # In a process of its own: a socket, a telemetry module or a thread that waits to send would show.
    program = """
import sys, threading
def watch(event, _arguments):
    if event.startswith("socket."):
        raise SystemExit(f"network: {event}")
sys.addaudithook(watch)
import numpy as np
from moiety.vision import weights
from moiety.vision.inference import runtime_of
content = weights.load(weights.find("fr-landmark"))[0]
for name in ("openvino", "onnxruntime"):
    runtime_of(name, threads=1).load(content).run(np.zeros((1, 1, 64, 64), np.float32))
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert threading.active_count() == 1, threading.enumerate()
"""
    weights.install()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
