"""The folder that drills work in: marked as one, locked while they run, removed at the end or at the next run."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.foundation.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "moiety-drill-"
MARKER = "drill.json"
SITE = "site"
UNMARKED_SECONDS = 600.0


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Make a scratch folder for as long as the block lasts, and remove those that killed drills have left."""
    clear()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        descriptor = os.open(folder / MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as marker:
            # The lock goes with this process, however it ends: that is how the next run knows.
            fcntl.flock(marker, fcntl.LOCK_EX)
            marker.write(json.dumps({"drill": secrets.token_hex(16)}))
            marker.flush()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear() -> list[Path]:
    """Remove the folders of drills that are over; returns them."""
    gone = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _ours(folder) and _over(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder)
    return gone


def _ours(folder: Path) -> bool:
    """Whether it is a folder, no link, and this user's."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()


def _over(folder: Path) -> bool:
    """Whether no drill works in a folder any more."""
    try:
        with (folder / MARKER).open() as marker:
            fcntl.flock(marker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A drill makes its marker at once; without one the folder is left from a drill that was killed before.
        with contextlib.suppress(OSError):
            return time.time() - folder.stat().st_mtime > UNMARKED_SECONDS
        return False
    return True


def must_be_in_scratch(folder: Path) -> None:
    """Check that a folder lies in a drill's scratch folder.

    Raises:
        Fault: it does not.

    """
    above = [one for one in folder.resolve().parents if one.name.startswith(PREFIX)]
    if not any((one / MARKER).is_file() and "drill" in json.loads((one / MARKER).read_bytes()) for one in above):
        raise Fault("Weakened programs run in a drill's scratch folder and nowhere else.")


def must_be_scratch(data: Path, keys: Path) -> None:
    """Let a weakened part run in nothing but a drill's own installation, with no keys but that installation's.

    Raises:
        Fault: this is something else.

    """
    must_be_in_scratch(data)
    if data.is_symlink() or data.name != SITE or keys.resolve() != data.resolve() / "keys":
        raise Fault("A weakened part runs on a drill's own installation with its own keys and no others.")
