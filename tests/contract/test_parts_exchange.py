"""The vaults' exchange over real links: any difference or alteration ends it at both, and nothing is answered."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from forged_faces import Face, Forger, filled, probe
from moiety.foundation.errors import ExchangeAborted, OutOfStep
from moiety.matching.asking import Asking
from moiety.vault import comparison, exchange
from moiety.vault.exchange import Asking as AskingVault
from moiety.warrants.targets import of_blocks
from moiety.warrants.warrant import NOTHING, Act
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer, Client
from parts_in_process import ASKER, InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from moiety.vault.service import Vault
    from moiety.wire.frames import Buffer

ABORTED = [ExchangeAborted, ExchangeAborted]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as made:
        yield made


def kinds(outcomes: Sequence[object]) -> list[type]:
    return [type(one) for one in outcomes]


def asking(site: InProcess) -> AskingVault:
    found = site.vault_a._asking
    assert isinstance(found, AskingVault)
    return found


# ---- asked different things ----


async def test_the_same_question_at_both_is_answered(site: InProcess) -> None:
    gallery, _ = await filled(site)
    forger = Forger(site, gallery)
    face = forger.face(probe(1))
    assert kinds(await forger.each([face], [face])) == [Answer, Answer]


async def _different_probes(_: InProcess, forger: Forger) -> Sequence[object]:
    return await forger.each([forger.face(probe(1))], [forger.face(probe(2))])


async def _one_probe_more(_: InProcess, forger: Forger) -> Sequence[object]:
    one, other = forger.face(probe(1)), forger.face(probe(2))
    return await forger.each([one, other], [one])


async def _another_order_of_probes(_: InProcess, forger: Forger) -> Sequence[object]:
    one, other = forger.face(probe(1)), forger.face(probe(2))
    return await forger.each([one, other], [other, one])


async def _another_case(_: InProcess, forger: Forger) -> Sequence[object]:
    one = forger.face(probe(1))
    other = replace(one, warrant=replace(one.warrant, case="another"))
    return await forger.each([one], [other])


def _verification(forger: Forger, blocks: list[int]) -> Face:
    face = forger.face(probe(1))
    return replace(face, warrant=replace(face.warrant, act=Act.VERIFY, target=of_blocks(blocks)))


async def _a_search_and_a_verification(_: InProcess, forger: Forger) -> Sequence[object]:
    face = _verification(forger, [0])
    searched = replace(face, warrant=replace(face.warrant, act=Act.SEARCH, target=NOTHING))
    return await forger.each([searched], [face], {}, {"blocks": [0]})


async def _blocks_that_differ(_: InProcess, forger: Forger) -> Sequence[object]:
    once, twice = _verification(forger, [0]), _verification(forger, [0, 0])
    return await forger.each([once], [twice], {"blocks": [0]}, {"blocks": [0, 0]})


async def _thresholds_that_differ(site: InProcess, forger: Forger) -> Sequence[object]:
    cabinet = site.vault(Role.VAULT_A)._cabinet
    ((gallery, (policy, epoch)),) = cabinet._policies.items()
    lower = (policy.thresholds[0] - 1, *policy.thresholds[1:])
    cabinet._policies[gallery] = (replace(policy, thresholds=lower), epoch)
    face = forger.face(probe(1))
    return await forger.each([face], [face])


async def _rows_in_another_order(site: InProcess, forger: Forger) -> Sequence[object]:
    ((shelf,),) = (one.values() for one in site.vault(Role.VAULT_B)._cabinet._shelves.values())
    shelf._ids = shelf.ids[::-1].copy()
    shelf._digest = None
    face = forger.face(probe(1))
    return await forger.each([face], [face])


async def _a_row_missing_at_one(site: InProcess, forger: Forger) -> Sequence[object]:
    ((shelf,),) = (one.values() for one in site.vault(Role.VAULT_A)._cabinet._shelves.values())
    shelf.remove(shelf.row_ids[-1:])
    face = forger.face(probe(1))
    return await forger.each([face], [face])


DIFFERENT = {
    name.strip("_").replace("_", " "): ask
    for name, ask in list(globals().items())
    if name.startswith("_") and getattr(ask, "__annotations__", {}).get("return") == "Sequence[object]"
}


@pytest.mark.parametrize("ask", DIFFERENT.values(), ids=DIFFERENT.keys())
async def test_a_difference_is_found_before_round_1(
    site: InProcess, ask: Callable[[InProcess, Forger], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, _ = await filled(site)
    await site.upkeep.ready(gallery.id)
    rounds = watched(monkeypatch, Kind.ROUND)
    assert kinds(await ask(site, Forger(site, gallery))) == ABORTED
    assert rounds == []


def test_all_differences_were_collected() -> None:
    assert len(DIFFERENT) == 9


async def test_bands_at_other_positions_are_refused_at_both(site: InProcess) -> None:
    gallery, persons = await filled(site)
    asker = Asking(site.desk)
    probes = await asker.probes(gallery, site.sight.picture(persons[0]))
    warrants = [site.desk.warrant_for(Act.SEARCH, gallery, probe.statement, ASKER) for probe in probes]
    bits = await asker.search(gallery, probes, warrants)
    about = {"request": os.urandom(16).hex(), "parent": bits.request}
    outcomes = await asyncio.gather(
        site.links.a.call(Kind.BANDS, about | {"picks": [(0, [0, 1])]}),
        site.links.b.call(Kind.BANDS, about | {"picks": [(0, [0, 2])]}),
        return_exceptions=True,
    )
    assert kinds(outcomes) == ABORTED


async def test_after_an_abort_the_next_question_is_answered(site: InProcess) -> None:
    gallery, persons = await filled(site)
    forger = Forger(site, gallery)
    for _ in range(3):
        assert kinds(await _different_probes(site, forger)) == ABORTED
        assert len(await site.found(gallery, persons[0])) == 1


def watched(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> list[Any]:
    """Note every question of a kind that any part asks."""
    real, seen = Client.call, []

    async def call(self: Client, asked: Kind, *given: Any) -> Answer:
        if asked is kind:
            seen.append(given)
        return await real(self, asked, *given)

    monkeypatch.setattr(Client, "call", call)
    return seen


# ---- altered on the way ----


def altering(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, number: int | None, side: str, alter: Callable[[bytes], bytes]
) -> None:
    """Alter what A sends to B, or what comes back, in one round."""
    real = Client.call

    async def call(
        self: Client, asked: Kind, meta: dict[str, Any], buffers: Sequence[Buffer] = (), *more: float
    ) -> Answer:
        here = asked is kind and number in {None, meta.get("round")}
        if here and side == "question":
            buffers = [alter(bytes(buffer)) for buffer in buffers]
        answer = await real(self, asked, meta, buffers, *more)
        if here and side == "answer":
            answer = Answer(answer.meta, [alter(bytes(buffer)) for buffer in answer.buffers])
        return answer

    monkeypatch.setattr(Client, "call", call)


def flip(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]


ALTERED = [(Kind.ROUND, number, side) for number in (0, 1, 7, 14) for side in ("question", "answer")]


async def test_one_flipped_bit_anywhere_ends_it(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site)
    forger = Forger(site, gallery)
    for kind, number, side in (*ALTERED, (Kind.BEGIN, None, "question"), (Kind.FINISH, None, "question")):
        face = forger.face(probe(1))
        with monkeypatch.context() as patched:
            altering(patched, kind, number, side, flip)
            assert kinds(await forger.each([face], [face])) == ABORTED, (kind, number, side)
    assert len(await site.found(gallery, persons[0])) == 1


async def test_with_the_check_off_a_flipped_bit_changes_answers(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the comparison the same alteration goes unnoticed and the answers are wrong."""
    gallery, persons = await filled(site, 5)
    right = [await site.found(gallery, person) for person in persons]
    monkeypatch.setattr(exchange, "agree", lambda *_: None)
    assert [await site.found(gallery, person) for person in persons] == right
    altering(monkeypatch, Kind.ROUND, 14, "question", lambda raw: bytes(byte ^ 0xFF for byte in raw))
    assert [await site.found(gallery, person) for person in persons] != right


@pytest.mark.parametrize("alter", [lambda raw: raw[:-8], lambda raw: raw + bytes(8), lambda _: b""], ids=range(3))
async def test_a_message_of_another_size_ends_it(
    site: InProcess, alter: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "RUN_SECONDS", 0.3)
    gallery, _ = await filled(site)
    forger = Forger(site, gallery)
    face = forger.face(probe(1))
    altering(monkeypatch, Kind.ROUND, 3, "question", alter)
    assert kinds(await forger.each([face], [face])) == ABORTED


# ---- used once ----


async def test_a_counter_a_nonce_and_a_session_are_used_once(site: InProcess) -> None:
    await filled(site, 1)
    rogue = site.line(Role.VAULT_A, Role.VAULT_B)
    nonce_a = os.urandom(32)
    nonce_b = bytes((await rogue.call(Kind.HELLO, {}, [nonce_a])).buffers[0])
    for again in (nonce_a, b"", bytes(31)):
        with pytest.raises(ExchangeAborted):
            await rogue.call(Kind.HELLO, {}, [again])

    site.vault_b._answering.refuse("request", ExchangeAborted("refused"))

    async def begin(counter: int, **more: str | int) -> None:
        meta = {"counter": counter, "nonce_a": nonce_a.hex(), "nonce_b": nonce_b.hex(), "request": "request"}
        await rogue.call(Kind.BEGIN, {**meta, "epoch": 1, **more}, [bytes(32)])

    with pytest.raises(ExchangeAborted, match="refused"):
        await begin(5)
    for counter in (5, 4, 0, -1):
        with pytest.raises(ExchangeAborted, match="used once"):
            await begin(counter)
    for more in ({"nonce_b": bytes(32).hex()}, {"nonce_a": bytes(32).hex()}):
        with pytest.raises(OutOfStep):
            await begin(6, **more)
    for kind in (Kind.ROUND, Kind.FINISH):
        with pytest.raises(ExchangeAborted, match="no such session"):
            await rogue.call(kind, {"request": "unknown", "chunk": 0, "round": 0}, [bytes(32)])


async def test_a_request_that_is_under_way_cannot_be_asked_again(
    site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "RUN_SECONDS", 0.5)
    gallery, _ = await filled(site, 1)
    forger = Forger(site, gallery)
    about = {"request": os.urandom(16).hex(), "gallery": gallery.id}
    first, second = (forger.buffers(forger.face(probe(n)), "b") for n in (1, 2))
    outcomes = await asyncio.gather(
        site.links.b.call(Kind.SEARCH, about, first),
        site.links.b.call(Kind.SEARCH, about, second),
        return_exceptions=True,
    )
    assert kinds(outcomes) == ABORTED
    assert "A request was used twice." in [str(one) for one in outcomes]


async def test_the_mint_deals_a_sid_once(site: InProcess) -> None:
    rogue = site.line(Role.VAULT_B, Role.MINT)
    meta = {"sid": os.urandom(32).hex(), "first": 0, "words": 8}
    await rogue.call(Kind.DEAL, meta)
    with pytest.raises(ExchangeAborted):
        await rogue.call(Kind.DEAL, meta)


async def test_no_two_questions_have_the_same_sid(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, persons = await filled(site)
    dealt = watched(monkeypatch, Kind.DEAL)
    for _ in range(2):
        await asyncio.gather(*(site.found(gallery, person) for person in persons))
        await site.restart(Role.VAULT_A)
        await site.found(gallery, persons[0])
        await site.restart(Role.VAULT_B)
    sids = [meta["sid"] for meta, *_ in dealt]
    assert len(sids) == len(set(sids)) == 2 * 2 * (len(persons) + 1)


# ---- parts that come back ----


@pytest.mark.parametrize("role", [Role.VAULT_B, Role.VAULT_A, Role.MINT, Role.EYE])
async def test_after_a_restart_of_any_part_the_next_search_is_answered(site: InProcess, role: Role) -> None:
    gallery, persons = await filled(site)
    right = [await site.found(gallery, person) for person in persons]
    assert all(len(one) == 1 for one in right)
    old_nonce = site.vault_b._answering._nonce
    for _ in range(2):
        await site.restart(role)
        assert [await site.found(gallery, person) for person in persons] == right
    assert (site.vault_b._answering._nonce != old_nonce) == (role is Role.VAULT_B)


async def test_many_questions_at_once_are_each_answered(site: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "CHUNK_WORDS", 8)
    gallery, persons = await filled(site, 6)
    right = [await site.found(gallery, person) for person in persons]
    await site.restart(Role.VAULT_B)
    found = await asyncio.gather(*(site.found(gallery, person) for person in persons * 4))
    assert found == right * 4


async def test_nothing_of_a_question_is_kept(site: InProcess) -> None:
    gallery, persons = await filled(site)
    await site.found(gallery, persons[0])
    await _different_probes(site, Forger(site, gallery))
    await asyncio.sleep(0.05)
    assert site.vault_b._answering._sessions == {}
    vaults: list[Vault] = [site.vault(role) for role in (Role.VAULT_A, Role.VAULT_B)]
    for vault in vaults:
        assert all(not one.bands_used for one in vault._asked.values()), "asked bands are over"
