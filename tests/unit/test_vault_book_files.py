"""The files of a vault's book: none can be altered, and the journal follows them after a crash."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from moiety.foundation.errors import AlreadyThere, DiskFull, Fault, Forbidden
from moiety.vault.endorsed import Endorsed, Kept
from moiety.vault.policies import Policies
from moiety.vault.policy import Needs
from vault_samples import GALLERY, Store, sample
from vault_shelf import POLICY, STRANGER, VAULT, Shelf, signed

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.vault.policy import GalleryPolicy


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


# ---- the files ----


def test_any_altered_missing_or_moved_file_stops_the_start_and_is_named(shelf: Shelf) -> None:
    shelf.two_keepers()
    shelf.book.put_policy(signed(POLICY))
    shelf.book.open_gallery(replace(POLICY, gallery="gal_2"))
    files = shelf.files()
    assert set(files) == {
        "gallery-gal_2.kept", "gallery-gal_test.kept", "roster-000001.kept", "roster-000002.kept", "standing.kept"
    }  # fmt: skip
    book = shelf.folder / "book"
    spoilt = {
        name: [raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :] for i in range(0, len(raw), 37)]
        + [raw[:-1], raw + b"x", b""]
        for name, raw in files.items()
    }
    spoilt["gallery-gal_2.kept"].append(files["gallery-gal_test.kept"])
    spoilt["roster-000002.kept"].append(files["roster-000001.kept"])
    for name, contents in spoilt.items():
        for content in contents:
            (book / name).write_bytes(content)
            with pytest.raises(Fault, match=f"book/{name} is missing, altered.*backup"):
                shelf.again()
        (book / name).write_bytes(files[name])
    (book / "standing.kept").unlink()
    with pytest.raises(Fault, match=r"book/standing\.kept"):
        shelf.again()
    (book / "standing.kept").write_bytes(files["standing.kept"])
    (book / "roster-000001.kept").unlink()
    with pytest.raises(Fault, match="roster-00000"):
        shelf.again()
    (book / "roster-000001.kept").write_bytes(files["roster-000001.kept"])
    assert len(shelf.again().policies) == 2


def test_a_keepers_signature_alone_gets_nothing_into_the_book_past_the_vault(shelf: Shelf) -> None:
    """A thief of the keeper's key and of the disk still lacks the vault's own key."""
    shelf.book.put_policy(signed(POLICY))
    path = shelf.folder / "book" / "gallery-gal_test.kept"
    entry = Kept.decode(path.read_bytes()).entry
    forged = replace(entry, endorsed=signed(replace(POLICY, version=9)))
    path.write_bytes(Kept.of(forged, STRANGER).encode())
    with pytest.raises(Fault, match="gallery-gal_test"):
        shelf.again()


def test_the_vaults_key_alone_gets_no_policy_in_a_keepers_name(shelf: Shelf) -> None:
    shelf.book.put_policy(signed(POLICY))
    path = shelf.folder / "book" / "gallery-gal_test.kept"
    entry = Kept.decode(path.read_bytes()).entry
    for endorsed in (signed(replace(POLICY, version=9), STRANGER), Endorsed(POLICY.encode())):
        path.write_bytes(Kept.of(replace(entry, endorsed=endorsed), VAULT).encode())
        with pytest.raises(Fault, match="gallery-gal_test"):
            shelf.again()
    path.write_bytes(Kept.of(replace(entry, roster_version=2), VAULT).encode())
    with pytest.raises(Fault, match="gallery-gal_test"):
        shelf.again()


# ---- book and journal ----


def test_after_a_crash_the_journal_is_brought_into_line_with_the_book(shelf: Shelf, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "a")
    Policies(shelf.book, store.cabinet).open(POLICY)
    stricter = replace(POLICY, version=2, asks=Needs.OPERATOR)
    shelf.book.put_policy(signed(stricter))  # and the process dies before the journal has it
    shelf.book.open_gallery(replace(POLICY, gallery="gal_2"))
    store = store.again()
    Policies(shelf.again(), store.cabinet)
    assert store.again().cabinet.policy(GALLERY) == stricter
    assert store.again().cabinet.policy("gal_2").gallery == "gal_2"


def test_an_old_or_missing_file_of_the_book_stops_the_start(shelf: Shelf, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "a")
    policies = Policies(shelf.book, store.cabinet)
    policies.open(POLICY)
    path = shelf.folder / "book" / "gallery-gal_test.kept"
    old = path.read_bytes()
    policies.put(signed(replace(POLICY, version=2, asks=Needs.OPERATOR)))
    path.write_bytes(old)
    with pytest.raises(Fault, match=f"{GALLERY}.*older"):
        Policies(shelf.again(), store.again().cabinet)
    path.unlink()
    with pytest.raises(Fault, match=GALLERY):
        Policies(shelf.again(), store.again().cabinet)


def test_a_put_that_a_full_disk_cut_short_is_ended_by_repeating_it(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store", "a")
    policies = Policies(shelf.book, store.cabinet)
    policies.open(POLICY)
    stricter = signed(replace(POLICY, version=2, asks=Needs.OPERATOR))

    def full(_: GalleryPolicy) -> None:
        raise DiskFull

    with monkeypatch.context() as patch:
        patch.setattr(store.cabinet, "put_policy", full)
        with pytest.raises(DiskFull):
            policies.put(stricter)
    assert store.cabinet.policy(GALLERY) == POLICY
    assert policies.put(stricter).version == 2
    assert store.cabinet.policy(GALLERY).version == 2
    with pytest.raises(AlreadyThere):
        policies.put(stricter)


def test_only_an_empty_gallery_of_the_gates_is_dropped(shelf: Shelf, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", "a")
    policies = Policies(shelf.book, store.cabinet)
    policies.open(POLICY)
    one = sample(np.random.default_rng(1), POLICY)
    store.cabinet.prepare(GALLERY, [store.opened(POLICY, one)])
    with pytest.raises(AlreadyThere):
        policies.drop(GALLERY)
    assert shelf.again().policies == [POLICY]
    store.cabinet.abort(GALLERY, store.cabinet.prepared(GALLERY))
    policies.drop(GALLERY)
    assert shelf.again().policies == []
    policies.open(POLICY)
    policies.put(signed(replace(POLICY, version=2)))
    with pytest.raises(Forbidden):
        policies.drop(GALLERY)
    assert store.cabinet.policy(GALLERY).version == 2
