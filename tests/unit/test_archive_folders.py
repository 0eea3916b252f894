"""Folders that backups are written to and restored into: replaced when told, full, cut short, moved, over."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from archived_shop import TENANT, Shop
from moiety.archive import places
from moiety.archive.restoring import Expected, Folders, refuse_interrupted, restore
from moiety.archive.writing import remembered
from moiety.foundation.disk import SystemDisk, SystemFile
from moiety.foundation.errors import AlreadyThere, DiskFull, Fault

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


# ---- where it goes ----


def test_a_folder_that_holds_something_is_replaced_only_when_told(shop: Shop) -> None:
    (made,) = shop.take()
    folders = shop.back(made)
    (folders.own / "later.txt").write_text("newer")
    with pytest.raises(AlreadyThere, match="--replace"):
        shop.back(made)
    shop.back(made, replace=True)
    assert not (folders.own / "later.txt").exists()
    assert (folders.before / "later.txt").read_text() == "newer"


def test_an_interrupted_restore_is_said_and_can_be_repeated(shop: Shop) -> None:
    class Cut(Exception):  # noqa: N818 - a power cut is no error of ours
        pass

    (made,) = shop.take()
    renames = 0

    class Dying(SystemDisk):
        def rename(self, old: Path, new: Path) -> None:
            nonlocal renames
            if old.is_dir():
                renames += 1
                raise Cut
            super().rename(old, new)

    folders = shop.back(made)
    (folders.own / "later.txt").write_text("newer")
    pairs = [(made.path, shop.key(made))]
    with pytest.raises(Cut):
        restore(folders, pairs, Expected(TENANT, ()), shop.clock, Dying(), replace=True)
    assert renames == 1
    with pytest.raises(Fault, match="was interrupted; repeat it"):
        refuse_interrupted(folders.data, shop.role)
    shop.back(made)
    refuse_interrupted(folders.data, shop.role)
    assert (folders.before / "later.txt").read_text() == "newer"
    assert not (folders.own / "later.txt").exists()


def test_a_crash_while_unpacking_into_an_empty_folder_lets_no_part_start_there(shop: Shop) -> None:
    class Dying(SystemDisk):
        def open(self, path: Path, mode: int = 0o600) -> SystemFile:
            if path.name == "gal_1.1":
                os._exit(9)
            return super().open(path, mode)

    (made,) = shop.take()
    folders = Folders(shop.folder / "again", shop.folder / "again-keys", shop.role)
    folders.data.mkdir()
    pairs = [(made.path, shop.key(made))]
    child = os.fork()
    if not child:
        restore(folders, pairs, Expected(TENANT, ()), shop.clock, Dying())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with pytest.raises(Fault, match="interrupted"):
        refuse_interrupted(folders.data, shop.role)
    shop.back(made)
    refuse_interrupted(folders.data, shop.role)


# ---- full disks, crashes, times ----


class SmallDisk(SystemDisk):
    """Room for so many bytes in files that are written piece by piece."""

    def __init__(self, room: int) -> None:
        self.room = room

    def open(self, path: Path, mode: int = 0o600) -> SystemFile:
        super().open(path, mode).__exit__()
        disk = self

        class Small(SystemFile):
            def write(self, at: int, content: bytes | bytearray | memoryview) -> None:
                disk.room -= len(content)
                if disk.room < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                super().write(at, content)

        return Small(os.open(path, os.O_RDWR | os.O_CREAT, mode))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_full_disk_leaves_nothing_of_a_backup(shop: Shop, share: float) -> None:
    (made,) = shop.take()
    before = sorted((shop.folder / "backups").rglob("*"))
    room = int(share * made.size) + 100  # at 1.0 the first file has room, the second has not
    with pytest.raises(DiskFull):
        shop.take(disk=SmallDisk(room), with_keys=True)
    assert sorted((shop.folder / "backups").rglob("*")) == before


def test_what_a_crash_left_of_a_backup_is_tidied_up_by_the_next(shop: Shop) -> None:
    (made,) = shop.take()
    store = shop.folder / "backups"
    (store / "moiety-witness-20200101T000000Z.age.part").write_bytes(b"half")
    (store / "keys" / "moiety-witness-20200101T000000Z.key.age").write_bytes(b"key of nothing")
    note = places.beside(made.path)
    (store / "moiety-witness-20200101T000000Z.json").write_bytes(note.read_bytes())
    (later,) = shop.take()
    assert {path.name for path in store.iterdir()} == {
        "keys",
        "seeds",
        made.path.name,
        note.name,
        later.path.name,
        places.beside(later.path).name,
    }
    assert {path.name for path in (store / "keys").iterdir()} == {made.key.name, later.key.name}


def test_what_is_over_is_found_by_the_shorter_of_both_times(shop: Shop) -> None:
    (made,) = shop.take()
    at = made.about.at
    assert places.due([made], 30, at + 29 * 86_400) == []
    assert places.due([made], 30, at + 30 * 86_400) == [made]
    assert places.due([made], 3, at + 3 * 86_400) == [made]
    assert places.due([made], 99, at + 30 * 86_400) == [made]


def test_a_backup_is_found_by_its_note_wherever_the_folder_was_moved(shop: Shop, tmp_path: Path) -> None:
    (made,) = shop.take()
    moved = tmp_path / "elsewhere"
    made.path.parent.rename(moved)
    (found,) = places.found_in([moved])
    assert found.opens
    assert found.about == made.about.outside()
    assert found.recipient == shop.recipient
    assert remembered(shop.data / shop.role)["recipient"] == shop.recipient
