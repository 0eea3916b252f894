"""A vault's book: who may put what into it, and which version follows which."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moiety.drill.authenticator import ORIGIN, RP_ID
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import AlreadyThere, BadInput, Fault, Forbidden, UnknownGallery, Unverified
from moiety.vault.book import WISHES_MAX, Book, begin, has_book
from moiety.vault.endorsed import Endorsed, Endorsement
from moiety.vault.policy import THRESHOLD_PAUSE_SECONDS, Needs
from moiety.vault.roster import Keeper
from vault_people import OPERATOR, Camera, Signer
from vault_samples import GALLERY, KEEPER, TENANT
from vault_shelf import FIRST, POLICY, SECOND, STANDING, STRANGER, TWO_KEEPERS, VAULT, Shelf, signed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def refused(shelf: Shelf, kind: type[Exception], put: Callable[..., object], *given: object, match: str = ".") -> None:
    """Check that something is refused and changes nothing, on disk or in memory."""
    before = shelf.files(), shelf.book.roster, shelf.book.standing, shelf.book.policies
    with pytest.raises(kind, match=match):
        put(*given)
    assert (shelf.files(), shelf.book.roster, shelf.book.standing, shelf.book.policies) == before


# ---- putting ----


def test_what_is_put_is_in_force_at_once_and_in_the_next_process(shelf: Shelf) -> None:
    people = replace(FIRST, version=2, rp_id=RP_ID, origin=ORIGIN, people=(Signer("ann").person,))
    people = replace(people, devices=(Camera(GALLERY).device,))
    wider = replace(STANDING, version=2, labels_per_hour=1)
    first, stricter = POLICY, replace(POLICY, version=2, asks=Needs.TWO_PERSON)
    for put, record in (
        (shelf.book.put_roster, people),
        (shelf.book.put_standing, wider),
        (shelf.book.put_policy, first),
        (shelf.book.put_policy, stricter),
    ):
        assert put(signed(record)) == record
    for book in (shelf.book, shelf.again()):
        assert (book.roster, book.standing, book.policies) == (people, wider, [stricter])
        assert book.entry(GALLERY)[1] == stricter
        with pytest.raises(UnknownGallery):
            book.entry("gal_other")


def test_the_wrong_key_is_refused(shelf: Shelf) -> None:
    (good,) = signed(POLICY).endorsements
    theirs = STRANGER.public_key().public_bytes_raw()
    for endorsed in (
        signed(POLICY, STRANGER),
        signed(POLICY, KEEPER, STRANGER),
        signed(POLICY, VAULT),
        Endorsed(POLICY.encode()),
        Endorsed(POLICY.encode(), (good, good)),
        Endorsed(POLICY.encode(), (replace(good, signature=bytes(64)),)),
        Endorsed(POLICY.encode(), (Endorsement(good.key, signed(STANDING).endorsements[0].signature),)),
        Endorsed(POLICY.encode(), (replace(good, key=theirs),)),
        Endorsed(replace(POLICY, probes_per_hour=9).encode(), (good,)),
    ):
        refused(shelf, Forbidden, shelf.book.put_policy, endorsed)
    refused(shelf, Forbidden, shelf.book.put_roster, signed(replace(FIRST, version=2), STRANGER))
    refused(shelf, Forbidden, shelf.book.put_standing, signed(replace(STANDING, version=2), STRANGER))


def test_versions_follow_each_other(shelf: Shelf) -> None:
    refused(shelf, BadInput, shelf.book.put_policy, signed(replace(POLICY, version=2)), match="next one is version 1")
    shelf.book.put_policy(signed(POLICY))
    for version, kind in ((0, AlreadyThere), (1, AlreadyThere), (3, BadInput)):
        for put, record in (
            (shelf.book.put_policy, replace(POLICY, version=version)),
            (shelf.book.put_roster, replace(FIRST, version=version)),
            (shelf.book.put_standing, replace(STANDING, version=version)),
        ):
            refused(shelf, kind, put, signed(record))


def test_malformed_and_foreign_records_are_refused(shelf: Shelf) -> None:
    for record in (
        replace(POLICY, tenant="ten_other"),
        replace(POLICY, gallery="../roster-000001"),
        replace(POLICY, thresholds=()),
    ):
        refused(shelf, Unverified, shelf.book.put_policy, signed(record))
    refused(shelf, Unverified, shelf.book.put_policy, signed(STANDING))
    refused(shelf, Unverified, shelf.book.put_policy, Endorsed(b"noise").by(KEEPER))
    refused(shelf, Unverified, shelf.book.put_roster, signed(replace(FIRST, version=2, tenant="ten_other")))


def test_with_a_quorum_of_two_both_keepers_sign(shelf: Shelf) -> None:
    shelf.two_keepers(quorum=2)
    for keys in ((KEEPER,), (SECOND,), (KEEPER, STRANGER)):
        refused(shelf, Forbidden, shelf.book.put_policy, signed(POLICY, *keys))
    shelf.book.put_policy(signed(POLICY, SECOND, KEEPER))
    third = replace(FIRST, version=3)
    refused(shelf, Forbidden, shelf.book.put_roster, signed(third))
    shelf.book.put_roster(signed(third, KEEPER, SECOND))
    # Who has left signs no more; what he signed while he was there still stands.
    changed = replace(POLICY, version=2)
    refused(shelf, Forbidden, shelf.book.put_policy, signed(changed, KEEPER, SECOND), match="no keeper's here")
    assert shelf.again().policies == [POLICY]


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "another"},
        {"model": b"m" * 32},
        {"rotation": b"r" * 32},
        {"dim": 512},
        {"thresholds": (6000, 9000)},
    ],
    ids=str,
)
def test_what_a_gallery_is_for_never_changes(shelf: Shelf, change: dict[str, Any]) -> None:
    shelf.two_keepers()
    shelf.book.put_policy(signed(POLICY))
    other = signed(replace(POLICY, version=2, **change), KEEPER, SECOND)
    refused(shelf, BadInput, shelf.book.put_policy, other)


def test_a_threshold_changes_once_a_week(shelf: Shelf) -> None:
    shelf.book.put_policy(signed(POLICY))
    up = [replace(POLICY, version=2 + i, thresholds=(6001 + i, 9000, 12_000)) for i in range(3)]
    shelf.book.put_policy(signed(up[0]))  # the first version counts as no change
    refused(shelf, Forbidden, shelf.book.put_policy, signed(up[1]), match="once a week")
    shelf.book = shelf.again()
    shelf.clock.move(THRESHOLD_PAUSE_SECONDS - 1)
    refused(shelf, Forbidden, shelf.book.put_policy, signed(up[1]), match="once a week")
    # Another change in between does not begin the week anew.
    between = replace(up[0], version=3, probes_per_hour=1)
    shelf.book.put_policy(signed(between))
    shelf.clock.move(1)
    shelf.book.put_policy(signed(replace(up[1], version=4)))


@pytest.mark.parametrize("lower", [(5999, 9000, 12_000), (6000, 8999, 12_000), (7000, 9000, 11_999)], ids=str)
def test_lowering_a_threshold_needs_two_keepers(shelf: Shelf, lower: tuple[int, ...]) -> None:
    shelf.two_keepers()
    shelf.book.put_policy(signed(POLICY))
    down = replace(POLICY, version=2, thresholds=lower)
    for keys in ((KEEPER,), (SECOND,)):
        refused(shelf, Forbidden, shelf.book.put_policy, signed(down, *keys), match="2 keepers")
    shelf.book.put_policy(signed(down, KEEPER, SECOND))


# ---- rosters ----


@pytest.mark.parametrize(
    "wrong",
    [
        {"quorum": 0},
        {"quorum": 2},
        {"quorum": 3},
        {"keepers": ()},
        {"keepers": (*FIRST.keepers, Keeper("other", FIRST.keepers[0].key))},
        {"keepers": (*FIRST.keepers, Keeper("keeper", TWO_KEEPERS[1].key))},
        {"keepers": (Keeper("bad name", FIRST.keepers[0].key),)},
        {"keepers": (Keeper("keeper", b"short"),)},
        {"rp_id": RP_ID},
        {"origin": ORIGIN},
        {"rp_id": "other.org", "origin": ORIGIN},
        {"rp_id": "n.example.org", "origin": ORIGIN},
        {"rp_id": RP_ID, "origin": f"http://{RP_ID}"},
        {"rp_id": RP_ID, "origin": f"{ORIGIN}/"},
        {"people": (replace(Signer("ann").person, roles=()),)},
        {"people": (replace(Signer("ann").person, roles=(OPERATOR, OPERATOR)),)},
        {"people": (Signer("ann").person, Signer("ann").person)},
        {"people": (ANN := Signer("ann").person, replace(ANN, name="other"))},
        {"devices": (Camera("../x").device,)},
        {"devices": (Camera(GALLERY).device, Camera(GALLERY).device)},
        {"devices": (DOOR := Camera(GALLERY).device, replace(DOOR, name="other"))},
    ],
    ids=lambda wrong: f"wrong {'+'.join(wrong)}",  # keys are drawn anew each time: no names for tests
)
def test_a_roster_that_cannot_stand_is_refused(shelf: Shelf, wrong: dict[str, Any]) -> None:
    refused(shelf, Unverified, shelf.book.put_roster, signed(replace(FIRST, version=2, **wrong)))


@pytest.mark.parametrize(
    ("rp_id", "origin"), [(RP_ID, ORIGIN), ("example.org", ORIGIN), ("localhost", "http://localhost:8443")]
)
def test_a_signing_page_of_ones_own(shelf: Shelf, rp_id: str, origin: str) -> None:
    shelf.book.put_roster(signed(replace(FIRST, version=2, rp_id=rp_id, origin=origin)))


def test_a_book_begins_once_and_is_signed_by_its_own_keepers(tmp_path: Path) -> None:
    folder, clock = tmp_path / "v", HandClock()
    for first, standing in (
        (signed(FIRST, STRANGER), signed(STANDING)),
        (signed(FIRST), signed(STANDING, STRANGER)),
        (signed(replace(FIRST, keepers=TWO_KEEPERS, quorum=2)), signed(STANDING)),
        (signed(FIRST), signed(replace(STANDING, tenant="ten_other"))),
        (signed(replace(FIRST, version=2)), signed(STANDING)),
    ):
        with pytest.raises(BadInput):
            begin(folder, VAULT, first, standing, clock)
        assert not has_book(folder)
    with pytest.raises(Fault, match="no roster"):
        Book(folder, TENANT, VAULT, clock)
    begin(folder, VAULT, signed(FIRST), signed(STANDING), clock)
    with pytest.raises(AlreadyThere):
        begin(folder, VAULT, signed(FIRST), signed(STANDING), clock)


# ---- what the gate may do by itself ----


def test_the_gate_opens_within_the_standing_policy_and_drops_what_it_opened(shelf: Shelf) -> None:
    assert shelf.book.open_gallery(POLICY)
    assert not shelf.book.open_gallery(POLICY)
    assert shelf.again().policies == [POLICY]
    refused(shelf, AlreadyThere, shelf.book.open_gallery, replace(POLICY, probes_per_hour=1))
    for wrong in (
        {"version": 2},
        {"asks": Needs.OPERATOR},
        {"thresholds": (1,)},
        {"tenant": "ten_other"},
        {"gallery": "../x"},
    ):
        other: dict[str, Any] = {"gallery": "gal_new"} | wrong
        refused(shelf, Unverified, shelf.book.open_gallery, replace(POLICY, **other))
    shelf.book.must_be_services(GALLERY)
    shelf.book.drop_gallery(GALLERY)
    assert shelf.again().policies == []
    shelf.book.must_be_services(GALLERY)  # one that was never there


def test_what_keepers_signed_for_the_gate_neither_opens_anew_nor_drops(shelf: Shelf) -> None:
    stricter = replace(POLICY, asks=Needs.TWO_PERSON)
    shelf.book.put_policy(signed(stricter))
    assert not shelf.book.open_gallery(POLICY)
    assert shelf.book.policies == [stricter]
    refused(shelf, AlreadyThere, shelf.book.open_gallery, replace(POLICY, purpose="another"))
    refused(shelf, Forbidden, shelf.book.must_be_services, GALLERY)


def test_a_standing_policy_that_says_no(shelf: Shelf) -> None:
    shelf.book.put_standing(signed(replace(STANDING, version=2, service_opens=0)))
    refused(shelf, Unverified, shelf.book.open_gallery, POLICY, match="own machine")


def test_what_the_gate_wishes_is_kept_for_the_keepers_and_is_not_in_force(shelf: Shelf) -> None:
    shelf.book.wish(POLICY)
    shelf.book.wish(replace(POLICY, probes_per_hour=7))
    assert [one.probes_per_hour for one in shelf.again().wishes] == [7]
    assert shelf.again().policies == []
    for wrong in ({"version": 2}, {"tenant": "ten_other"}, {"thresholds": ()}, {"gallery": "../x"}):
        other: dict[str, Any] = wrong
        refused(shelf, Unverified, shelf.book.wish, replace(POLICY, **other))
    for i in range(WISHES_MAX - 1):
        shelf.book.wish(replace(POLICY, gallery=f"gal_{i}"))
    refused(shelf, Unverified, shelf.book.wish, replace(POLICY, gallery="gal_more"))
    shelf.book.wish(POLICY)  # one that waits may be wished anew
    (shelf.folder / "book" / "wish-gal_0.policy").write_bytes(b"noise")
    shelf.book.put_policy(signed(replace(POLICY, asks=Needs.OPERATOR)))
    shelf.book.drop_gallery("gal_1")
    assert {one.gallery for one in shelf.again().wishes} == {f"gal_{i}" for i in range(2, WISHES_MAX - 1)}
