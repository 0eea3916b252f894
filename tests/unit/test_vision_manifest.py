"""Manifests: the shipped ones are whole, wrong ones are refused with a sentence that names the field."""

from __future__ import annotations

import copy
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from moiety.foundation.errors import BadInput
from moiety.vision.manifest import FMRS, ModelCard, parse, read, shipped

REPOSITORY = Path(__file__).resolve().parents[2]

OWN: dict[str, Any] = {
    "name": "my-net",
    "task": "embed",
    "licence": "MIT",
    "source": {"client": "file"},
    "files": [{"file": "net.onnx", "member": "net.onnx", "sha256": "a" * 64, "bytes": 10}],
    "accuracy": [{"what": "LFW", "value": "99 %", "source": "its paper"}],
    "embed": {
        "engine": "onnx",
        "size": 112,
        "channels": "RGB",
        "mean": 127.5,
        "scale": 127.5,
        "layout": "NCHW",
        "template": "arcface",
        "dimension": 512,
        "length_min": None,
        "thresholds": {"1e-2": 0.2, "1e-3": 0.3, "1e-6": None},
    },
}


def changed(path: str, value: object) -> str:
    """OWN with one field set, or taken away where the value is None and the path ends in `!`."""
    raw = copy.deepcopy(OWN)
    *parents, last = path.rstrip("!").split(".")
    spot: Any = raw
    for key in parents:
        spot = spot[int(key)] if key.isdecimal() else spot[key]
    if path.endswith("!"):
        del spot[last]
    else:
        spot[last] = value
    return json.dumps(raw)


def test_a_good_manifest_is_read_whole() -> None:
    own = parse(json.dumps(OWN))
    assert own.sha256 == "a" * 64
    assert own.embed is not None
    assert own.embed.scale == 127.5
    assert own.card() == ModelCard("my-net", "a" * 64, 512, {1e-2: 0.2, 1e-3: 0.3})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("name", "My Net", "`name`"),
        ("name", "../x", "`name`"),
        ("name", 3, "`name`"),
        ("task", "paint", "`task`"),
        ("licence", " ", "`licence`"),
        ("licence!", None, "`licence`"),
        ("files", [], "`files`"),
        ("files", {}, "`files`"),
        ("files.0.file", "../net.onnx", "`file`"),
        ("files.0.sha256", "abc", "`sha256`"),
        ("files.0.bytes", 0, "`bytes`"),
        ("files.0.bytes", True, "`bytes`"),
        ("files.0.colour", "red", "`colour`"),
        ("source.client", "ftp", "`client`"),
        ("source.package", "x", "`package`"),
        ("accuracy.0.source!", None, "`source`"),
        ("embed!", None, "`embed`"),
        ("embed.engine", "tf", "`engine`"),
        ("embed.size", 8, "`size`"),
        ("embed.size", 112.0, "`size`"),
        ("embed.channels", "GRB", "`channels`"),
        ("embed.mean", "x", "`mean`"),
        ("embed.scale", 0, "`scale`"),
        ("embed.layout", "CHWN", "`layout`"),
        ("embed.template", "dlib", "`template`"),
        ("embed.dimension", 511, "`dimension`"),
        ("embed.thresholds", {"1e-9": 0.2}, "`thresholds`"),
        ("embed.thresholds", {"often": 0.2}, "`thresholds`"),
        ("embed.thresholds", {"1e-2": 1.2}, "`thresholds`"),
        ("embed.thresholds", {"1e-2": 0.5, "1e-3": 0.4}, "stricter"),
        ("embed.tresholds", {}, "`tresholds`"),
        ("note", "hello", "`note`"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: object, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        parse(changed(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="JSON"):
        parse(text)


def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.json"):
        read(tmp_path / "nowhere.json")


def test_a_model_that_does_not_embed_has_no_card() -> None:
    with pytest.raises(BadInput, match="does not embed"):
        shipped()["centerface"].card()


def test_the_shipped_manifests_are_whole() -> None:
    models = shipped()
    assert {"faceplugin", "fr-detect", "fr-landmark", "fr-liveness", "centerface", "dlib"} <= set(models)
    assert all(model.licence and model.source.archive_sha256 for model in models.values())
    card = models["faceplugin"].card()
    assert card.dim == 512
    assert sorted(card.thresholds) == sorted(FMRS)


def test_thresholds_between_two_rates_lie_between_their_cosines() -> None:
    card = shipped()["faceplugin"].card()
    assert card.threshold(1e-3) == 0.33
    middle = card.threshold(10**-3.5)
    assert middle == pytest.approx((0.33 + 0.412) / 2)


@pytest.mark.parametrize("fmr", [0.5, 1e-7, 0.0, -1.0])
def test_no_threshold_is_extrapolated(fmr: float) -> None:
    with pytest.raises(BadInput, match="calibrate"):
        shipped()["faceplugin"].card().threshold(fmr)
    with pytest.raises(BadInput, match="no rate"):
        ModelCard("bare", "a" * 64, 512, {}).threshold(fmr)


def test_shipped_pins_are_those_of_the_locked_requirements() -> None:
    locked = (REPOSITORY / "requirements" / "models.txt").read_text()
    hashes: dict[tuple[str, str], set[str]] = {}
    for block in re.split(r"\n(?=[a-z])", locked):
        if pin := re.match(r"([a-z-]+)==(\S+)", block):
            hashes[pin[1], pin[2]] = set(re.findall(r"sha256:([0-9a-f]{64})", block))
    packages = json.loads((resources.files("moiety.vision") / "manifests" / "packages.json").read_text())
    for name, pin in packages.items():
        assert set(pin["hashes"]) == hashes[name, pin["version"]]
    for model in shipped().values():
        if model.source.client == "pypi":
            assert model.source.archive_sha256 in hashes[model.source.package, model.source.version]
