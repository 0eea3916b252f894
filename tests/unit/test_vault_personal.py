"""Personal keys at B: a field key opens for its own field, person and gallery, within the budget, until the erasure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput, NotFound, Unverified
from moiety.vault.guard import Guard, Trust
from moiety.vault.pace import By, Pace
from moiety.vault.personal import FieldName, PersonalKeys
from moiety.vault.policy import Standing
from moiety.warrants import targets
from moiety.warrants.warrant import Act, SignedWarrant, sign_as_service, without_picture
from vault_samples import GALLERY, TENANT, Store, policy, roster

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.vault.policy import GalleryPolicy

SERVICE, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
SERVICES = tuple(key.public_key().public_bytes_raw() for key in (SERVICE, OTHER))
POLICY = policy()
ELSEWHERE = policy(gallery="gal_other")
ANN, BOB = b"ann" + bytes(13), b"bob" + bytes(13)
NAME = FieldName("sub_ann", "name", "field")
LABEL = FieldName("sub_ann", "reference", "label")
PACE = Pace(2, 5, 4, 8, 12, 20)
OLGA = By("opr_aaaaaaaaaaaaaaaa")
RULES = Standing(TENANT, 1, 1, labels_per_hour=6, fields_per_hour=3, blinds_per_hour=5, wraps_per_hour=20)


class Desk:
    """Personal keys over a store of half B that can be restarted."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock(1_800_000_000)
        self.store = Store(folder, "b", self.clock)
        self.open()

    def open(self) -> None:
        trust = Trust(TENANT, SERVICES, bytes(32))
        assert self.store.store_key is not None
        self.store_key = self.store.store_key
        guard = Guard(self.store.journal, trust, self.clock, roster)
        self.keys = PersonalKeys(self.store.journal, self.store_key, b"k" * 32, guard, lambda: RULES, PACE)

    def restart(self) -> None:
        self.store = self.store.again()
        self.open()

    def wrap(self, handle: bytes = ANN, name: FieldName = NAME, of: GalleryPolicy = POLICY) -> tuple[bytes, bytes]:
        ((key, wrapped),) = self.keys.wrap(of, handle, [name])
        return key, wrapped

    def warrant(
        self,
        handle: bytes,
        name: FieldName,
        wrapped: bytes,
        of: GalleryPolicy = POLICY,
        key: Ed25519PrivateKey = SERVICE,
    ) -> SignedWarrant:
        target = targets.of_field(handle, name.record, name.field, wrapped)
        return self.signed(Act.REVEAL, target, of, key)

    def signed(
        self, act: Act, target: bytes, of: GalleryPolicy = POLICY, key: Ed25519PrivateKey = SERVICE
    ) -> SignedWarrant:
        at = (of.tenant, of.gallery, of.version, of.purpose)
        return sign_as_service(without_picture(act, at, "", target, self.clock.now(), os.urandom(32)), key)

    def reveal(
        self, handle: bytes, name: FieldName, wrapped: bytes, of: GalleryPolicy = POLICY, by: By | None = None
    ) -> bytes:
        asked = [(self.warrant(handle, name, wrapped, of), handle, name, wrapped)]
        (key,) = self.keys.reveal(of, asked, by or By())
        return key

    def many(self, count: int, wrapped: bytes, name: FieldName = NAME, by: By | None = None) -> int:
        """Reveal until it is refused, at most so often; gives how often it was not."""
        for done in range(count):
            try:
                self.reveal(ANN, name, wrapped, by=by)
            except Unverified:
                return done
        return count

    @property
    def people(self) -> dict[bytes, str]:
        return dict(self.store.journal.read("SELECT handle, state FROM person"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_wrapped_key_is_revealed_also_after_restarts_and_rotations(desk: Desk) -> None:
    key, wrapped = desk.wrap()
    label, wrapped_label = desk.wrap(name=LABEL)
    assert len(key) == 32
    assert key not in wrapped
    assert key != label
    assert desk.reveal(ANN, NAME, wrapped) == key
    desk.store_key.rotate()
    assert desk.reveal(ANN, NAME, wrapped) == key
    desk.restart()
    assert desk.reveal(ANN, NAME, wrapped) == key
    assert desk.reveal(ANN, LABEL, wrapped_label) == label


def test_no_personal_or_field_key_stands_on_the_disk(desk: Desk) -> None:
    key, wrapped = desk.wrap()
    ((sealed,),) = desk.store.journal.read("SELECT key FROM person")
    personal = desk.store_key.unseal(sealed, ANN)
    disk = desk.store.bytes_on_disk()
    assert sealed in disk
    assert personal not in disk
    assert key not in disk
    assert wrapped not in disk


@pytest.mark.parametrize(
    ("handle", "name", "of"),
    [
        (BOB, NAME, POLICY),
        (ANN, FieldName("sub_bob", "name", "field"), POLICY),
        (ANN, FieldName("sub_ann", "phone", "field"), POLICY),
        (ANN, FieldName("sub_ann", "name", "label"), POLICY),
        (ANN, NAME, ELSEWHERE),
    ],
    ids=["handle", "record", "field", "class", "gallery"],
)
def test_a_wrapped_key_opens_in_its_own_place_only(
    desk: Desk, handle: bytes, name: FieldName, of: GalleryPolicy
) -> None:
    _, wrapped = desk.wrap()
    desk.wrap(BOB, FieldName("sub_bob", "name", "field"))
    with pytest.raises(Unverified):
        desk.reveal(handle, name, wrapped, of)


def test_the_warrant_must_name_this_field_and_act(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    _, other = desk.wrap()
    for signed in (
        desk.warrant(ANN, NAME, other),
        desk.warrant(BOB, NAME, wrapped),
        desk.warrant(ANN, LABEL, wrapped),
        desk.signed(Act.SEARCH, targets.of_field(ANN, NAME.record, NAME.field, wrapped)),
        desk.warrant(ANN, NAME, wrapped, ELSEWHERE),
        desk.warrant(ANN, NAME, wrapped, key=Ed25519PrivateKey.generate()),
    ):
        with pytest.raises(Unverified):
            desk.keys.reveal(POLICY, [(signed, ANN, NAME, wrapped)])


def test_a_reveals_warrant_is_used_once_and_a_batch_has_one_signer(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    item = desk.warrant(ANN, NAME, wrapped), ANN, NAME, wrapped
    with pytest.raises(Unverified):
        desk.keys.reveal(POLICY, [item, item])
    with pytest.raises(Unverified):
        desk.keys.reveal(POLICY, [item, (desk.warrant(ANN, NAME, wrapped, key=OTHER), ANN, NAME, wrapped)])
    desk.keys.reveal(POLICY, [item])
    with pytest.raises(Unverified):
        desk.keys.reveal(POLICY, [item])


def test_labels_and_fields_are_metered_apart_by_the_hour(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    _, wrapped_label = desk.wrap(name=LABEL)
    for _ in range(RULES.fields_per_hour):
        desk.reveal(ANN, NAME, wrapped)
    with pytest.raises(Unverified, match="budget"):
        desk.reveal(ANN, NAME, wrapped)
    for _ in range(RULES.labels_per_hour):
        desk.reveal(ANN, LABEL, wrapped_label)
    with pytest.raises(Unverified, match="budget"):
        desk.reveal(ANN, LABEL, wrapped_label)
    desk.clock.move(3600)
    desk.reveal(ANN, NAME, wrapped)
    desk.reveal(ANN, LABEL, wrapped_label)


def test_a_refused_batch_of_both_classes_spends_neither_budget(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    _, wrapped_label = desk.wrap(name=LABEL)

    def batch(labels: int, fields: int) -> None:
        desk.keys.reveal(
            POLICY,
            [(desk.warrant(ANN, LABEL, wrapped_label), ANN, LABEL, wrapped_label) for _ in range(labels)]
            + [(desk.warrant(ANN, NAME, wrapped), ANN, NAME, wrapped) for _ in range(fields)],
        )

    with pytest.raises(Unverified, match="budget"):
        batch(RULES.labels_per_hour, RULES.fields_per_hour + 1)
    batch(RULES.labels_per_hour, RULES.fields_per_hour)


def test_a_person_has_an_hour_and_thirty_days_in_all_galleries_together(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    _, elsewhere = desk.wrap(of=ELSEWHERE)
    assert desk.many(9, wrapped, by=OLGA) == PACE.person_fields_hour
    with pytest.raises(Unverified, match="person-field is spent"):
        desk.reveal(ANN, NAME, elsewhere, ELSEWHERE, by=OLGA)
    desk.reveal(ANN, NAME, wrapped, by=By("opr_bbbbbbbbbbbbbbbb"))
    shown = PACE.person_fields_hour
    for _ in range(9):
        # A gate that comes back to another day, or B itself started anew, changes nothing about the long window.
        desk.clock.move(2 * 86_400)
        desk.restart()
        shown += desk.many(1, wrapped, by=OLGA)
    assert shown == PACE.person_fields_month
    desk.clock.move(31 * 86_400)
    assert desk.many(1, wrapped, by=OLGA) == 1


def test_a_reference_that_is_not_masked_counts_as_a_field(desk: Desk) -> None:
    _, wrapped = desk.wrap(name=LABEL)
    assert desk.many(9, wrapped, LABEL, OLGA) == PACE.person_fields_hour
    masked = By(OLGA.person, bare=False)
    assert desk.many(9, wrapped, LABEL, masked) == PACE.person_labels_hour


def test_a_gallery_has_thirty_days_whomever_the_gate_names(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    shown = 0
    for day in range(8):
        desk.clock.move(86_400)
        letter = "abcdefgh"[day]
        shown += sum(desk.many(1, wrapped, by=By(f"opr_{letter * 16}")) for _ in range(2))
    assert shown == PACE.gallery_fields_month


def test_whom_the_gate_names_is_an_id_or_nobody() -> None:
    told = {"person": OLGA.person, "session": "0f" * 16, "reason": "a1" * 16, "bare": False}
    assert By.told({"by": told}) == By(OLGA.person, "0f" * 16, "a1" * 16, bare=False)
    for wrong in ({}, {"by": 7}, {"by": {"person": "Olga Roy", "session": "x", "reason": "because"}}):
        assert By.told(wrong) == By()
    # Where passkeys signed, whom the gate names does not matter.
    assert OLGA.people([b"person:ben"]) == [b"person:ben"]
    assert OLGA.people([b"a key"]) == [b"named:" + OLGA.person.encode()]


def test_a_class_that_does_not_exist_is_refused(desk: Desk) -> None:
    with pytest.raises(BadInput):
        desk.wrap(name=FieldName("sub_ann", "name", "free"))


def test_new_field_keys_are_metered(desk: Desk) -> None:
    with pytest.raises(Unverified, match="budget"):
        desk.keys.wrap(POLICY, ANN, [NAME] * (RULES.wraps_per_hour + 1))
    assert desk.people == {}
    assert len(desk.keys.wrap(POLICY, ANN, [NAME] * RULES.wraps_per_hour)) == RULES.wraps_per_hour
    with pytest.raises(Unverified, match="budget"):
        desk.wrap()


def test_an_erased_persons_fields_are_gone_for_good(desk: Desk) -> None:
    _, wrapped = desk.wrap()
    ((sealed,),) = desk.store.journal.read("SELECT key FROM person")
    desk.keys.erase(ELSEWHERE.gallery, ANN)
    desk.reveal(ANN, NAME, wrapped)  # another gallery's erasure is none
    desk.keys.erase(GALLERY, ANN)
    assert sealed not in desk.store.bytes_on_disk()
    for change in ("nothing", "restart", "rotation"):
        if change == "restart":
            desk.restart()
        if change == "rotation":
            desk.store_key.rotate()
        with pytest.raises(NotFound):
            desk.reveal(ANN, NAME, wrapped)
    # A new key under the same handle does not bring the old fields back.
    desk.wrap()
    with pytest.raises(Unverified):
        desk.reveal(ANN, NAME, wrapped)


def test_only_a_key_that_was_never_committed_can_be_forgotten_without_a_warrant(desk: Desk) -> None:
    desk.wrap()
    desk.wrap(BOB, FieldName("sub_bob", "name", "field"))
    with desk.store.journal.transaction() as db:
        db.execute("UPDATE person SET state = 'live' WHERE handle = ?", (ANN,))
    desk.keys.forget(ELSEWHERE, BOB)
    assert desk.people == {ANN: "live", BOB: "prepared"}
    for _ in range(2):
        desk.keys.forget(POLICY, ANN)
        desk.keys.forget(POLICY, BOB)
    assert desk.people == {ANN: "live"}


def test_a_blind_index_is_the_same_each_time_and_another_in_each_gallery(desk: Desk) -> None:
    one, other = desk.keys.blind(POLICY, [b"ann", b"bob"])
    assert desk.keys.blind(POLICY, [b"ann"]) == [one]
    (elsewhere,) = desk.keys.blind(ELSEWHERE, [b"ann"])
    assert len({one, other, elsewhere}) == 3
    assert {len(value) for value in (one, other, elsewhere)} == {32}
    desk.restart()
    assert desk.keys.blind(POLICY, [b"bob"]) == [other]


def test_blind_look_ups_are_metered(desk: Desk) -> None:
    with pytest.raises(Unverified, match="budget"):
        desk.keys.blind(POLICY, [b"x"] * (RULES.blinds_per_hour + 1))
    desk.keys.blind(POLICY, [b"x"] * RULES.blinds_per_hour)
    with pytest.raises(Unverified, match="budget"):
        desk.keys.blind(POLICY, [b"x"])
    desk.keys.blind(ELSEWHERE, [b"x"])
    desk.clock.move(3600)
    desk.keys.blind(POLICY, [b"x"])
