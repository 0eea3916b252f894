"""Run a network: one small port, with OpenVINO and ONNX Runtime behind it.

Both give the same numbers (tests/functional/test_vision_inference.py). Both load the bytes they are handed, so what
was hashed is what runs. Both are safe to call from many threads at once.
"""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from moiety.foundation.errors import BadInput
from moiety.vision.onnx_shape import free_input_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Blob = npt.NDArray[np.float32]

RuntimeName = Literal["openvino", "onnxruntime"]


class Network(Protocol):
    """One loaded model with one input."""

    def run(self, blob: Blob) -> Sequence[Blob]:
        """Take f32[N, C, H, W], contiguous; give the outputs in the model's own order. The arrays are the caller's."""


class Runtime(Protocol):
    """Something that can load an ONNX model."""

    @property
    def name(self) -> RuntimeName:
        """How settings call it."""

    def load(self, onnx: bytes, *, any_shape: bool = False) -> Network:
        """Compile `onnx`; with `any_shape` its batch, height and width are set by each blob."""


@dataclass(frozen=True)
class OpenVinoRuntime:
    """OpenVINO on the CPU, float32 pinned: on some CPUs it would silently take bfloat16.

    `threads` is the number of cores for all requests together, `streams` how many requests run side by side.
    """

    threads: int
    streams: int = 1
    name: RuntimeName = "openvino"

    def load(self, onnx: bytes, *, any_shape: bool = False) -> Network:
        """Compile for the CPU."""
        core = _openvino().Core()
        model = core.read_model(free_input_shape(onnx) if any_shape else onnx)
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": self.threads,
                "NUM_STREAMS": self.streams,
                "ENABLE_CPU_PINNING": False,
            },
        )
        return _OpenVinoNetwork(compiled)


def _openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report every import to an analytics service.

    OpenVINO falls back to a stub of its own where the package `openvino_telemetry` cannot be imported; an entry of
    None in `sys.modules` is how Python says that (reference, "The import system").
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # what `import` takes
    return importlib.import_module("openvino")


class _OpenVinoNetwork:
    """One infer request per calling thread, because a request holds its own buffers."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._local = threading.local()

    def run(self, blob: Blob) -> Sequence[Blob]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        answer = request.infer([blob], share_inputs=True)
        return [np.array(answer[index], dtype=np.float32) for index in range(len(answer))]


@dataclass(frozen=True)
class OnnxRuntime:
    """ONNX Runtime on the CPU: the portable alternative."""

    threads: int
    streams: int = 1
    name: RuntimeName = "onnxruntime"

    def load(self, onnx: bytes, *, any_shape: bool = False) -> Network:
        """Start a session; `streams` needs no setting here, since sessions run calls side by side."""
        import onnxruntime  # noqa: PLC0415 - the engine is chosen by a setting

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Waiting threads sleep instead of spinning: the machine also runs the vaults.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            free_input_shape(onnx) if any_shape else onnx, options, providers=["CPUExecutionProvider"]
        )
        return _OnnxRuntimeNetwork(session)


class _OnnxRuntimeNetwork:
    def __init__(self, session: Any) -> None:
        self._session = session
        self._input: str = session.get_inputs()[0].name

    def run(self, blob: Blob) -> Sequence[Blob]:
        outputs: list[Blob] = self._session.run(None, {self._input: blob})
        return outputs


def runtime_of(name: str, *, threads: int, streams: int = 1) -> Runtime:
    """Choose a runtime by its setting; raises `BadInput` for an unknown name."""
    if name == "openvino":
        return OpenVinoRuntime(threads=threads, streams=streams)
    if name == "onnxruntime":
        return OnnxRuntime(threads=threads, streams=streams)
    raise BadInput(f"There is no runtime {name!r}; choose openvino or onnxruntime.")
