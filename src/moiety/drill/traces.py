"""What stays behind of a search, and what lies about: files, open files, temporary files, dumps, arguments."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from moiety.drill import faces, household
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.noise import CHANCE, correlation
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moiety.drill.ground import Ground

FACE_BYTES = 512


class Traces(Drill):
    """Looks for probes after a search."""

    name = "traces"
    tried = (
        "searched, then looked for the probe and its embedding in every file, every open or deleted file of every "
        "process and every temporary file; read whether a crash would dump memory, and how much lies in swap"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.EYE: "weak_eye:probes_kept"}

    def attack(self, ground: Ground) -> Obtained:
        """Search, then look."""
        home = household.move_in(ground)
        contents = dict(_everything(ground))
        wanted = faces.known(ground, home.gallery, [ground.photos.probe.read_bytes()])
        tally = Tally()
        seen = [
            name for name, raw in contents.items() if len(raw) >= FACE_BYTES and correlation(raw, wanted).max() > CHANCE
        ]
        tally.add(len(seen), f"the probe shows in {len(seen)} of {len(contents)} files")
        pictures = household.find_pictures(contents.values(), home.pictures[-1:])
        tally.add(pictures, f"pieces of its picture in {pictures}")
        limits = {role: _core_limit(ground, role) for role in Role}
        dumping = [role for role, limit in limits.items() if limit != "0"]
        tally.add(len(dumping), f"{len(dumping)} processes would dump their memory in a crash")
        swapped = sum(_swapped_kib(ground, role) for role in Role)
        tally.add(0, f"{swapped} KiB in swap (the system may swap; an encrypted swap is the machine's business)")
        return tally.obtained()


class LooseEnds(Drill):
    """Looks for secrets where everybody looks."""

    name = "loose-ends"
    tried = (
        "looked for keys and tokens in arguments and environments of processes and in files that should not hold them, "
        "for files that others may read, and for files written elsewhere"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:tokens_noted"}

    def attack(self, ground: Ground) -> Obtained:
        """Let the installation work, then look."""
        home = household.move_in(ground)
        made = ground.made
        told = json.loads((made.run / "gate.json").read_bytes())
        secrets = [home.token.encode(), told["token"].encode()]
        for path in made.keys.rglob("*.key"):
            secrets += [path.read_bytes(), path.read_bytes().hex().encode()]
        tally = Tally()
        shown = [role for role in Role if any(secret in _public(ground, role) for secret in secrets)]
        tally.add(len(shown), f"{len(shown)} processes show one of {len(secrets)} secrets")
        holding = [name for name, raw in _everything(ground) if home.token.encode() in raw]
        tally.add(len(holding), f"the token of a key in {len(holding)} files")
        paths = [made.data, *made.data.rglob("*"), *(ground.folder / "tmp").rglob("*")]
        loose = [path for path in paths if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]
        tally.add(len(loose), f"{len(loose)} of {len(paths)} files and folders that others may enter {_names(loose)}")
        left = [path for path in (ground.folder / "tmp").rglob("*") if path.is_file()]
        tally.add(len(left), f"{len(left)} temporary files")
        outside = [path for path in _open_for_writing(ground) if made.data not in path.parents]
        tally.add(len(outside), f"{len(outside)} files written outside the installation {_names(outside)}")
        return tally.obtained()


def _names(paths: list[Path]) -> str:
    """Name some files."""
    return ", ".join(sorted({path.name for path in paths})[:3])


def _process(ground: Ground, role: Role) -> Path:
    """Where the system shows a part's process."""
    return Path("/proc") / str(ground.process(role).pid)


def _public(ground: Ground, role: Role) -> bytes:
    """Read what everybody on the machine, or its owner, sees of a process."""
    place = _process(ground, role)
    return (place / "cmdline").read_bytes() + (place / "environ").read_bytes()


def _core_limit(ground: Ground, role: Role) -> str:
    """Read how large a core dump of a process may be."""
    return (_process(ground, role) / "limits").read_text().split("Max core file size")[1].split()[0]


def _swapped_kib(ground: Ground, role: Role) -> int:
    """Read how much of a process lies in swap."""
    told = (_process(ground, role) / "status").read_text()
    return int(told.split("VmSwap:")[1].split()[0]) if "VmSwap:" in told else 0


def _handles(ground: Ground) -> Iterator[tuple[Path, Path]]:
    """Give the regular files that parts hold open for writing, deleted ones too: the handle, and its name."""
    for role in Role:
        for link in (_process(ground, role) / "fd").iterdir():
            # A connection to a database may close at this moment.
            with contextlib.suppress(FileNotFoundError):
                flags = (link.parent.parent / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0]
                if stat.S_ISREG(link.stat().st_mode) and int(flags, 8) & 0o3:
                    yield link, link.readlink()


def _open_for_writing(ground: Ground) -> list[Path]:
    """Name those files."""
    return [name for _, name in _handles(ground)]


def _everything(ground: Ground) -> Iterator[tuple[str, bytes]]:
    """Read every file of the installation, every temporary file and every file that is open, deleted or not."""
    for path in [*ground.files(), *(ground.folder / "tmp").rglob("*")]:
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield str(path), path.read_bytes()
    for link, name in _handles(ground):
        with contextlib.suppress(FileNotFoundError):
            yield f"open {name}", link.read_bytes()
