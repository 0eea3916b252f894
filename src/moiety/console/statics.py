"""The console's style sheet, scripts and mark: read once from the package, served from memory by exact name."""

from __future__ import annotations

from importlib import resources
from typing import Final

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def load() -> dict[str, tuple[bytes, str]]:
    """Read every file of the folder: content and media type by name."""
    found = {}
    for file in resources.files("moiety.console").joinpath("static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    return found
