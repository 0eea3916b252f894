"""Installing models: whole or not at all, never what was not asked for, offline the second time."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import AlreadyThere, BadInput, DiskFull, ModelsMissing, Unavailable, Unverified
from moiety.vision import fetch, manifest, weights
from moiety.vision.manifest import ModelFile, Source

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = os.urandom(3000)
WANTED = ModelFile("net.onnx", "package/net.onnx", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def tgz(members: dict[str, bytes], link: str | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as pack:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            pack.addfile(info, io.BytesIO(body))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
            pack.addfile(info)
    return stream.getvalue()


def wheel(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for name, body in members.items():
            pack.writestr(name, body)
    return stream.getvalue()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Make `fetch.archive` hand out given bytes for the one model `toy`; without a call it is off line."""
    model = manifest.Manifest("toy", "landmarks", "MIT", Source("npm", "toy", "1.0.0", "0" * 64), (WANTED,), (), None)
    monkeypatch.setattr(manifest, "shipped", lambda: {"toy": model})
    monkeypatch.setattr(weights, "DEFAULT_SET", ("toy",))

    def refuse(source: Source, folder: Path) -> Path:
        raise Unavailable(f"no network for {source.package} in {folder.name}")

    def serve(body: bytes) -> None:
        def archive(_source: Source, folder: Path) -> Path:
            path = folder / "toy.tgz"
            path.write_bytes(body)
            return path

        monkeypatch.setattr(fetch, "archive", archive)

    monkeypatch.setattr(fetch, "archive", refuse)
    monkeypatch.setenv("MOIETY_MODELS", str(tmp_path / "models"))
    return serve


def files_in(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )


def test_an_install_leaves_only_the_named_member(served: Callable[[bytes], None], tmp_path: Path) -> None:
    served(tgz({"package/net.onnx": CONTENT, "package/other": b"x", "../evil": b"x", "/abs": b"x"}))
    said: list[str] = []
    weights.install(progress=said.append)
    assert files_in(tmp_path) == ["models/toy/net.onnx"]
    assert said[-1] == "toy: installed"
    assert weights.load(weights.find("toy")) == [CONTENT]
    assert [verdict.state for verdict in weights.verify()] == ["good"]


def test_the_second_install_needs_no_network(served: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch) -> None:
    served(tgz({"package/net.onnx": CONTENT}))
    weights.install()

    def never(_source: Source, _folder: Path) -> Path:
        pytest.fail("nothing is fetched for a model that is there and good")

    monkeypatch.setattr(fetch, "archive", never)
    weights.install()


def test_off_line_says_so_and_leaves_nothing(served: Callable[[bytes], None], tmp_path: Path) -> None:
    del served
    with pytest.raises(Unavailable, match="no network"):
        weights.install()
    assert files_in(tmp_path) == []
    assert [verdict.state for verdict in weights.verify()] == ["missing"]
    with pytest.raises(ModelsMissing, match="moiety models install"):
        weights.load(weights.find("toy"))


@pytest.mark.parametrize(
    "body",
    [
        tgz({"package/net.onnx": CONTENT})[:-600],
        b"this is no archive",
        tgz({"package/other": CONTENT}),
        tgz({"package/net.onnx": CONTENT[:-1]}),
        tgz({"package/net.onnx": CONTENT + b"x"}),
        tgz({"package/net.onnx": bytes(len(CONTENT))}),
        tgz({}, link="package/net.onnx"),
    ],
    ids=["truncated", "no archive", "no member", "shorter", "longer", "other bytes", "a link"],
)
def test_a_bad_archive_is_refused_and_leaves_nothing(
    served: Callable[[bytes], None], tmp_path: Path, body: bytes
) -> None:
    served(body)
    with pytest.raises(Unverified):
        weights.install()
    assert files_in(tmp_path) == []


def test_a_tampered_file_is_found_refused_and_replaced(served: Callable[[bytes], None], tmp_path: Path) -> None:
    served(tgz({"package/net.onnx": CONTENT}))
    weights.install()
    (tmp_path / "models" / "toy" / "net.onnx").write_bytes(bytes(len(CONTENT)))
    assert [verdict.state for verdict in weights.verify()] == ["damaged"]
    with pytest.raises(Unverified, match="altered"):
        weights.load(weights.find("toy"))
    weights.install()
    assert [verdict.state for verdict in weights.verify()] == ["good"]


def test_a_killed_install_leaves_parts_that_the_next_removes(served: Callable[[bytes], None], tmp_path: Path) -> None:
    served(tgz({"package/net.onnx": CONTENT}))
    left = tmp_path / "models" / "toy" / ".part-left"
    left.parent.mkdir(parents=True)
    left.write_bytes(CONTENT[:100])
    (tmp_path / "models" / ".part-folder").mkdir()
    (tmp_path / "models" / ".part-folder" / "toy.tgz").write_bytes(b"half")
    weights.install()
    assert files_in(tmp_path) == ["models/toy/net.onnx"]


def test_a_full_disk_is_said_and_leaves_nothing(
    served: Callable[[bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(tgz({"package/net.onnx": CONTENT}))

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="No space left"):
        weights.install()
    assert files_in(tmp_path) == []


def test_the_wrong_archive_is_refused_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def npm(_command: object, _what: str, folder: Path, **_variables: str) -> None:
        (folder / "toy-1.0.0.tgz").write_bytes(b"something else")

    monkeypatch.setattr(fetch, "_call", npm)
    with pytest.raises(Unverified, match="another SHA-256"):
        fetch.archive(Source("npm", "toy", "1.0.0", "0" * 64), tmp_path)


def test_a_client_that_fails_gives_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^npm failed: second$"):
        fetch._call(["sh", "-c", "echo first >&2; echo second >&2; exit 3"], "npm", tmp_path)
    with pytest.raises(Unavailable, match="could not be run"):
        fetch._call([str(tmp_path / "nothing")], "npm", tmp_path)


def test_a_wheel_is_unpacked_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "toy-1.0-py3-none-any.whl"
    path.write_bytes(wheel({"package/net.onnx": CONTENT, "x": b"y"}))
    target = io.BytesIO()
    fetch.unpack(path, WANTED, target)
    assert target.getvalue() == CONTENT
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(Unverified, match="damaged"):
        fetch.unpack(path, WANTED, io.BytesIO())


def test_where_models_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOIETY_MODELS", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert weights.folder_of() == Path.home() / ".cache" / "moiety" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert weights.folder_of() == tmp_path / "x" / "moiety" / "models"
    monkeypatch.setenv("MOIETY_MODELS", str(tmp_path / "m"))
    assert weights.folder_of() == tmp_path / "m"
    assert weights.folder_of(tmp_path / "a") == tmp_path / "a"


def own_manifest(folder: Path, **changes: Any) -> Path:
    (folder / "own.onnx").write_bytes(CONTENT)
    raw = {
        "name": "own",
        "task": "embed",
        "licence": "MIT",
        "source": {"client": "file"},
        "files": [{"file": "own.onnx", "member": "own.onnx", "sha256": WANTED.sha256, "bytes": WANTED.bytes}],
        "embed": {
            "engine": "onnx",
            "size": 112,
            "channels": "BGR",
            "mean": 127,
            "scale": 128,
            "layout": "NCHW",
            "template": "arcface",
            "dimension": 512,
            "thresholds": {"1e-3": 0.4},
        },
        **changes,
    }
    path = folder / "own.json"
    path.write_text(json.dumps(raw))
    return path


def test_a_model_of_ones_own_is_known_after_install(tmp_path: Path) -> None:
    models, path = tmp_path / "models", own_manifest(tmp_path)
    weights.install(str(path), models)
    path.unlink()
    (tmp_path / "own.onnx").unlink()
    assert weights.load(weights.find("own", models), models) == [CONTENT]
    listed = {entry["name"]: entry for entry in weights.listing(models)}["own"]
    assert listed["installed"] is True
    assert listed["licence"] == "MIT"
    assert [(verdict.name, verdict.state) for verdict in weights.verify(models) if verdict.state == "good"] == [
        ("own", "good")
    ]
    (models / "own" / "own.onnx").unlink()
    with pytest.raises(BadInput, match="own manifest file"):
        weights.install("own", models)


def test_a_model_of_ones_own_with_another_hash_is_refused(tmp_path: Path) -> None:
    path = own_manifest(tmp_path)
    (tmp_path / "own.onnx").write_bytes(CONTENT[::-1])
    with pytest.raises(Unverified, match="SHA-256"):
        weights.install(str(path), tmp_path / "models")
    (tmp_path / "own.onnx").unlink()
    with pytest.raises(BadInput, match=r"own\.onnx"):
        weights.install(str(path), tmp_path / "models")
    assert files_in(tmp_path / "models") == []


def test_a_shipped_name_cannot_be_taken(tmp_path: Path) -> None:
    with pytest.raises(AlreadyThere, match="faceplugin"):
        weights.install(str(own_manifest(tmp_path, name="faceplugin")), tmp_path / "models")


def test_an_own_manifest_cannot_name_a_package(tmp_path: Path) -> None:
    source = {"client": "pypi", "package": "x", "version": "1", "archive_sha256": "0" * 64}
    with pytest.raises(BadInput, match="client file"):
        weights.install(str(own_manifest(tmp_path, source=source)), tmp_path / "models")


def test_an_unknown_model_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="faceplugin"):
        weights.install("nothing", tmp_path)


def test_the_listing_names_licence_source_hash_and_accuracy(tmp_path: Path) -> None:
    listed = {entry["name"]: entry for entry in weights.listing(tmp_path)}
    face = listed["faceplugin"]
    assert face["licence"] == "MIT"
    assert face["source"] == "npm faceplugin-face-recognition-js 0.0.1"
    assert face["sha256"].startswith("87aacdfe")
    assert face["accuracy"][0]["value"] == "99.45 %"
    assert face["accuracy"][0]["source"]
    assert face["installed"] is False
    assert face["default"] is True
    assert listed["dlib"]["default"] is False
