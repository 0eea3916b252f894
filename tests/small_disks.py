"""A disk that can be filled: a small file system of its own where this user may mount one."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from typing import TYPE_CHECKING

from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness import Site

DISK_BYTES = 32 << 20


class SmallDisk:
    """Where nothing may be mounted, parts may write no file any more; the system has another word for that (EFBIG)."""

    def __init__(self, folder: Path, roles: Iterable[Role] = tuple(Role)) -> None:
        """Mount it on the empty `folder`, to which the parts of `roles` write."""
        self._folder = folder
        self._roles = tuple(roles)
        folder.mkdir(mode=0o700, exist_ok=True)
        line = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(folder)]
        self.real = subprocess.run(line, capture_output=True, check=False).returncode == 0
        self.codes = {"disk-full"} if self.real else {"disk-full", "unavailable"}

    def fill(self, site: Site) -> None:
        """Leave no byte."""
        if not self.real:
            self._limit(site, 0)
            return
        with (self._folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self, site: Site) -> None:
        """Make room again."""
        if self.real:
            (self._folder / "filler").unlink()
        else:
            self._limit(site, resource.RLIM_INFINITY)

    def _limit(self, site: Site, size: int) -> None:
        for role in self._roles:
            resource.prlimit(site.pid(role), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Unmount it."""
        if self.real:
            subprocess.run(["umount", str(self._folder)], check=True)
