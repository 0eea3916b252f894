"""Manifests: what a model is, where it comes from, how it is fed. One JSON object per model.

| Field | Meaning |
|---|---|
| `name` | how settings call the model: lower-case letters, digits, `-`, `_`, `.`; at most 40 |
| `task` | `detect-fast`, `detect-accurate`, `landmarks`, `liveness` or `embed`; a manifest of your own is `embed` |
| `licence` | what the package or file declares, as text |
| `source` | `{"client": "npm" or "pypi", "package", "version", "archive_sha256"}`, or `{"client": "file"}` |
| `files` | a list of `{"file", "member", "sha256", "bytes"}`; the first is the model, its hash the model's identity |
| | `file` is the name in the cache; `member` is the path in the archive, or for `"file"` the path beside the manifest |
| `accuracy` | a list of `{"what", "value", "source"}`; may be empty |
| `embed` | only for `embed`, see below |

The block `embed` describes an ArcFace-style network: one input, a batch of aligned crops, one output.

| Field | Meaning |
|---|---|
| `engine` | `onnx`, or `dlib` for the built-in dlib model |
| `size` | side of the square crop in pixels, 32 to 1024 |
| `channels` | `RGB` or `BGR` |
| `mean`, `scale` | a pixel x of 0 to 255 is fed as (x - mean) / scale |
| `layout` | `NCHW` or `NHWC` |
| `template` | alignment: `arcface` (five points, scaled from 112 x 112), or `dlib` |
| `dimension` | length of the vector: 128, 256 or 512 |
| `length_min` | shortest vector, before normalising, that may be enrolled; null where length says nothing |
| `thresholds` | false-match rate to cosine, for example `{"1e-2": 0.24, ...}`; null where not measured |
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Task = Literal["detect-fast", "detect-accurate", "landmarks", "liveness", "embed"]
Client = Literal["npm", "pypi", "file"]

FMRS: Final = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_TASKS: Final = ("detect-fast", "detect-accurate", "landmarks", "liveness", "embed")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_BYTES_MAX: Final = 4 * 1024**3
_SIDES: Final = range(32, 1025)
_DIMENSIONS: Final = (128, 256, 512)
_TYPE_NAMES: Final = {str: "text", int: "a whole number", dict: "an object", list: "a list"}


@dataclass(frozen=True)
class ModelFile:
    """One file of a model: its name in the cache, its path in the archive, its SHA-256 (hex) and its size."""

    file: str
    member: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Source:
    """Where a model comes from; package, version and archive hash are empty for a file of the user's own."""

    client: Client
    package: str = ""
    version: str = ""
    archive_sha256: str = ""


@dataclass(frozen=True)
class Accuracy:
    """One measured number: what was measured, the value as text, and who measured it."""

    what: str
    value: str
    source: str


def cosine_at(table: Mapping[float, float], fmr: float) -> float:
    """Give the cosine for a false-match rate; between two rates of the table straight in log10 of the rate.

    Raises `BadInput` outside the table: nothing is extrapolated.
    """
    known = sorted(table)
    if not known or not known[0] <= fmr <= known[-1]:
        span = f"{known[0]:g} to {known[-1]:g}" if known else "no rate"
        raise BadInput(f"False-match rates were measured for {span}, not for {fmr:g}; calibrate the model.")
    above = next(rate for rate in known if rate >= fmr)
    below = max(rate for rate in known if rate <= fmr)
    if above == below:
        return table[above]
    share = (math.log10(fmr) - math.log10(below)) / (math.log10(above) - math.log10(below))
    return table[below] + share * (table[above] - table[below])


@dataclass(frozen=True)
class ModelCard:
    """What the rest of the system knows of an embedder. Templates of different `sha256` are never compared.

    `thresholds` maps a false-match rate to the cosine from which two faces count as the same person.
    """

    name: str
    sha256: str
    dim: int
    thresholds: Mapping[float, float]

    def threshold(self, fmr: float) -> float:
        """Give the cosine for a false-match rate; between two rates of the table straight in log10 of the rate.

        Raises `BadInput` outside the table: nothing is extrapolated.
        """
        return cosine_at(self.thresholds, fmr)


@dataclass(frozen=True)
class EmbedSpec:
    """How an embedder is fed; the fields are those of the module's table."""

    engine: Literal["onnx", "dlib"]
    size: int
    channels: Literal["RGB", "BGR"]
    mean: float
    scale: float
    layout: Literal["NCHW", "NHWC"]
    template: Literal["arcface", "dlib"]
    dimension: int
    length_min: float | None
    thresholds: Mapping[float, float]


@dataclass(frozen=True)
class Manifest:
    """A validated manifest."""

    name: str
    task: Task
    licence: str
    source: Source
    files: tuple[ModelFile, ...]
    accuracy: tuple[Accuracy, ...]
    embed: EmbedSpec | None

    @property
    def sha256(self) -> str:
        """The hash that stands for the model: that of its first file."""
        return self.files[0].sha256

    def card(self) -> ModelCard:
        """Give the card of an embedder; raises `BadInput` for any other task."""
        if self.embed is None:
            raise BadInput(f"The model {self.name} does not embed faces.")
        return ModelCard(self.name, self.sha256, self.embed.dimension, self.embed.thresholds)


def parse(text: str | bytes) -> Manifest:
    """Read and validate a manifest; raises `BadInput` with one sentence that names the field."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput("The manifest is not valid JSON.") from None
    if not isinstance(raw, dict):
        raise BadInput("The manifest is not a JSON object.")
    _only(raw, {"name", "task", "licence", "source", "files", "accuracy", "embed"}, "the manifest")
    task = _choice(raw, "task", _TASKS)
    files = tuple(_file(entry) for entry in _take(raw, "files", list))
    if not files:
        raise BadInput("The manifest's `files` is empty.")
    if (task == "embed") != ("embed" in raw):
        raise BadInput("The manifest needs the block `embed` if, and only if, its task is `embed`.")
    return Manifest(
        name=_pattern(raw, "name", _NAME),
        task=cast("Task", task),
        licence=_text(raw, "licence"),
        source=_source(_take(raw, "source", dict)),
        files=files,
        accuracy=tuple(_accuracy(entry) for entry in raw.get("accuracy", [])),
        embed=_embed(_take(raw, "embed", dict)) if task == "embed" else None,
    )


def read(path: Path) -> Manifest:
    """Read a manifest of the user's own; raises `BadInput` where it cannot be read or is wrong."""
    try:
        text = path.read_bytes()
    except OSError:
        raise BadInput(f"The manifest {path.name} cannot be read.") from None
    return parse(text)


def shipped() -> dict[str, Manifest]:
    """Give the manifests that come with moiety, by name."""
    folder = resources.files("moiety.vision") / "manifests"
    found = [parse(entry.read_bytes()) for entry in folder.iterdir() if entry.name.startswith("model-")]
    return {manifest.name: manifest for manifest in sorted(found, key=lambda manifest: manifest.name)}


def _take(raw: dict[str, Any], key: str, kind: type) -> Any:
    value = raw.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BadInput(f"The manifest's `{key}` must be {_TYPE_NAMES[kind]}.")
    return value


def _only(raw: dict[str, Any], known: set[str], where: str) -> None:
    """Refuse fields that mean nothing: a misspelt one would silently not count."""
    strange = sorted(set(raw) - known)
    if strange:
        raise BadInput(f"There is no field `{strange[0]}` in {where}.")


def _text(raw: dict[str, Any], key: str) -> str:
    value: str = _take(raw, key, str)
    if not value.strip():
        raise BadInput(f"The manifest's `{key}` is empty.")
    return value


def _pattern(raw: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value: str = _take(raw, key, str)
    if not pattern.fullmatch(value):
        raise BadInput(f"The manifest's `{key}` is not of the form {pattern.pattern}.")
    return value


def _choice(raw: dict[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value: str = _take(raw, key, str)
    if value not in allowed:
        raise BadInput(f"The manifest's `{key}` must be one of {', '.join(allowed)}.")
    return value


def _number(raw: dict[str, Any], key: str) -> float:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadInput(f"The manifest's `{key}` must be a number.")
    return float(value)


def _file(entry: Any) -> ModelFile:
    if not isinstance(entry, dict):
        raise BadInput("Each entry of the manifest's `files` must be an object.")
    _only(entry, {"file", "member", "sha256", "bytes"}, "`files`")
    size: int = _take(entry, "bytes", int)
    if not 0 < size <= _BYTES_MAX:
        raise BadInput("The manifest's `bytes` is out of range.")
    return ModelFile(
        file=_pattern(entry, "file", _FILE),
        member=_text(entry, "member"),
        sha256=_pattern(entry, "sha256", _SHA256),
        bytes=size,
    )


def _source(raw: dict[str, Any]) -> Source:
    client = _choice(raw, "client", ("npm", "pypi", "file"))
    if client == "file":
        _only(raw, {"client"}, "`source` of a file")
        return Source("file")
    _only(raw, {"client", "package", "version", "archive_sha256"}, "`source`")
    return Source(
        client=cast("Client", client),
        package=_pattern(raw, "package", re.compile(r"[a-z0-9@][a-z0-9@/._-]*")),
        version=_pattern(raw, "version", re.compile(r"[0-9][0-9A-Za-z.+-]*")),
        archive_sha256=_pattern(raw, "archive_sha256", _SHA256),
    )


def _accuracy(entry: Any) -> Accuracy:
    if not isinstance(entry, dict):
        raise BadInput("Each entry of the manifest's `accuracy` must be an object.")
    _only(entry, {"what", "value", "source"}, "`accuracy`")
    return Accuracy(_text(entry, "what"), _text(entry, "value"), _text(entry, "source"))


def _embed(raw: dict[str, Any]) -> EmbedSpec:
    known = {"engine", "size", "channels", "mean", "scale", "layout", "template", "dimension", "length_min"}
    _only(raw, known | {"thresholds"}, "`embed`")
    size: int = _take(raw, "size", int)
    if size not in _SIDES:
        raise BadInput("The manifest's `size` must be 32 to 1024.")
    dimension: int = _take(raw, "dimension", int)
    if dimension not in _DIMENSIONS:
        raise BadInput("The manifest's `dimension` must be 128, 256 or 512.")
    scale = _number(raw, "scale")
    if scale <= 0:
        raise BadInput("The manifest's `scale` must be above zero.")
    engine, template = _choice(raw, "engine", ("onnx", "dlib")), _choice(raw, "template", ("arcface", "dlib"))
    if engine != "dlib" and template == "dlib":
        raise BadInput("The manifest's `template` dlib goes only with the engine dlib.")
    return EmbedSpec(
        engine=cast('Literal["onnx", "dlib"]', engine),
        size=size,
        channels=cast('Literal["RGB", "BGR"]', _choice(raw, "channels", ("RGB", "BGR"))),
        mean=_number(raw, "mean"),
        scale=scale,
        layout=cast('Literal["NCHW", "NHWC"]', _choice(raw, "layout", ("NCHW", "NHWC"))),
        template=cast('Literal["arcface", "dlib"]', template),
        dimension=dimension,
        length_min=None if raw.get("length_min") is None else _number(raw, "length_min"),
        thresholds=_thresholds(_take(raw, "thresholds", dict)),
    )


def _thresholds(raw: dict[str, Any]) -> Mapping[float, float]:
    """Read the table; a stricter rate never has a lower cosine."""
    table: dict[float, float] = {}
    for key, value in raw.items():
        try:
            rate = float(key)
        except ValueError:
            rate = math.nan
        if rate not in FMRS:
            raise BadInput("The manifest's `thresholds` has the rates 1e-2, 1e-3, 1e-4, 1e-5 and 1e-6.")
        if value is None:
            continue
        cosine = _number(raw, key)
        if not 0 <= cosine <= 1:
            raise BadInput("A cosine in the manifest's `thresholds` must be 0 to 1.")
        table[rate] = cosine
    strict_first = [table[rate] for rate in sorted(table)]
    if strict_first != sorted(strict_first, reverse=True):
        raise BadInput("In the manifest's `thresholds` a stricter rate has a lower cosine.")
    return table
