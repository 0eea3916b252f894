"""The guard: a nonce is used once, budgets are counted per signer, gallery, meter and hour, and outlive the process."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.clock import HandClock
from moiety.foundation.errors import UnknownGallery, Unverified, WarrantRefused
from moiety.vault.guard import REFUSAL_STEP_SECONDS, Charge, Guard, Trust, refusals_alike
from moiety.vault.journal import Journal
from moiety.vault.policy import Needs
from moiety.vault.signers import Signers
from moiety.warrants import statement as statements
from moiety.warrants.statement import Made, Pad, Statement
from moiety.warrants.warrant import NOTHING, SKEW_SECONDS, Act, Warrant, sign_as_service
from moiety.wire.frames import Frame, Sort
from moiety.wire.kinds import Kind
from vault_samples import GALLERY, TENANT, policy, roster

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.wire.links import Answer

SERVICE, EYE, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
PUBLIC = SERVICE.public_key().public_bytes_raw()
GATE = Signers((PUBLIC,))
POLICY = policy()
# The clock begins on the full hour.
START = 1_800_000_000 - 1_800_000_000 % 3600


class Desk:
    """A guard whose process can be ended."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock(START)
        self.roster = roster()
        self._path = folder / "journal.sqlite"
        self.restart()

    def restart(self) -> None:
        trust = Trust(TENANT, (PUBLIC,), EYE.public_key().public_bytes_raw())
        self.guard = Guard(Journal(self._path), trust, self.clock, lambda: self.roster)

    def warrant(self, **more: Any) -> Warrant:
        now = int(self.clock.now())
        made = Warrant(
            Act.SEARCH,
            TENANT,
            GALLERY,
            1,
            POLICY.purpose,
            "",
            b"i" * 32,
            (1, 2, 3, 4),
            NOTHING,
            NOTHING,
            now,
            now + 60,
            os.urandom(32),
        )
        return replace(made, **more)

    def spend(self, count: int = 1, limit: int = 100, meter: str = "probes", signer: bytes = PUBLIC) -> None:
        self.guard.spend([self.warrant() for _ in range(count)], Signers((signer,)), Charge(meter, count, limit))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- nonces ----


def test_a_nonce_is_used_once_also_by_the_next_process(desk: Desk) -> None:
    warrant = desk.warrant()
    desk.guard.spend([warrant], GATE, Charge("probes", 1, 10))
    for _ in "this process", "the next":
        with pytest.raises(Unverified, match="nonce"):
            desk.guard.spend([warrant], GATE, Charge("probes", 1, 10))
        with pytest.raises(Unverified, match="nonce"):
            desk.guard.spend([replace(desk.warrant(), nonce=warrant.nonce)], GATE, Charge("other", 1, 10))
        desk.restart()


def test_one_used_nonce_spoils_its_whole_batch_and_uses_up_nothing(desk: Desk) -> None:
    used, fresh = desk.warrant(), desk.warrant()
    desk.guard.spend([used], GATE, Charge("probes", 1, 10))
    for batch in ([fresh, used], [fresh, fresh]):
        with pytest.raises(Unverified, match="nonce"):
            desk.guard.spend(batch, GATE, Charge("probes", 2, 10))
    desk.guard.spend([fresh], GATE, Charge("probes", 9, 10))  # the refused batches have cost nothing


@pytest.mark.parametrize("later", [0, 60, 60 + SKEW_SECONDS])
def test_a_nonce_is_remembered_for_as_long_as_its_warrant_can_be_in_force(desk: Desk, later: int) -> None:
    warrant = desk.warrant()
    signed = sign_as_service(warrant, SERVICE)
    desk.guard.spend([warrant], GATE, Charge("probes", 1, 10))
    desk.clock.move(later)
    desk.spend()  # this is when old nonces are dropped
    assert desk.guard.signers([signed], Act.SEARCH, POLICY) == GATE
    with pytest.raises(Unverified, match="nonce"):
        desk.guard.spend([warrant], GATE, Charge("probes", 1, 10))


def test_old_nonces_do_not_pile_up(desk: Desk) -> None:
    for _ in range(5):
        desk.spend()
    desk.clock.move(3600)
    desk.spend()
    assert desk.guard._journal.read("SELECT count(*) FROM nonce") == [(1,)]


# ---- budgets ----


def test_a_batch_of_64_costs_64(desk: Desk) -> None:
    desk.spend(64, limit=130)
    desk.spend(64, limit=130)
    with pytest.raises(Unverified, match="budget"):
        desk.spend(3, limit=130)
    desk.spend(2, limit=130)
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=130)


def test_a_refused_question_costs_nothing_and_its_nonce_is_not_used(desk: Desk) -> None:
    warrants = [desk.warrant() for _ in range(5)]
    with pytest.raises(Unverified, match="budget"):
        desk.guard.spend(warrants, GATE, Charge("probes", 5, 4))
    desk.guard.spend(warrants[:4], GATE, Charge("probes", 4, 4))


def test_when_one_of_two_budgets_does_not_reach_neither_is_spent(desk: Desk) -> None:
    with pytest.raises(Unverified, match="budget"):
        desk.guard.spend([desk.warrant()], GATE, Charge("label", 5, 5), Charge("field", 6, 5))
    desk.guard.spend([desk.warrant()], GATE, Charge("label", 5, 5), Charge("field", 5, 5))


def test_the_budget_comes_back_with_the_hour_and_not_before(desk: Desk) -> None:
    desk.spend(10, limit=10)
    desk.clock.move(3599)
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=10)
    desk.clock.move(1)
    desk.spend(10, limit=10)
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=10)


def test_a_clock_that_is_set_back_brings_no_budget_back(desk: Desk) -> None:
    desk.spend(10, limit=10)
    desk.clock.move(3600)
    desk.spend(10, limit=10)
    desk.clock.move(-3600)
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=10)


def test_a_restart_brings_no_budget_back(desk: Desk) -> None:
    desk.spend(10, limit=10)
    desk.restart()
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=10)


def test_each_signer_gallery_and_meter_has_its_own(desk: Desk) -> None:
    desk.spend(10, limit=10)
    desk.spend(10, limit=10, meter="templates")
    desk.spend(10, limit=10, signer=b"another")
    desk.guard.spend([desk.warrant(gallery="gal_other")], GATE, Charge("probes", 10, 10))
    desk.guard.charge(GALLERY, Charge("wraps", 10, 10))
    with pytest.raises(Unverified, match="budget"):
        desk.guard.charge(GALLERY, Charge("wraps", 1, 10))
    with pytest.raises(Unverified, match="budget"):
        desk.spend(1, limit=10)


# ---- warrants and statements against the vault's own knowledge ----


def test_a_good_warrant_names_its_signer(desk: Desk) -> None:
    assert desk.guard.signers([sign_as_service(desk.warrant(), SERVICE)], Act.SEARCH, POLICY) == GATE


@pytest.mark.parametrize(
    "wrong",
    [
        {"act": Act.VERIFY},
        {"tenant": "ten_other"},
        {"gallery": "gal_other"},
        {"policy_version": 2},
        {"policy_version": 0},
        {"purpose": "another door"},
        {"issued": START + SKEW_SECONDS + 1, "expires": START + SKEW_SECONDS + 2},
        {"issued": START - 600, "expires": START - SKEW_SECONDS - 1},
        {"expires": START + 601},
    ],
    ids=str,
)
def test_a_warrant_that_does_not_fit_is_refused(desk: Desk, wrong: dict[str, Any]) -> None:
    with pytest.raises(Unverified):
        desk.guard.signers([sign_as_service(desk.warrant(**wrong), SERVICE)], Act.SEARCH, POLICY)


def test_a_stranger_or_a_stricter_policy_is_refused(desk: Desk) -> None:
    good = sign_as_service(desk.warrant(), SERVICE)
    with pytest.raises(Unverified):
        desk.guard.signers([sign_as_service(desk.warrant(), STRANGER)], Act.SEARCH, POLICY)
    for needs in set(Needs) - {Needs.SERVICE}:
        with pytest.raises(Unverified, match="another kind"):
            desk.guard.signers([good], Act.SEARCH, policy(asks=needs))
    with pytest.raises(Unverified):
        desk.guard.signers([good], Act.SEARCH, policy(tenant="ten_other"))


def statement_for(warrant: Warrant) -> Statement:
    return Statement(
        Made.PROBE,
        warrant.tenant,
        warrant.gallery,
        warrant.image_sha256,
        warrant.box,
        POLICY.model,
        POLICY.rotation,
        Pad.UNKNOWN,
        b"",
        1,
        b"c" * 32,
        warrant.nonce,
        warrant.issued,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"made": Made.TEMPLATE},
        {"tenant": "ten_other"},
        {"gallery": "gal_other"},
        {"image_sha256": b"j" * 32},
        {"box": (1, 2, 3, 5)},
        {"model": b"m" * 32},
        {"rotation": b"r" * 32},
        {"nonce": b"n" * 32},
    ],
    ids=str,
)
def test_the_statement_must_be_of_this_picture_face_nonce_model_and_rotation(desk: Desk, wrong: dict[str, Any]) -> None:
    warrant = desk.warrant()
    said = replace(statement_for(warrant), **wrong)
    warrant = replace(warrant, statement_sha256=said.digest())
    signature = statements.sign(said, EYE)
    if not wrong:
        assert desk.guard.statement(warrant, said.encode(), signature, Made.PROBE, POLICY) == said
        return
    with pytest.raises(Unverified):
        desk.guard.statement(warrant, said.encode(), signature, Made.PROBE, POLICY)


def test_the_statement_must_be_the_eyes_and_the_warrants(desk: Desk) -> None:
    warrant = desk.warrant()
    said = statement_for(warrant)
    good = replace(warrant, statement_sha256=said.digest())
    for bound, raw, signature in (
        (warrant, said.encode(), statements.sign(said, EYE)),
        (good, said.encode(), statements.sign(said, STRANGER)),
        (good, said.encode()[:-1], statements.sign(said, EYE)),
        (good, replace(said, issued=1).encode(), statements.sign(said, EYE)),
    ):
        with pytest.raises(Unverified):
            desk.guard.statement(bound, raw, signature, Made.PROBE, POLICY)


FRAME = Frame(Kind.SEARCH, Sort.ASK, 1, {}, ())


async def test_all_refusals_look_alike_and_the_reason_stays_in_the_vaults_log(caplog: pytest.LogCaptureFixture) -> None:
    told = set()
    for reason in (Unverified("A nonce was used before."), Unverified("The budget is spent."), UnknownGallery()):

        async def refuses(_: Frame, reason: Exception = reason) -> Answer:
            raise reason

        with pytest.raises(WarrantRefused) as caught:
            await refusals_alike("a", refuses)(FRAME)
        told.add((caught.value.slug, str(caught.value)))
        assert caught.value.__cause__ is None
        assert str(reason) in caplog.text
    assert len(told) == 1


async def test_a_refusal_leaves_at_a_full_step_however_long_the_check_took() -> None:
    loop = asyncio.get_running_loop()
    for work in (0.0, 0.3 * REFUSAL_STEP_SECONDS, 0.6 * REFUSAL_STEP_SECONDS):

        async def refuses(_: Frame, work: float = work) -> Answer:
            await asyncio.sleep(work)
            raise Unverified

        began = loop.time()
        with pytest.raises(WarrantRefused):
            await refusals_alike("a", refuses)(FRAME)
        assert loop.time() - began >= 0.99 * REFUSAL_STEP_SECONDS
