"""An installation with backups: people enrolled, backed up, one of them erased, backed up again, stopped."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness import REASON, Said, Site, command, eventually, upload
from moiety.archive import places
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moiety.archive.places import Backup
    from moiety.cli.samples import Samples

GALLERY = "staff"
ERASED = "Barack Obama"
# The operators: A's and B's must differ.
OPERATORS = {Role.VAULT_A: "a.key", Role.VAULT_B: "b.key"}
PEOPLE = (Role.GATE, Role.VAULT_A, Role.VAULT_B)


@dataclass
class BackedUp:
    """A folder with an installation in `data`, operators' keys and a store of backups."""

    folder: Path
    photos: Samples
    recipients: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def operator(self, role: Role) -> Path:
        """Give the key file of a role's operator, made when first asked for."""
        path = self.folder / OPERATORS.get(role, "g.key")
        if path.name not in self.recipients:
            self.recipients[path.name] = command("backup", "key", "new", path, "--json").json["recipient"]
        return path

    def back_up(self, *roles: Role, words: Iterable[str] = (), code: int = 0) -> dict[Role, Said]:
        """Back up parts, each to its operator; all files of one call are of later seconds than those of the last."""
        time.sleep(1.1)
        done = {}
        for role in roles:
            recipient = self.recipients[self.operator(role).name]
            told: list[str | Path] = [
                "--to",
                self.store / role,
                "--recipient",
                recipient,
                "--data",
                self.data,
                "--json",
                *words,
            ]
            done[role] = command("backup", role, *told)
            assert done[role].code == code, done[role]
        return done

    def files(self, role: Role, part: str = "state") -> list[Backup]:
        """List a role's backups of one part, oldest first."""
        found = places.found_in([self.store / role])
        return [one for one in found if (one.about.role, one.about.part) == (role, part)]

    def restore(self, role: Role, number: int, *words: str | Path, data: Path | None = None, code: int = 0) -> Said:
        """Restore a role from its backup of that number (0: the oldest, -1: the newest)."""
        told: list[str | Path] = ["--from", self.files(role)[number].path, "--identity", self.operator(role)]
        said = command("restore", role, *told, "--data", data or self.data, *words, "--json")
        assert said.code == code, said
        return said

    def copy(self, folder: Path) -> BackedUp:
        """Copy everything, so that a test may spoil it."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("local.sock", "gate.json", "lock"))
        return BackedUp(folder, self.photos, dict(self.recipients))


def enrol(site: Site, photos: Samples, *people: str) -> dict[str, str]:
    """Enrol all photos of people; gives their ids by name."""
    found = {}
    with site.owner() as line:
        for person in people:
            for path in photos.enrol[person]:
                form = {"reference": person, **REASON}
                reply = line.post(f"galleries/{GALLERY}/subjects", files=upload(path), data=form)
                assert reply.is_success, reply.text
                found[person] = reply.json()["subject_id"]
    return found


def seen(site: Site, photo: Path) -> list[dict[str, Any]]:
    """Say whom the gallery takes a photo for, with names."""
    with site.owner() as line:
        form = {"reveal": "true", **REASON}
        reply = line.post(f"galleries/{GALLERY}/identify", files=upload(photo), data=form)
        assert reply.is_success, reply.text
        faces = reply.json()["faces"]
    found: list[dict[str, Any]] = faces[0]["candidates"] if faces else []
    return found


def names(site: Site, photo: Path) -> set[str]:
    """Say whom the gallery takes a photo for, by name."""
    return {str(candidate["subject"]) for candidate in seen(site, photo)}


def subjects(site: Site) -> set[str]:
    """List the ids of all subjects."""
    with site.owner() as line:
        return {one["id"] for one in line.get(f"galleries/{GALLERY}/subjects").json()["subjects"]}


def buried(site: Site, count: int) -> None:
    """Wait until the witness knows so many tombstones."""
    for _ in eventually("the witness knows who was erased"):
        path = site.made.folder(Role.WITNESS) / "tombstones.sqlite"
        if path.exists() and len(_tombstones(site)) >= count:
            break


def _tombstones(site: Site) -> list[tuple[Any, ...]]:
    return site.read_file(Role.WITNESS, "tombstones.sqlite", "SELECT row_id FROM tombstone")


def lived(folder: Path, photos: Samples) -> tuple[BackedUp, dict[str, str]]:
    """Enrol, back up all parts, erase somebody, back up those who hold people; gives it stopped, with all ids."""
    made = BackedUp(folder, photos)
    with Site(made.data) as site:
        site.cli("gallery", "create", GALLERY, "--purpose", "a test")
        ids = enrol(site, photos, *photos.enrol)
        made.back_up(*Role, words=["--with-keys"])
        site.cli("erase", ERASED, "--gallery", GALLERY, "--reason", "a test")
        buried(site, len(photos.enrol[ERASED]) + 1)
        made.back_up(*PEOPLE)
    return made, ids
