"""The q / q + e_k attack of the shared protocol (`moiety.drill.two_questions`), over an installation in one process.

The drill of the same name runs it against real processes and faces of 512 numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from forged_faces import Forger
from moiety.drill.two_questions import AT, BATCH, attack, probes
from moiety.foundation.errors import ExchangeAborted
from moiety.vault import exchange
from moiety.wire.kinds import Role
from parts_in_process import DIM, InProcess

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.storage import Gallery


async def template_of(site: InProcess, gallery: Gallery) -> NDArray[np.float64]:
    """Join both halves, as only somebody can who has both vaults."""
    shelves = [site.vault(role)._cabinet.shelf(gallery.id) for role in (Role.VAULT_A, Role.VAULT_B)]
    (template,) = (shelves[0].lanes + shelves[1].lanes).view(np.int16).astype(float)
    template[AT] = 0
    joined: NDArray[np.float64] = template / np.linalg.norm(template)
    return joined


async def test_the_attack_gets_no_answer_from_either_vault(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery(probes_per_hour=10_000)
        await site.enrol(gallery, site.sight.person())
        thief = Forger(site, gallery)
        with pytest.raises(ExchangeAborted):
            await attack(thief, gallery.thresholds[0], np.random.default_rng(1), DIM)
        for shift in (1, -1, 100):
            q_a, q_b = probes(np.random.default_rng(shift + 2), np.array([shift]), DIM)
            for pair in ((q_a, q_b), (q_b, q_a)):
                to_a, to_b = (thief.face(q[0]) for q in pair)
                outcomes = await thief.each([to_a], [to_b])
                assert [type(one) for one in outcomes] == [ExchangeAborted, ExchangeAborted]


async def test_without_the_check_before_round_1_the_attack_reads_the_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the attack above is a real one."""
    monkeypatch.setattr(exchange, "agree", lambda *_: None)
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery(probes_per_hour=10_000)
        await site.enrol(gallery, site.sight.person())
        template = await template_of(site, gallery)
        read = await attack(Forger(site, gallery), gallery.thresholds[0], np.random.default_rng(1), DIM)
        assert read @ template > 0.8
        large = np.abs(template) > 0.1
        assert (np.sign(read[large]) == np.sign(template[large])).mean() > 0.95


async def test_honest_questions_about_random_probes_show_nothing_of_the_template(tmp_path: Path) -> None:
    """The other control: the same number of attested probes, the same at both vaults, gives no bit at all."""
    random = np.random.default_rng(1)
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery(probes_per_hour=10_000)
        await site.enrol(gallery, site.sight.person())
        thief = Forger(site, gallery)
        q, _ = probes(random, np.zeros(BATCH, np.int64), DIM)
        faces = [thief.face(one) for one in q]
        answers = await thief.ask(faces, faces)
        words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in answers))
        assert not (words & np.uint64(1)).any()
