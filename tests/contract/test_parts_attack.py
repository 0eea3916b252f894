"""The q / q + e_k attack of the shared protocol, from both sides: it reads a template only where the check is off.

The thief has the gate and the eye's signing key: only the comparison of the two questions before round 1 is left.

Vault A holds row, B holds r, x = row + r. With q_A = q - c e_l and q_B = q + c e_l the sign test answers about
<row, q_A> + <r, q_B> = <x, q> + c (r_l - row_l): a known shift in place of an impossible score.
1. Many c give r_l - row_l, by maximum likelihood over all 2^16 values.
2. Now any q can be shifted to the threshold, where each bit is one of <x, q>; a few hundred such bits give x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from forged_faces import Forger
from moiety.foundation.errors import ExchangeAborted
from moiety.kernel import check_probe
from moiety.vault import exchange
from moiety.wire.kinds import Role
from parts_in_process import DIM, InProcess

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.storage import Gallery

BATCH = 256
AT = 5  # the coordinate l
LENGTH = 123


def probes(random: np.random.Generator, shifts: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Draw q_A and q_B i8[n, d] of allowed lengths that differ at one coordinate only, by twice each shift."""
    drawn = random.standard_normal((len(shifts), DIM))
    drawn[:, AT] = 0
    rest = np.sqrt(LENGTH**2 - shifts.astype(float) ** 2)
    q = np.rint(drawn / np.linalg.norm(drawn, axis=1)[:, None] * rest[:, None]).astype(np.int8)
    q_a, q_b = q.copy(), q.copy()
    q_a[:, AT], q_b[:, AT] = -shifts, shifts
    check_probe(q_a)
    check_probe(q_b)
    return q_a, q_b


async def bits(thief: Forger, q_a: NDArray[np.int8], q_b: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Ask, and read the one bit of each probe about the only row."""
    answers = await thief.ask([thief.face(q) for q in q_a], [thief.face(q) for q in q_b])
    words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in answers))
    return (words & np.uint64(1)).astype(bool)


def normal_cdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Approximate the normal distribution by the logistic one; enough to weigh candidates."""
    return 1 / (1 + np.exp(-1.702 * np.clip(z, -20, 20)))


def likely_difference(shifts: NDArray[np.int64], seen: NDArray[np.bool_], threshold: int) -> int:
    """Give the y = r_l - row_l mod 2^16 under which the bits are likeliest."""
    candidates = np.arange(1 << 16)
    total = np.zeros(1 << 16)
    for shift, hit in zip(shifts, seen, strict=True):
        sigma = 127 * np.sqrt(LENGTH**2 - shift**2) / np.sqrt(DIM)
        z = ((shift * candidates - threshold + 32_768) % 65_536 - 32_768).astype(float)
        inner = np.abs(z) <= 16_384
        passes = normal_cdf(np.where(inner, z, -(z - np.sign(z) * 32_768)) / sigma)
        total += np.log(np.clip(passes if hit else 1 - passes, 1e-4, 1))
    return int(total.argmax())


def shifts_to(threshold: int, difference: int, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose for each wanted shift above the threshold the c in -60 .. 60 whose c * y comes nearest."""
    c = np.arange(-60, 61)
    reached = (c * difference - threshold + 32_768) % 65_536 - 32_768
    chosen: NDArray[np.int64] = c[np.abs(reached[None, :] - wanted[:, None]).argmin(axis=1)]
    return chosen


async def attack(thief: Forger, threshold: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Read the template in four questions."""
    shifts = random.integers(-100, 101, BATCH)
    difference = likely_difference(shifts, await bits(thief, *probes(random, shifts)), threshold)
    found = np.zeros(DIM)
    for _ in range(3):
        shifts = shifts_to(threshold, difference, random.integers(-1500, 1501, BATCH))
        q_a, q_b = probes(random, shifts)
        offset = ((shifts * difference - threshold + 32_768) % 65_536 - 32_768).astype(float)
        expected = normal_cdf(offset / (127 * LENGTH / np.sqrt(DIM)))
        found += (await bits(thief, q_a, q_b) - expected) @ q_b.astype(float)
    found[AT] = 0
    return found / np.linalg.norm(found)


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
            await attack(thief, gallery.thresholds[0], np.random.default_rng(1))
        for shift in (1, -1, 100):
            q_a, q_b = probes(np.random.default_rng(shift + 2), np.array([shift]))
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
        read = await attack(Forger(site, gallery), gallery.thresholds[0], np.random.default_rng(1))
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
        q, _ = probes(random, np.zeros(BATCH, np.int64))
        faces = [thief.face(one) for one in q]
        answers = await thief.ask(faces, faces)
        words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in answers))
        assert not (words & np.uint64(1)).any()
