"""Edit, reorder, truncation, fork: each is found in the gate's database and in a copy, without the gate's help."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from ledger_site import TRUST, LedgerSite
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, Refusal, Unverified
from moiety.ledger import Ledger, LedgerBroken, leaf_bytes
from moiety.ledger.audit import Folder, Trust, check
from moiety.storage import Store
from moiety.tlog.merkle import fold, leaf_hash
from moiety.tlog.tiles import Tile, bundle, unbundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 600


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger that was signed at 300 and at 600 entries, and a copy of it."""
    folder = tmp_path_factory.mktemp("sound")
    site = LedgerSite(folder)
    site.write(300)
    assert site.cosign() == 200
    (folder / "before").write_bytes(site.checkpoint)
    site.write(SIZE - 300)
    assert site.cosign(300) == 200
    (folder / "now").write_bytes(site.checkpoint)
    site.copy(folder / "copy")
    return folder


@pytest.fixture
def folder(tmp_path: Path, sound: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "site")


@pytest.fixture
def site(folder: Path) -> LedgerSite:
    site = LedgerSite(folder)
    site.checkpoint = (folder / "now").read_bytes()
    return site


@pytest.fixture
def copied(folder: Path) -> Path:
    return folder / "copy"


def test_what_nobody_touched_is_sound(site: LedgerSite, copied: Path, folder: Path) -> None:
    seen: list[int] = []
    before = (folder / "before").read_bytes()
    found = check(Folder(copied), TRUST, [before, site.checkpoint], seen.append)
    assert found == check(site, TRUST, [before])
    assert (found.checkpoint.size, found.kinds, sum(seen)) == (SIZE, {"consultation": SIZE}, SIZE)
    assert found.cosigned_at == int(found.last_at or 0)
    paths = {path.relative_to(copied).as_posix() for path in copied.rglob("*") if path.is_file()}
    entries = {f"tile/entries/{name}" for name in ("000", "001", "002.p/88")}
    hashes = {f"tile/0/{name}" for name in ("000", "001", "002.p/88")} | {"tile/1/000.p/2"}
    assert paths == {"checkpoint", "keys"} | entries | hashes


def test_a_copy_holds_no_reason(copied: Path) -> None:
    for path in copied.rglob("*"):
        assert not path.is_file() or b"because" not in path.read_bytes()


def test_a_copy_goes_into_an_empty_folder_only(site: LedgerSite, copied: Path) -> None:
    with pytest.raises(BadInput, match="not empty"):
        site.copy(copied)


# ---- against the database ----


IN_THE_FILE = {
    "edit": ("UPDATE ledger_entry SET actor = 'nobody' WHERE seq = 7",),
    "reorder": (
        "UPDATE ledger_entry SET seq = -1 WHERE seq = 7",
        "UPDATE ledger_entry SET seq = 7 WHERE seq = 8",
        "UPDATE ledger_entry SET seq = 8 WHERE seq = -1",
    ),
    "removal": ("DELETE FROM ledger_entry WHERE seq = 7",),
}


@pytest.mark.parametrize("statements", IN_THE_FILE.values(), ids=list(IN_THE_FILE))
def test_req_41_a_change_in_the_file_shows_to_both(site: LedgerSite, statements: tuple[str, ...]) -> None:
    site.steal(*statements)
    with Store(site.path, HandClock()) as gate, pytest.raises(LedgerBroken) as caught:
        Ledger(gate, bytes(32)).verify()
    assert caught.value.seq == 7
    with pytest.raises(Refusal):
        check(site, TRUST)


def test_req_41_a_truncation_in_the_file_shows_against_the_witness(site: LedgerSite) -> None:
    """The gate's own walk finds nothing; whoever knows the witness's signature does."""
    site.steal("DELETE FROM ledger_entry WHERE seq > 590")
    site.recount()
    with Store(site.path, HandClock()) as gate:
        assert Ledger(gate, bytes(32)).verify().size == 590
    assert site.cosign(590) == 409
    with pytest.raises(Refusal):
        check(site, TRUST)
    kept, site.checkpoint = site.checkpoint, site.sign_alone()
    with pytest.raises(Unverified, match="signature of the witness"):
        check(site, TRUST)
    with pytest.raises(Unverified, match="cut off: there are 590 now and were 600"):
        check(site, Trust(TRUST.log, ()), [kept])


@pytest.mark.parametrize("seq", [1, 2, 256, 257, 400, 600])
def test_req_41_a_fork_of_the_file_shows_against_the_witness(site: LedgerSite, seq: int) -> None:
    """All hashes are right, and the gate's key has signed them; the witness's has not."""
    site.forge(seq)
    with Store(site.path, HandClock()) as gate:
        assert Ledger(gate, bytes(32)).verify().size == SIZE
    assert site.cosign(SIZE) == 409
    with pytest.raises(Unverified, match="written anew"):
        check(site, TRUST)
    site.write(3)
    assert site.cosign(SIZE) == 422
    kept, site.checkpoint = site.checkpoint, site.sign_alone()
    with pytest.raises(Unverified, match="signature of the witness"):
        check(site, TRUST)
    with pytest.raises(Unverified, match="first 600 entries are not those of before"):
        check(site, Trust(TRUST.log, ()), [kept])


def test_what_comes_after_a_fork_is_no_part_of_what_was_signed(site: LedgerSite, folder: Path) -> None:
    """A fork behind an old checkpoint is found by the newer one, not by the old."""
    site.forge(400)
    site.checkpoint = site.sign_alone()
    assert check(site, Trust(TRUST.log, ()), [(folder / "before").read_bytes()]).checkpoint.size == SIZE
    with pytest.raises(Unverified, match="written anew"):
        check(site, Trust(TRUST.log, ()), [(folder / "now").read_bytes()])


# ---- against a copy ----


def leaves(copied: Path) -> list[bytes]:
    return [
        leaf
        for name in ("000", "001", "002.p/88")
        for leaf in unbundle(copied.joinpath("tile/entries", name).read_bytes())
    ]


def put(copied: Path, changed: list[bytes]) -> None:
    """Write entries into a copy with all tiles that belong to them, as somebody does who knows the formats."""
    rows = [[leaf_hash(leaf) for leaf in changed]]
    rows.append([fold(rows[0][at : at + 256]) for at in range(0, len(changed) - 255, 256)])
    shutil.rmtree(copied / "tile")
    for level, row in ((None, changed), (0, rows[0]), (1, rows[1])):
        for at in range(0, len(row), 256):
            part = row[at : at + 256]
            path = copied / Tile(level, at // 256, len(part)).path()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bundle(part) if level is None else b"".join(part))


def edit(copied: Path) -> None:
    path = copied / "tile/entries/001"
    path.write_bytes(path.read_bytes().replace(b"owner", b"other", 1))


def reorder(copied: Path) -> None:
    found = leaves(copied)
    found[255], found[256] = found[256], found[255]
    put(copied, found)


def rewrite(copied: Path) -> None:
    found = leaves(copied)
    before = leaf_hash(found[298])
    for at in range(299, SIZE):
        found[at] = found[at][:-32].replace(b"owner", b"other") + before
        before = leaf_hash(found[at])
    put(copied, found)


def drop(copied: Path) -> None:
    put(copied, leaves(copied)[:590])


def lose(copied: Path) -> None:
    copied.joinpath("tile/1/000.p/2").unlink()


def flip_tile(copied: Path) -> None:
    path = copied / "tile/0/001"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")


def flip_above(copied: Path) -> None:
    path = copied / "tile/1/000.p/2"
    path.write_bytes(path.read_bytes()[:32] + bytes(32))


def cut_bundle(copied: Path) -> None:
    path = copied / "tile/entries/001"
    path.write_bytes(path.read_bytes()[:-1])


def strip_witness(copied: Path) -> None:
    path = copied / "checkpoint"
    path.write_bytes(path.read_bytes().rsplit("\u2014".encode(), 1)[0])


def grow(copied: Path) -> None:
    path = copied / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n600\n", b"\n599\n"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (edit, "entry 257 is not what was written"),
        (reorder, "entry 256 does not follow"),
        (rewrite, "written anew"),
        (drop, "missing"),
        (lose, "not whole"),
        (flip_tile, "entry 512"),
        (flip_above, "entry 257"),
        (cut_bundle, "cut short"),
        (strip_witness, "signature of the witness"),
        (grow, "of a known key, and is not"),
    ],
)
def test_req_41_a_change_in_a_copy_shows(copied: Path, change: Callable[[Path], None], says: str) -> None:
    change(copied)
    with pytest.raises(Unverified, match=says):
        check(Folder(copied), TRUST)


def test_req_41_an_older_copy_is_not_taken_for_the_newest(site: LedgerSite, copied: Path) -> None:
    """Who holds a later checkpoint notices that a copy ends too early."""
    site.write(5)
    assert site.cosign(SIZE) == 200
    with pytest.raises(Unverified, match="there are 600 now and were 605 before"):
        check(Folder(copied), TRUST, [site.checkpoint])


def test_a_leaf_is_what_the_database_says(site: LedgerSite, copied: Path) -> None:
    with Store(site.path, HandClock()) as gate, gate.read() as tx:
        assert leaves(copied) == [leaf_bytes(entry) for entry in tx.ledger.every()]
