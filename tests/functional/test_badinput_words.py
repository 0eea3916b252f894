"""Galleries, subjects, folders, keys and models that are not what they should be."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import time
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from harness import REASON, Site, command, eventually, upload
from moiety.foundation import settings
from moiety.vision import weights

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


def test_an_unknown_gallery(site: Site, photos: Samples, album: Path) -> None:
    before = site.holding()
    with site.owner() as owner:
        for name in ("nowhere", "gal_aaaaaaaaaaaaaaaa", "%2e%2e"):
            reply = owner.post(f"galleries/{name}/identify", data=REASON, files=upload(photos.probe))
            assert (reply.status_code, reply.json()["type"]) == (404, "urn:moiety:problem:unknown-gallery")
    assert site.cli("identify", photos.probe, "-g", "nowhere", code=4).problem == "unknown-gallery"
    assert site.cli("enrol", album, "-g", "nowhere", code=4).problem == "unknown-gallery"
    assert site.cli("erase", "anybody", "-g", "nowhere", code=4).problem == "unknown-gallery"
    assert site.holding() == before


def test_an_empty_folder_and_none(site: Site, tmp_path: Path) -> None:
    with site.owner() as owner:
        owner.post("galleries", json={"name": "words", "purpose": "a test of words"}).raise_for_status()
    empty = site.cli("enrol", tmp_path, "-g", "words", code=3)
    assert (empty.problem, len(empty.words.splitlines())) == ("bad-input", 1)
    missing = site.cli("enrol", tmp_path / "none", "-g", "words", code=3)
    assert (missing.problem, len(missing.words.splitlines())) == ("bad-input", 1)
    unread = site.cli("identify", tmp_path / "none.jpg", "-g", "words", code=3)
    assert unread.problem == "bad-input"
    assert "none.jpg" in unread.words


def test_one_photo_twice(site: Site, photos: Samples) -> None:
    with site.owner() as owner:
        owner.post("galleries", json={"name": "twice", "purpose": "a test of doubles"}).raise_for_status()
        image = upload(photos.enrol["Barack Obama"][0])
        g = "galleries/twice/subjects"
        assert owner.post(g, data=REASON | {"reference": "one"}, files=image).status_code == 201
        before = site.holding()
        # Under the same name, under another, and under none.
        for form in ({"reference": "one"}, {"reference": "two"}, {}):
            again = owner.post(g, data=REASON | form, files=image)
            assert (again.status_code, again.json()["type"]) == (409, "urn:moiety:problem:duplicate-photo")
        assert site.holding() == before
        # Another gallery is another world.
        owner.post("galleries", json={"name": "elsewhere", "purpose": "another world"}).raise_for_status()
        other = owner.post("galleries/elsewhere/subjects", data=REASON | {"reference": "one"}, files=image)
        assert other.status_code == 201


def test_a_gallery_of_that_name_and_ones_that_cannot_be(site: Site) -> None:
    site.cli("gallery", "create", "once", "--purpose", "the first")
    assert site.cli("gallery", "create", "once", "--purpose", "the second", code=5).problem == "already-there"
    assert site.cli("gallery", "create", "a/b", "--purpose", "a bad name", code=3).problem == "bad-input"
    assert site.cli("gallery", "create", "lax", "--purpose", "too lax", "--fmr", "0.5", code=3).problem == "bad-input"


def test_an_expired_key(site: Site) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    body = {"name": "short", "scopes": ["gallery:manage:list"], "expires_at": soon.isoformat()}
    with site.owner() as owner:
        made = owner.post("keys", json=body).raise_for_status().json()
    with site.caller(made["token"]) as caller:
        assert caller.get("galleries").status_code == 200
        for _ in eventually("the key expires", 10):
            reply = caller.get("galleries")
            if reply.status_code != 200:
                break
        assert time.time() >= int(soon.timestamp())
    assert (reply.status_code, reply.json()["type"]) == (401, "urn:moiety:problem:key-expired")
    past = body | {"expires_at": "2001-01-01T00:00:00Z"}
    with site.owner() as owner:
        assert owner.post("keys", json=past).status_code == 400


def _another_model(folder: Path) -> None:
    """Install the default embedder under another name and hash: one more field of the file, which changes nothing.

    The last of two doc_strings (field 6 of ONNX's ModelProto) counts (protocol buffers, "Last One Wins").
    """
    there = weights.folder_of(settings.folder("MOIETY_MODELS"))
    shutil.copytree(there, folder, ignore=shutil.ignore_patterns("samples", "dlib"))
    model = (there / "faceplugin" / "fr_feature.onnx").read_bytes() + b"\x32\x05other"
    shipped = json.loads((resources.files("moiety.vision") / "manifests" / "model-faceplugin.json").read_bytes())
    own = folder.parent / "own"
    own.mkdir()
    (own / "other.onnx").write_bytes(model)
    file = {"file": "other.onnx", "member": "other.onnx", "sha256": hashlib.sha256(model).hexdigest()}
    made = shipped | {"name": "other", "source": {"client": "file"}, "files": [file | {"bytes": len(model)}]}
    (own / "other.json").write_text(json.dumps(made))
    said = command("models", "install", own / "other.json", "--json", env={"MOIETY_MODELS": str(folder)})
    assert (said.code, said.json) == (0, {"installed": ["other"]})


def test_a_gallery_of_another_model(photos: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gallery was made with one embedder; the installation is started with another."""
    _another_model(tmp_path / "models")
    monkeypatch.setenv("MOIETY_MODELS", str(tmp_path / "models"))
    (tmp_path / "album").mkdir()
    shutil.copy(photos.enrol["Barack Obama"][0], tmp_path / "album" / "Guest.jpg")
    with Site(tmp_path / "data") as site, site.owner() as owner:
        owner.post("galleries", json={"name": "old", "purpose": "the first model"}).raise_for_status()
        form = REASON | {"reference": "Guest"}
        owner.post("galleries/old/subjects", data=form, files=upload(photos.enrol["Barack Obama"][0]))
    before = site.holding()
    assert before.people == 1
    monkeypatch.setenv("MOIETY_MODEL", "other")
    with site, site.owner() as owner:
        asked = owner.post("galleries/old/identify", data=REASON, files=upload(photos.probe))
        assert (asked.status_code, asked.json()["type"]) == (409, "urn:moiety:problem:model-mismatch")
        assert "another model" in asked.json()["detail"]
        assert site.cli("enrol", tmp_path / "album", "-g", "old").json["already"] == 1
        (tmp_path / "album" / "Guest_0002.jpg").write_bytes(photos.enrol["Barack Obama"][1].read_bytes())
        assert site.cli("enrol", tmp_path / "album", "-g", "old", code=3).problem == "model-mismatch"
        assert site.holding() == before
        # A new gallery takes the new model, and the old one's people can still be shown and erased.
        owner.post("galleries", json={"name": "new", "purpose": "the second model"}).raise_for_status()
        assert owner.get("galleries/new").json()["model"] == "other"
        found = owner.post("galleries/old/find", json=form).json()["subject_id"]
        assert owner.delete(f"galleries/old/subjects/{found}", params=REASON).status_code == 200
        site.holding().check_whole()


def test_models_that_are_missing_or_damaged(photos: Samples, tmp_path: Path) -> None:
    env = {"MOIETY_MODELS": str(tmp_path / "models")}
    none = command("verify", photos.probe, photos.probe, "--data", tmp_path / "data", "--json", env=env)
    assert (none.code, none.problem) == (7, "unavailable")
    assert "moiety models install" in none.words
    there = weights.folder_of(settings.folder("MOIETY_MODELS"))
    shutil.copytree(there / "fr-detect", tmp_path / "models" / "fr-detect")
    with (tmp_path / "models" / "fr-detect" / "fr_detect.onnx").open("ab") as file:
        file.write(b"one byte too many")
    damaged = command("models", "verify", "--json", env=env)
    assert (damaged.code, damaged.problem) == (7, "models-missing")
    states = json.loads(damaged.out.splitlines()[-2])["models"]
    assert {one["name"]: one["state"] for one in states}["fr-detect"] == "damaged"
