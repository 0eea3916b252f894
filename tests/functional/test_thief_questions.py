"""A thief in the gate asks questions: what both vaults answer him, and what neither does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hacked import DIM, Forger, q_and_neighbour, refused
from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import ExchangeAborted, Refusal, WarrantRefused
from moiety.warrants import targets
from moiety.warrants.statement import Statement
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from hacked import Thief

pytestmark = pytest.mark.slow


async def test_an_honest_question_is_answered(thief: Thief) -> None:
    """The control of all that follows."""
    probe = await thief.probe()
    face = thief.face(probe)
    from_a, from_b = await thief.search([*face, probe.to_a], [*face, probe.to_b])
    assert bytes(from_a.buffers[0]) != bytes(from_b.buffers[0])
    assert len(from_a.buffers[0]) == len(from_b.buffers[0]) == 8


async def test_different_pictures_to_both_vaults_get_nothing(thief: Thief) -> None:
    mine, other = await thief.probe(), await thief.probe(thief.other)
    to_a, to_b = [*thief.face(mine), mine.to_a], [*thief.face(other), other.to_b]
    refused(await thief.search(to_a, to_b), ExchangeAborted)


async def test_different_sealed_halves_under_one_warrant_get_nothing(thief: Thief) -> None:
    mine, other = await thief.probe(), await thief.probe(thief.other)
    face = thief.face(mine)
    refused(await thief.search([*face, mine.to_a], [*face, other.to_b]), WarrantRefused, ExchangeAborted)
    swapped = await thief.probe()
    face = thief.face(swapped)
    refused(await thief.search([*face, swapped.to_b], [*face, swapped.to_a]), WarrantRefused, ExchangeAborted)


async def test_probes_that_the_eye_did_not_sign_get_nothing(thief: Thief) -> None:
    q, neighbour = q_and_neighbour()
    own_key = thief.house.desk.secrets.service
    for pair in ((q, neighbour), (q, q)):
        refused(await thief.search(*Forger(thief, own_key).faces(*pair)), WarrantRefused, ExchangeAborted)


async def test_a_chosen_probe_under_the_eyes_own_statement_gets_nothing(thief: Thief) -> None:
    """Anybody can seal to the vaults: what is sealed must be what the eye committed to, even if it is alike at both."""
    probe = await thief.probe()
    nonce = Statement.decode(probe.statement).nonce
    at = thief.site.place(Role.GATE)
    chosen = bytes(32) + q_and_neighbour()[0].astype(np.int8).tobytes()
    face = thief.face(probe)
    sealed = [
        [*face, seal_to(at.sealing(role), chosen, targets.sealing_bound(half, nonce))]
        for role, half in ((Role.VAULT_A, "a"), (Role.VAULT_B, "b"))
    ]
    refused(await thief.search(*sealed), WarrantRefused, ExchangeAborted)


async def test_q_and_its_neighbour_get_nothing_even_with_the_eyes_key(thief: Thief) -> None:
    q, neighbour = q_and_neighbour()
    forger = Forger(thief, thief.site.place(Role.EYE).identity.signing)
    refused(await thief.search(*forger.faces(q, neighbour)), ExchangeAborted)
    # The control: with the eye's key, and the same probe to both, the vaults would answer.
    from_a, from_b = await thief.search(*forger.faces(q, q))
    assert not isinstance(from_a, Refusal)
    assert not isinstance(from_b, Refusal)


async def test_a_probe_outside_the_norm_rule_gets_nothing(thief: Thief) -> None:
    forger = Forger(thief, thief.site.place(Role.EYE).identity.signing)
    unit = np.zeros(DIM, np.int16)
    unit[3] = 1
    loud = np.full(DIM, 8, np.int16)
    for probe in (unit, loud):
        refused(await thief.search(*forger.faces(probe, probe)), WarrantRefused, ExchangeAborted)


async def test_a_question_is_answered_once(thief: Thief) -> None:
    probe = await thief.probe()
    face = thief.face(probe)
    to_a, to_b = [*face, probe.to_a], [*face, probe.to_b]
    meta = {"request": os.urandom(16).hex(), "gallery": thief.gallery.id}
    first = await thief.ask(Kind.SEARCH, meta, meta, to_a, to_b)
    assert not any(isinstance(answer, Refusal) for answer in first)
    refused(await thief.search(to_a, to_b), WarrantRefused, ExchangeAborted)
    # A fresh warrant of the thief's own for the same statement has the same nonce.
    refused(
        await thief.search([*thief.face(probe), probe.to_a], [*thief.face(probe), probe.to_b]),
        WarrantRefused,
        ExchangeAborted,
    )


async def test_one_face_twice_in_a_batch_gets_nothing(thief: Thief) -> None:
    probe = await thief.probe()
    face = thief.face(probe)
    refused(await thief.search([*face, probe.to_a] * 2, [*face, probe.to_b] * 2), WarrantRefused, ExchangeAborted)


async def test_one_vault_alone_is_asked_in_vain(thief: Thief) -> None:
    probe = await thief.probe()
    meta = {"request": os.urandom(16).hex(), "gallery": thief.gallery.id}
    with pytest.raises(ExchangeAborted):
        await thief.house.desk.links.a.call(Kind.SEARCH, meta, [*thief.face(probe), probe.to_a])


async def test_a_warrant_serves_its_own_act_gallery_and_blocks_only(thief: Thief) -> None:
    probe = await thief.probe()
    face = thief.face(probe, Act.VERIFY, targets.of_blocks([0]))
    sealed = [*face, probe.to_a], [*face, probe.to_b]
    refused(await thief.search(*sealed), WarrantRefused, ExchangeAborted)
    refused(await thief.search(*sealed, blocks=[0, 0]), WarrantRefused, ExchangeAborted)
    refused(await thief.search(*sealed, gallery=thief.guests.id, blocks=[0]), WarrantRefused, ExchangeAborted)
    from_a, from_b = await thief.search(*sealed, blocks=[0])
    assert len(from_a.buffers[0]) == len(from_b.buffers[0]) == 8 * len(thief.gallery.thresholds)


async def _searched(thief: Thief) -> str:
    """Ask an honest question; gives its request."""
    probe = await thief.probe()
    face = thief.face(probe)
    meta = {"request": os.urandom(16).hex(), "gallery": thief.gallery.id}
    answers = await thief.ask(Kind.SEARCH, meta, meta, [*face, probe.to_a], [*face, probe.to_b])
    assert not any(isinstance(answer, Refusal) for answer in answers)
    return str(meta["request"])


def _bands(parent: str, picks: list[Any]) -> dict[str, Any]:
    return {"request": os.urandom(16).hex(), "parent": parent, "picks": picks}


async def test_bands_are_asked_once_and_alike_at_both(thief: Thief) -> None:
    parent = await _searched(thief)
    meta = _bands(parent, [[0, [0, 1, 2]]])
    first = await thief.ask(Kind.BANDS, meta, meta, [], [])
    assert not any(isinstance(answer, Refusal) for answer in first)
    again = _bands(parent, [[0, [0, 1, 2]]])
    refused(await thief.ask(Kind.BANDS, again, again, [], []), ExchangeAborted, WarrantRefused)
    parent = await _searched(thief)
    one = _bands(parent, [[0, [0]]])
    other = one | {"picks": [[0, [1]]]}
    refused(await thief.ask(Kind.BANDS, one, other, [], []), ExchangeAborted)
    refused(await thief.ask(Kind.BANDS, one, one, [], []), ExchangeAborted, WarrantRefused)


async def test_refusals_tell_the_gate_nothing_of_why(thief: Thief) -> None:
    probe = await thief.probe()
    face = thief.face(probe)
    wrong_act = await thief.search([*face, probe.to_a], [*face, probe.to_b], blocks=[0])
    forged = await thief.search(*Forger(thief, thief.house.desk.secrets.service).faces(*q_and_neighbour()))
    told = {str(answer) for answer in (*wrong_act, *forged) if isinstance(answer, WarrantRefused)}
    assert told == {"The vaults refused the warrant."}
