"""Running vaults and their keepers: they alone change policies, at once, and both vaults must agree."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forged_faces import Forger
from moiety.foundation.errors import AlreadyThere, Forbidden, Refusal, UnknownGallery
from moiety.storage import GalleryState
from moiety.vault import exchange
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import GalleryPolicy, Needs
from moiety.warrants import targets
from moiety.warrants.warrant import Act, sign_as_service, without_picture
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer
from parts_in_process import VAULTS, InProcess
from vault_office import PROBE, A, B, Office, office_in, outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with office_in(tmp_path) as made:
        yield made


async def test_a_change_on_one_vault_only_refuses_every_question_until_both_agree(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MEET_SECONDS", 0.5)  # for so long B waits for an A that refused
    await office.needs(A, asks=Needs.OPERATOR)
    for version in (1, 2):
        office.version = version
        assert not await office.answered(office.by_service())
        assert not await office.answered(office.by(office.ann))
    await office.needs(B, asks=Needs.OPERATOR)
    assert await office.answered(office.by(office.ann))


async def test_the_gate_changes_no_policy_and_drops_none_that_keepers_signed(office: Office) -> None:
    gallery = office.gallery.id
    await office.needs(asks=Needs.TWO_PERSON)
    for role in VAULTS:
        book = office.site.vault(role)._policies.book
        in_force = book.entry(gallery)[1]
        for looser in (
            replace(in_force, asks=Needs.SERVICE),
            replace(in_force, version=3, asks=Needs.SERVICE),
            replace(in_force, version=1, asks=Needs.SERVICE),
            replace(in_force, version=1, asks=Needs.SERVICE, purpose="another"),
        ):
            policy = (looser.tenant, looser.gallery, looser.version, looser.purpose)
            target = targets.of_policy(looser.encode())
            warrant = without_picture(Act.POLICY, policy, "", target, office.site.clock.now(), os.urandom(32))
            signed = sign_as_service(warrant, office.forger.service).encode()
            await outcome(office, Kind.POLICY_SET, {}, [signed, looser.encode()], role)
            assert book.entry(gallery)[1] == in_force
    assert await outcome(office, Kind.POLICY_DROP, {"gallery": gallery}, [], A, B) == {Forbidden.slug}
    assert not await office.answered(office.by_service())


async def test_keepers_change_a_running_vault_at_once_and_a_refused_change_changes_nothing(office: Office) -> None:
    vault = office.site.vault(A)
    before = vault._policies.book.entry(office.gallery.id)[1]
    stricter = replace(before, version=2, asks=Needs.OPERATOR)
    stranger = Ed25519PrivateKey.generate()
    for endorsed, kind in (
        (Endorsed(stricter.encode()).by(stranger), Forbidden),
        (office.site.endorsed(before), AlreadyThere),
        (office.site.endorsed(replace(stricter, version=3)), Refusal),
    ):
        with pytest.raises(kind):
            await vault.words()["policy-put"]({"endorsed": endorsed.encode().hex()})
    for noise in ("", "zz", "00", None, office.site.endorsed(stricter).encode().hex()[:-2]):
        with pytest.raises(Refusal):
            await vault.words()["policy-put"]({"endorsed": noise})
    assert await office.answered(office.by_service())
    await office.needs(asks=Needs.OPERATOR)
    assert not await office.answered(office.by_service())
    for role in VAULTS:
        await office.site.restart(role)
    assert await office.answered(office.by(office.ann))
    told = await vault.words()["book-show"]({})
    assert {one["policy"]["version"] for one in told["policies"]} == {2}


async def test_where_the_gate_opens_nothing_a_gallery_waits_for_the_keepers_of_both_vaults(tmp_path: Path) -> None:
    async with InProcess(tmp_path, standing={"service_opens": 0}) as site:
        gallery = await site.gallery()
        assert gallery.state is GalleryState.PENDING
        with pytest.raises(UnknownGallery):
            await site.house.galleries.get(gallery.id)
        for role in VAULTS:
            assert await site.house.galleries.settle() == 0
            told = await site.vault(role).words()["book-show"]({})
            assert told["policies"] == []
            (wish,) = told["wishes"]
            signed = site.endorsed(replace(GalleryPolicy.from_plain(wish), enrols=Needs.OPERATOR))
            await site.vault(role).words()["policy-put"]({"endorsed": signed.encode().hex()})
        await site.restart_gate()
        assert await site.house.galleries.settle() == 1
        assert (await site.house.galleries.get(gallery.id)).state is GalleryState.OPEN
        told = await site.vault(A).words()["book-show"]({})
        assert told["wishes"] == []
        assert [one["origin"] for one in told["policies"]] == ["keepers"]
        forger = Forger(site, gallery)
        face = forger.face(PROBE)
        assert all(isinstance(one, Answer) for one in await forger.each([face], [face]))
