"""Who may sign for what: kinds of signature, roles, doors, two people, counters, sessions, budgets."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.drill.authenticator import ORIGIN, RP_ID, SoftwareAuthenticator
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import Unverified
from moiety.vault.guard import DAY_HOURS, Charge, Guard, Trust
from moiety.vault.journal import Journal
from moiety.vault.policy import Needs
from moiety.warrants.records import NO_BOX
from moiety.warrants.warrant import NOTHING, Act, SignedWarrant, Warrant, sign_as_service, signed_with
from vault_people import OPERATOR, REGISTRAR, Camera, Signer, both, unsigned
from vault_samples import GALLERY, TENANT, policy, roster

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.vault.signers import Signers

SERVICE = Ed25519PrivateKey.generate()
START = 1_800_000_000 - 1_800_000_000 % 3600
PICTURED = (Act.SEARCH, Act.VERIFY, Act.ENROL)


class Desk:
    """A guard whose roster has two operators, a registrar, one of both, and devices."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock(START)
        self.ann, self.bob = Signer("ann"), Signer("bob", more=(SoftwareAuthenticator("Ed25519"),))
        self.reg, self.all = Signer("reg", (REGISTRAR,)), Signer("all", (OPERATOR, REGISTRAR))
        self.camera, self.kiosk = Camera(GALLERY), Camera(GALLERY, "desk", REGISTRAR, "kiosk")
        people = (self.ann, self.bob, self.reg, self.all)
        devices = (self.camera.device, self.kiosk.device)
        self.roster = roster(rp_id=RP_ID, origin=ORIGIN, people=tuple(one.person for one in people), devices=devices)
        self.roster.check()
        self._path = folder / "journal.sqlite"
        self.restart()

    def restart(self) -> None:
        trust = Trust(TENANT, (SERVICE.public_key().public_bytes_raw(),), bytes(32))
        self.guard = Guard(Journal(self._path), trust, self.clock, lambda: self.roster)

    def warrant(self, act: Act = Act.SEARCH, **more: Any) -> Warrant:
        now = int(self.clock.now())
        image = b"i" * 32 if act in PICTURED else NOTHING
        made = Warrant(
            act,
            TENANT,
            GALLERY,
            1,
            "a door",
            "door 7",
            image,
            NO_BOX,
            NOTHING,
            b"t" * 32,
            now,
            now + 60,
            os.urandom(32),
        )
        return replace(made, **more)

    def by_service(self, act: Act = Act.SEARCH) -> list[SignedWarrant]:
        return [sign_as_service(self.warrant(act), SERVICE)]

    def signers(self, signed: list[SignedWarrant], needs: Needs) -> Signers:
        act = signed[0].warrant.act
        return self.guard.signers(signed, act, policy(asks=needs, enrols=needs, erases=needs, reveals=needs))

    def spend(self, signed: list[SignedWarrant], needs: Needs, *charges: Charge) -> None:
        self.guard.spend(unsigned(signed), self.signers(signed, needs), *charges)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def payers(*names: str) -> tuple[bytes, ...]:
    return tuple(b"person:" + name.encode() for name in names)


# ---- which kind of signature ----


@pytest.mark.parametrize("needs", Needs)
@pytest.mark.parametrize("act", [Act.SEARCH, Act.VERIFY, Act.ENROL, Act.ERASE, Act.REVEAL])
def test_a_policy_gets_the_kind_it_needs(desk: Desk, needs: Needs, act: Act) -> None:
    registrar = act in {Act.ENROL, Act.ERASE}
    one, other = (desk.reg, desk.all) if registrar else (desk.ann, desk.bob)
    device = desk.kiosk if registrar else desk.camera
    given = {
        Needs.SERVICE: desk.by_service(act),
        Needs.DEVICE: device.signed(desk.warrant(act)),
        Needs.OPERATOR: one.signed(desk.warrant(act)),
        Needs.TWO_PERSON: both(one, other, desk.warrant(act)),
    }
    enough = {needs} | ({Needs.TWO_PERSON} if needs is Needs.OPERATOR else set())
    if act is Act.ERASE and needs is Needs.DEVICE:
        enough |= {Needs.TWO_PERSON}
    for kind, signed in given.items():
        if kind in enough:
            assert len(desk.signers(signed, needs).payers) == (2 if kind is Needs.TWO_PERSON else 1)
        else:
            with pytest.raises(Unverified, match="another kind"):
                desk.signers(signed, needs)


def test_signers_are_keys_or_people(desk: Desk) -> None:
    assert desk.signers(desk.ann.signed(desk.warrant()), Needs.OPERATOR).payers == payers("ann")
    assert desk.signers(both(desk.bob, desk.ann, desk.warrant()), Needs.TWO_PERSON).payers == payers("ann", "bob")
    device = desk.signers(desk.camera.signed(desk.warrant()), Needs.DEVICE)
    assert device.payers == (desk.camera.device.key,)


def test_roles_sign_for_their_acts_only(desk: Desk) -> None:
    for act, wrong in ((Act.SEARCH, desk.reg), (Act.REVEAL, desk.reg), (Act.ENROL, desk.ann), (Act.ERASE, desk.bob)):
        with pytest.raises(Unverified, match="role"):
            desk.signers(wrong.signed(desk.warrant(act)), Needs.OPERATOR)
        desk.signers(desk.all.signed(desk.warrant(act)), Needs.OPERATOR)
    for act, device in ((Act.ENROL, desk.camera), (Act.SEARCH, desk.kiosk)):
        with pytest.raises(Unverified, match="roster"):
            desk.signers(device.signed(desk.warrant(act)), Needs.DEVICE)


def test_a_device_signs_at_its_own_gallery_and_door(desk: Desk) -> None:
    for wrong in (Camera(GALLERY), replace(desk.camera, door="door 8")):
        with pytest.raises(Unverified, match="roster"):
            desk.signers(wrong.signed(desk.warrant()), Needs.DEVICE)
    desk.roster = replace(desk.roster, devices=(replace(desk.camera, gallery="gal_other").device,))
    with pytest.raises(Unverified, match="roster"):
        desk.signers(desk.camera.signed(desk.warrant()), Needs.DEVICE)


def test_two_are_two_people_not_two_passkeys_nor_one_twice(desk: Desk) -> None:
    warrant = desk.warrant()
    (spare,) = desk.bob.more
    for signatures in (
        (desk.bob.sign(warrant), desk.bob.sign(warrant, spare)),
        (desk.bob.sign(warrant), desk.bob.sign(warrant)),
        (desk.bob.sign(warrant),) * 2,
    ):
        with pytest.raises(Unverified, match="different people"):
            desk.signers([signed_with(warrant, *signatures)], Needs.TWO_PERSON)


def test_none_three_or_mixed_signatures_are_refused(desk: Desk) -> None:
    warrant = desk.warrant()
    device = desk.camera.signed(warrant)[0].signatures
    service = sign_as_service(warrant, SERVICE).signatures
    ann, bob, third = desk.ann.sign(warrant), desk.bob.sign(warrant), desk.all.sign(warrant)
    for signatures in (
        (),
        (ann, bob, third),
        (ann, *service),
        (*service, *service),
        (ann, *device),
        (*device, *device),
    ):
        for needs in Needs:
            with pytest.raises(Unverified):
                desk.signers([signed_with(warrant, *signatures)], needs)


def test_a_second_signature_that_does_not_hold_spoils_the_first(desk: Desk) -> None:
    warrant, other = desk.warrant(), desk.warrant()
    for second in (desk.bob.sign(other), Signer("eve").sign(warrant), desk.reg.sign(warrant)):
        with pytest.raises(Unverified):
            desk.signers([signed_with(warrant, desk.ann.sign(warrant), second)], Needs.TWO_PERSON)


def test_who_leaves_the_roster_signs_no_more_at_once(desk: Desk) -> None:
    signed = desk.ann.signed(desk.warrant())
    desk.signers(signed, Needs.OPERATOR)
    desk.roster = replace(desk.roster, people=desk.roster.people[1:])
    with pytest.raises(Unverified, match="No one"):
        desk.signers(signed, Needs.OPERATOR)


def test_without_a_signing_page_no_passkey_is_taken(desk: Desk) -> None:
    desk.roster = replace(desk.roster, rp_id="", origin="")
    lost = Signer("ann", key=SoftwareAuthenticator(origin="", rp_id=""))
    desk.roster = replace(desk.roster, people=(lost.person,))
    with pytest.raises(Unverified, match="page"):
        desk.signers(lost.signed(desk.warrant()), Needs.OPERATOR)


def test_a_batch_has_the_same_signers_throughout(desk: Desk) -> None:
    one, other = desk.warrant(), desk.warrant()
    desk.signers([*both(desk.ann, desk.bob, one), *both(desk.bob, desk.ann, other)], Needs.TWO_PERSON)
    with pytest.raises(Unverified, match="throughout"):
        desk.signers([*both(desk.ann, desk.bob, one), *both(desk.ann, desk.all, other)], Needs.TWO_PERSON)


# ---- counters ----


def use(desk: Desk, who: Signer, *warrants: Warrant) -> None:
    desk.spend(who.signed(*(warrants or (desk.warrant(),))), Needs.OPERATOR)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_counter_that_does_not_rise_is_refused_also_by_the_next_process(desk: Desk, restarts: bool) -> None:  # noqa: FBT001 - a table of cases
    desk.ann.key.counter = 41
    use(desk, desk.ann)
    if restarts:
        desk.restart()
    for at in (41, 40, 0, -1):
        desk.ann.key.counter = at - 1 if at >= 0 else None
        with pytest.raises(Unverified, match="counter"):
            use(desk, desk.ann)
    desk.ann.key.counter = 42
    use(desk, desk.ann)


def test_a_counter_may_stay_at_zero_until_it_has_risen_once(desk: Desk) -> None:
    desk.ann.key.counter = None
    use(desk, desk.ann)
    use(desk, desk.ann, desk.warrant(), desk.warrant())
    desk.ann.key.counter = 0
    use(desk, desk.ann)
    desk.ann.key.counter = None
    with pytest.raises(Unverified, match="counter"):
        use(desk, desk.ann)


def test_the_counters_of_a_batch_come_in_any_order_but_each_once(desk: Desk) -> None:
    signed = desk.ann.signed(desk.warrant(), desk.warrant(), desk.warrant())
    desk.spend(signed[::-1], Needs.OPERATOR)
    assert desk.guard._journal.read("SELECT count FROM passkey_count") == [(3,)]
    late = desk.ann.signed(desk.warrant())
    desk.ann.key.counter = 3
    with pytest.raises(Unverified, match="counter"):
        desk.spend([*late, *desk.ann.signed(desk.warrant())], Needs.OPERATOR)
    desk.spend(late, Needs.OPERATOR)


def test_a_refused_counter_uses_up_nothing_and_a_refused_budget_no_counter(desk: Desk) -> None:
    with pytest.raises(Unverified, match="budget"):
        desk.spend(desk.ann.signed(desk.warrant()), Needs.OPERATOR, Charge("probes", 2, 1))
    assert desk.guard._journal.read("SELECT * FROM passkey_count") == []
    use(desk, desk.ann)
    desk.ann.key.counter = 0
    signed = desk.ann.signed(desk.warrant())
    with pytest.raises(Unverified, match="counter"):
        desk.spend(signed, Needs.OPERATOR, Charge("probes", 1, 1))
    desk.ann.key.counter = 7
    desk.spend(desk.ann.signed(unsigned(signed)[0]), Needs.OPERATOR, Charge("probes", 1, 1))


# ---- sessions ----


def test_a_session_reveals_again_and_again_though_its_passkey_counted_once(desk: Desk) -> None:
    session = desk.ann.session(START + 3600)
    for _ in range(3):
        warrants = [desk.warrant(Act.REVEAL) for _ in range(2)]
        desk.spend([signed_with(one, session.sign(one)) for one in warrants], Needs.OPERATOR)
    use(desk, desk.ann)
    desk.restart()
    warrant = desk.warrant(Act.REVEAL)
    desk.spend([signed_with(warrant, session.sign(warrant))], Needs.OPERATOR)
    # A second session whose assertion is older than what was seen since: a copy of the passkey.
    desk.ann.key.counter = 0
    copied = desk.ann.session(START + 3600)
    warrant = desk.warrant(Act.REVEAL)
    with pytest.raises(Unverified, match="counter"):
        desk.spend([signed_with(warrant, copied.sign(warrant))], Needs.OPERATOR)


def test_a_session_signs_for_reveals_only_and_ends(desk: Desk) -> None:
    session = desk.all.session(START + 3600)
    for act in set(Act) - {Act.REVEAL, Act.POLICY}:
        warrant = desk.warrant(act)
        with pytest.raises(Unverified, match="reveals only"):
            desk.signers([signed_with(warrant, session.sign(warrant))], Needs.OPERATOR)
    desk.clock.move(3600 + 121)
    warrant = desk.warrant(Act.REVEAL)
    with pytest.raises(Unverified, match="session is over"):
        desk.signers([signed_with(warrant, session.sign(warrant))], Needs.OPERATOR)
    desk.spend(desk.ann.signed(desk.warrant()), Needs.OPERATOR)
    assert desk.guard._journal.read("SELECT * FROM session") == []


def test_two_people_reveal_with_a_session_each(desk: Desk) -> None:
    mine, theirs = desk.ann.session(START + 60), desk.bob.session(START + 60)
    warrant = desk.warrant(Act.REVEAL)
    found = desk.signers([signed_with(warrant, mine.sign(warrant), theirs.sign(warrant))], Needs.TWO_PERSON)
    assert found.payers == payers("ann", "bob")
    with pytest.raises(Unverified, match="different people"):
        desk.signers([signed_with(warrant, mine.sign(warrant), desk.ann.sign(warrant))], Needs.TWO_PERSON)


def test_a_sessions_key_that_no_passkey_signed_for_is_refused(desk: Desk) -> None:
    session, other = desk.ann.session(START + 60), desk.ann.session(START + 60)
    warrant = desk.warrant(Act.REVEAL)
    for forged in (replace(session, key=other.key), replace(session, grant=replace(session.grant, expires=START + 61))):
        with pytest.raises(Unverified):
            desk.signers([signed_with(warrant, forged.sign(warrant))], Needs.OPERATOR)


# ---- budgets ----


def test_two_people_both_pay_for_a_batch_of_64(desk: Desk) -> None:
    for who in desk.ann.key, desk.bob.key:
        who.counter = None
    batch = both(desk.ann, desk.bob, *(desk.warrant() for _ in range(64)))
    desk.spend(batch, Needs.TWO_PERSON, Charge("probes", 64, 100))
    spent = dict(desk.guard._journal.read("SELECT signer, spent FROM budget"))
    assert spent == dict.fromkeys(payers("ann", "bob"), 64)
    for other in (desk.ann, desk.bob):
        with pytest.raises(Unverified, match="budget"):
            desk.spend(both(desk.all, other, desk.warrant()), Needs.TWO_PERSON, Charge("probes", 37, 100))
    desk.spend(both(desk.all, desk.ann, desk.warrant()), Needs.TWO_PERSON, Charge("probes", 36, 100))


def test_a_second_passkey_gives_no_second_budget(desk: Desk) -> None:
    warrant = desk.warrant()
    desk.spend(desk.bob.signed(warrant), Needs.OPERATOR, Charge("probes", 100, 100))
    (spare,) = desk.bob.more
    again = desk.warrant()
    with pytest.raises(Unverified, match="budget"):
        desk.spend([signed_with(again, desk.bob.sign(again, spare))], Needs.OPERATOR, Charge("probes", 1, 100))


def test_a_shared_budget_of_a_day_is_of_the_last_24_hours(desk: Desk) -> None:
    alone = Charge("erasures-alone", 25, 50, hours=DAY_HOURS, shared=True)
    for who in (desk.reg, desk.all):
        desk.spend(who.signed(desk.warrant(Act.ERASE)), Needs.OPERATOR, alone)
    for hours in (0, 1, 22):
        desk.clock.move(hours * 3600)
        with pytest.raises(Unverified, match="budget"):
            desk.spend(desk.reg.signed(desk.warrant(Act.ERASE)), Needs.OPERATOR, replace(alone, cost=1))
    desk.clock.move(3600)
    desk.spend(desk.reg.signed(desk.warrant(Act.ERASE)), Needs.OPERATOR, replace(alone, cost=50))
