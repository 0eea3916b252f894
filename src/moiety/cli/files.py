"""Files that people hand in, and that are written for them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import AlreadyThere, BadInput

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> bytes:
    """Read a file.

    Raises:
        BadInput: it cannot be read.

    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"The file {path.name!r} cannot be read: {error.strerror}.") from None


def signature(path: Path) -> dict[str, Any]:
    """Read what the signing page gave: who signed, the signature, and for what.

    Raises:
        BadInput: it cannot be read, or is none.

    """
    try:
        told = json.loads(read(path))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not {"signer", "value"} <= told.keys():
        raise BadInput(f"The file {path.name!r} holds no signature.")
    return told


def write_new(path: Path, content: Any) -> None:
    """Write JSON into a private file that was not there.

    Raises:
        AlreadyThere: it was.
        BadInput: it cannot be written.

    """
    try:
        # A crash leaves a part of it; whoever asked sees no answer and asks again, for another file.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(content, out)
    except FileExistsError:
        raise AlreadyThere(f"The file {path.name!r} is there already.") from None
    except OSError as error:
        raise BadInput(f"The file {path.name!r} cannot be written: {error.strerror}.") from None
