"""Taking backups apart into a new folder: nothing of it is used before every hash and the signature are right."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Self

from moiety.archive import age_keys
from moiety.archive.manifest import MANIFEST, SIGNATURE, Manifest, verify
from moiety.archive.packing import in_our_words, unseal_file
from moiety.archive.places import SEALED, WRAPPED, read
from moiety.archive.places import beside as note_of
from moiety.archive.tables import Rebuilding
from moiety.foundation.errors import BadInput, NotFound, Unverified

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moiety.foundation.disk import Disk, File

IN_MEMORY_MAX = 64 << 20
# What a member may be called: words of our own, so that none leads out of the folder.
_NAME = re.compile(r"(?:files|keys|site|tables)(?:/(?!\.)[A-Za-z0-9._-]{1,80}){1,6}|manifest\.json|manifest\.sig")


def key_of(path: Path, operators: Sequence[age_keys.Identity], keys: Path | None) -> age_keys.Identity:
    """Find and open the own key of the backup at `path`: in `keys`, where its note says, or beside it.

    Raises:
        NotFound: the key lies nowhere: it was destroyed, or is kept elsewhere.
        Unverified: the operator's key does not open it.

    """
    known = read(note_of(path))
    places = [keys, known.keys if known else None, path.parent / "keys", path.parent.parent / "keys"]
    for folder in places:
        wrapped = folder / f"{path.name.removesuffix(SEALED)}{WRAPPED}" if folder else None
        if wrapped and wrapped.is_file():
            return age_keys.unwrap(wrapped.read_bytes(), operators)
    raise NotFound(
        f"The key of the backup {path.name!r} is not there: it was destroyed when its time was over or after a "
        "refresh, or it is kept elsewhere (--keys-from)."
    )


class Unpacking:
    """A part's folder in the making, from one backup file or several of one run."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        """Fill the new, empty `folder`."""
        self._folder = folder
        self._disk = disk
        self._databases: dict[str, Rebuilding] = {}
        self.keys: dict[str, bytes] = {}
        self.site: dict[str, bytes] = {}
        self.manifests: list[Manifest] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for database in self._databases.values():
            database.__exit__()

    def add(self, path: Path, key: age_keys.Identity) -> Manifest:
        """Take one file apart and check it.

        Raises:
            Unverified: it was changed, cut short, or is not what its manifest says.
            BadInput: a newer program made it.
            DiskFull: there is no room.

        """
        if not path.is_file():
            raise BadInput(f"There is no backup {path.name!r}.")
        taking = _Taking(self)
        try:
            unseal_file(path, key, taking)
        except OSError as failed:
            raise in_our_words(failed) from None
        about = taking.manifest(path.name)
        self.manifests.append(about)
        return about

    def finish(self) -> None:
        """Make the databases whole.

        Raises:
            Unverified: what was put in does not fit together.

        """
        for database in self._databases.values():
            database.finish()

    # ---- what members become ----

    def file(self, name: str) -> File:
        """Open a file to be filled."""
        path = self._folder / name
        self._disk.folder(path.parent)
        return self._disk.open(path)

    def table(self, name: str, content: bytes) -> None:
        """Put what `Holdings` wrote of a database into a new one; `name` ends in `schema` or in table/number."""
        database, *rest = re.split(r"(?<=\.sqlite)/", name)
        if rest == ["schema"]:
            path = self._folder / database
            self._disk.folder(path.parent)
            self._databases[database] = Rebuilding(path, self._disk)
            self._databases[database].schema(content)
        elif rest and database in self._databases:
            self._databases[database].rows(rest[0].rpartition("/")[0], content)
        else:
            raise Unverified("The backup holds rows without tables: give the state of the same run first.")


class _Taking:
    """What takes one sealed file apart."""

    def __init__(self, into: Unpacking) -> None:
        self._into = into
        self._sums: dict[str, tuple[int, str]] = {}
        self._own: dict[str, bytes] = {}
        self._name = ""
        self._size = 0
        self._digest = hashlib.sha256()
        self._memory = bytearray()
        self._file: File | None = None
        self._at = 0

    def begin(self, name: str, size: int) -> None:
        """Check the name and make ready."""
        if not _NAME.fullmatch(name) or name in self._sums:
            raise Unverified("The backup holds something that is not ours.")
        self._name, self._size, self._digest, self._memory, self._at = name, size, hashlib.sha256(), bytearray(), 0
        if name.startswith("files/"):
            self._file = self._into.file(name.removeprefix("files/"))
        elif size > IN_MEMORY_MAX:
            raise Unverified("The backup holds something that is too large to be ours.")

    def piece(self, content: bytes) -> None:
        """Keep some content."""
        self._digest.update(content)
        if self._file:
            self._file.write(self._at, content)
            self._at += len(content)
        else:
            self._memory += content

    def end(self) -> None:
        """Put it where it belongs."""
        self._sums[self._name] = (self._size, self._digest.hexdigest())
        content = bytes(self._memory)
        if self._file:
            # A crash before the sync leaves a folder that no part uses.
            self._file.sync()
            self._file.__exit__()
            self._file = None
        elif self._name in {MANIFEST, SIGNATURE}:
            self._own[self._name] = content
        elif self._name.startswith("keys/"):
            self._into.keys[self._name.removeprefix("keys/")] = content
        elif self._name.startswith("site/"):
            self._into.site[self._name.removeprefix("site/")] = content
        else:
            self._into.table(self._name.removeprefix("tables/"), content)

    def manifest(self, file: str) -> Manifest:
        """Hold everything against the signed manifest.

        Raises:
            Unverified: it is missing, not signed by whom it names, or says something else.

        """
        if self._own.keys() != {MANIFEST, SIGNATURE}:
            raise Unverified(f"The backup {file!r} has no signed manifest.")
        about = Manifest.decode(self._own[MANIFEST])
        verify(self._own[MANIFEST], self._own[SIGNATURE], about.signer)
        if about.files != {name: sums for name, sums in self._sums.items() if name not in self._own}:
            raise Unverified(f"The backup {file!r} does not hold what its manifest says.")
        return about
