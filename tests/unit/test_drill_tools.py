"""The drills' tools: statistics that see what they should, a scratch folder that goes, weaknesses that still fit."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2
from typer.testing import CliRunner

from moiety.cli.main import application
from moiety.drill import scratch as scratches
from moiety.drill.drill import Obtained
from moiety.drill.noise import (
    AUC_MARGIN,
    CHANCE,
    P_LEAST,
    auc,
    correlation,
    likeness,
    linkage,
    spellings,
    uniformity,
)
from moiety.drill.run import DRILLS, Report, chosen
from moiety.drill.scratch import MARKER, PREFIX, SITE, must_be_in_scratch, must_be_scratch, scratch
from moiety.foundation.errors import BadInput, Fault
from moiety.kernel import expand, quantise, split_many

ROOT = Path(__file__).resolve().parents[2]
DIM = 512


def _templates(random: np.random.Generator, count: int) -> np.ndarray:
    drawn = random.standard_normal((count, DIM)).astype(np.float32)
    return np.stack([quantise(one / np.linalg.norm(one)) for one in drawn])


@pytest.mark.parametrize("form", ["i1", "<i2", "<f4"])
def test_a_hidden_face_is_found_in_any_form_and_at_any_place(form: str) -> None:
    random = np.random.default_rng(3)
    face, other = _templates(random, 2).astype(float)
    hidden = random.bytes(1001) + face.astype(form).tobytes() + random.bytes(700)
    scores = correlation(hidden, np.stack([face, other]))
    assert scores[0] > 0.99
    assert scores[1] < CHANCE


def test_noise_has_no_face_and_no_order() -> None:
    random = np.random.default_rng(4)
    raw = random.bytes(200_000)
    assert correlation(raw, _templates(random, 3).astype(float)).max() < CHANCE
    assert uniformity(raw) > P_LEAST
    assert uniformity(_templates(random, 300).tobytes()) < P_LEAST


@pytest.mark.parametrize("excess", [0.8, 1.0, 1.2, 1.5, 1.8])
def test_the_chi_square_is_good_to_a_hundredth_of_its_logarithm(excess: float) -> None:
    counts = np.full(256, 1000) + np.round(np.resize([1, -1], 256) * np.sqrt(1000 * excess)).astype(int)
    raw = np.repeat(np.arange(256, dtype=np.uint8), counts).tobytes()
    exact = chi2.sf(((counts - 1000) ** 2 / 1000).sum(), 255)
    assert np.log(uniformity(raw)) == pytest.approx(np.log(exact), rel=0.02, abs=0.01)


def test_one_half_links_nobody_both_halves_everybody_and_a_seed_used_twice_too() -> None:
    """Through the kernel, with fixed seeds: 79,800 pairs of one face, as many of others."""
    random = np.random.default_rng(20_000)
    one, others = _templates(random, 1), _templates(random, 400)
    templates = np.concatenate([np.repeat(one, 400, axis=0), others])
    seeds = random.integers(0, 256, (800, 32), np.uint8)
    nonces = np.zeros((800, 12), np.uint8)

    def numbers(words: np.ndarray) -> np.ndarray:
        return words.view(np.int16).astype(np.float64)

    rows, pads = split_many(templates, seeds, nonces), expand(seeds, nonces, DIM)
    for half in (numbers(rows), numbers(pads), seeds.astype(np.float64)):
        assert abs(linkage(half, 400) - 0.5) <= AUC_MARGIN
    assert linkage(numbers(rows + pads), 400) > 0.999
    again = split_many(templates, np.repeat(seeds[:1], 800, axis=0), nonces)
    differences = numbers((again[None, :2] - again[:, None]).reshape(-1, DIM))
    assert np.abs(differences).sum(axis=1).min() == 0


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auc(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 0.5
    assert likeness(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.0], [3.0, 2.0, 1.0]])).round(9).tolist() == [
        [1, -1]
    ]


@pytest.mark.parametrize("lead", ["", "a", "ab", "abc"])
def test_a_word_is_found_in_every_spelling(lead: str) -> None:
    import base64  # noqa: PLC0415 - of this test alone

    word = "Quittenbrot-4431"
    text = f"{lead}{word} and more"
    ways = spellings(word).values()
    for written in (
        text.encode(),
        text.encode("utf-16-le"),
        text.encode().hex().encode(),
        base64.b64encode(text.encode()),
        base64.urlsafe_b64encode(text.encode()),
    ):
        assert any(way in written for way in ways), written


# ---- scratch folders ----


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_scratch_folder_is_gone_behind_its_block_even_after_an_error(temporary: Path) -> None:
    def fail() -> None:
        with scratch() as folder:
            assert folder.parent == temporary
            (folder / "full").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_drill_left_goes_and_what_runs_or_is_anothers_stays(temporary: Path) -> None:
    left, other, fresh = (temporary / name for name in (f"{PREFIX}left", "moiety-demo-x", f"{PREFIX}unmarked"))
    for folder in (left, other, fresh):
        folder.mkdir()
    (left / MARKER).write_text(json.dumps({"drill": "x"}))
    (temporary / f"{PREFIX}link").symlink_to(other)
    with scratch() as running:
        assert not left.exists()
        assert scratches.clear() == []
        assert running.exists()
    assert other.exists()
    assert fresh.exists()
    assert (temporary / f"{PREFIX}link").is_symlink()


def test_weakened_parts_run_in_a_drills_own_installation_with_its_own_keys(temporary: Path) -> None:
    with scratch() as folder:
        data = folder / SITE
        data.mkdir()
        must_be_scratch(data, data / "keys")
        for data_folder, keys in ((data, temporary / "keys"), (folder, folder / "keys")):
            with pytest.raises(Fault):
                must_be_scratch(data_folder, keys)
    elsewhere = temporary / "house" / SITE
    elsewhere.mkdir(parents=True)
    with pytest.raises(Fault):
        must_be_scratch(elsewhere, elsewhere / "keys")
    with pytest.raises(Fault):
        must_be_in_scratch(elsewhere)


# ---- drills ----


def test_a_report_holds_where_the_attack_got_nothing_and_the_control_something() -> None:
    def held(attack: int, control: int) -> bool:
        return Report("x", "y", Obtained(attack, ""), Obtained(control, ""), 0.0).held

    assert held(0, 1)
    assert not held(1, 1)
    assert not held(0, 0)


@pytest.mark.parametrize(("attack", "control", "code"), [(0, 3, 0), (1, 3, 8), (0, 0, 8)])
def test_the_command_ends_with_8_where_a_drill_did_not_hold(
    attack: int, control: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Report("steal-a", "tried", Obtained(attack, "found"), Obtained(control, "planted"), 1.5)
    monkeypatch.setattr("moiety.drill.run.run", lambda *_: [made])
    monkeypatch.setattr("moiety.cli.commands.drill.obtain", lambda *_: None)
    done = CliRunner().invoke(application(), ["drill", "steal-a", "--json"])
    assert done.exit_code == code
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "drills": [
            {
                "name": "steal-a",
                "tried": "tried",
                "obtained": attack,
                "found": "found",
                "control_obtained": control,
                "control_found": "planted",
                "seconds": 1.5,
            }
        ]
    }
    line = done.stdout.splitlines()[0]
    assert line.startswith("FAILED steal-a: " if code else "steal-a: tried -> obtained nothing (found); control")


def test_drills_are_chosen_by_name() -> None:
    assert [one.name for one in chosen(["forge", "steal-a"])] == ["steal-a", "forge"]
    assert len(chosen([])) == len(DRILLS) == len({one.name for one in DRILLS})
    with pytest.raises(BadInput, match="steal-everything"):
        chosen(["steal-everything"])


def test_every_drill_is_described() -> None:
    rows = [line for line in (ROOT / "docs" / "drills.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [one.name for one in DRILLS]


def test_every_weakness_finds_what_it_weakens() -> None:
    """In a process of its own, which is of no use afterwards."""
    program = (
        "import importlib, json\n"
        "for name in ('weak_eye', 'weak_gate', 'weak_mint', 'weak_vaults'):\n"
        "    for weaken in importlib.import_module(f'moiety.drill.{name}').WEAKNESSES.values():\n"
        "        weaken()\n"
        "print('all')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "all", done.stderr


def test_every_weakness_of_a_drill_is_known() -> None:
    for drill in DRILLS:
        for name in drill.weakness.values():
            module, _, what = name.partition(":")
            assert f'"{what}": ' in (ROOT / "src" / "moiety" / "drill" / f"{module}.py").read_text(), drill.name
