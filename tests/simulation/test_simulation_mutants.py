"""A simulation that cannot fail proves nothing: with one safeguard of the product missing, it finds a failing seed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from moiety.people.settle import Settler
from moiety.vault import guard
from moiety.vault.cabinet import Cabinet
from moiety.vault.flat import Flat
from moiety.vault.guard import Guard
from moiety.vault.personal import PersonalKeys
from moiety.vault.rows import RowStore
from simulated_parts import lay_out
from simulated_world import by_dice, run, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Mutant = Callable[[pytest.MonkeyPatch], None]

SEEDS = 120


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Give a template and a place to run."""
    base = tmp_path_factory.mktemp("mutants")
    lay_out(base / "template")
    with undisturbed():
        yield base / "template", base / "run"


def settles_nothing(patch: pytest.MonkeyPatch) -> None:
    # A gate that finishes and undoes nothing of what a crash left.
    async def nothing(*_: Any) -> int:
        return 0

    for name in ("everything", "if_needed", "gallery"):
        patch.setattr(Settler, name, nothing)


def syncs_nothing(patch: pytest.MonkeyPatch) -> None:
    # Vaults that write halves and do not sync them before the journal says that they are there.
    patch.setattr(Flat, "sync", lambda _: None)


def knows_no_nonce(patch: pytest.MonkeyPatch) -> None:
    # Vaults that take a warrant as often as it comes.
    real = Guard.spend

    def spend(self: Guard, *given: Any) -> None:
        with self._journal.transaction() as db:
            db.execute("DELETE FROM nonce")
        real(self, *given)

    patch.setattr(Guard, "spend", spend)


def counts_nothing(patch: pytest.MonkeyPatch) -> None:
    # Vaults without budgets.
    patch.setattr(guard, "_charge", lambda *_: None)


def forgets_budgets(patch: pytest.MonkeyPatch) -> None:
    # Vaults whose budgets begin anew with each of their starts.
    real = Guard.__init__

    def made(self: Guard, journal: Any, *given: Any) -> None:
        real(self, journal, *given)
        with journal.transaction() as db:
            db.execute("DELETE FROM budget")

    patch.setattr(Guard, "__init__", made)


def keeps_personal_keys(patch: pytest.MonkeyPatch) -> None:
    # A vault B that destroys no personal key.
    patch.setattr(PersonalKeys, "erase", lambda *_: None)


def aborts_what_is_in_hand(patch: pytest.MonkeyPatch) -> None:
    # A gate that lets the vaults drop whatever is prepared there, also what somebody is about to commit.
    patch.setattr(Settler, "_known", lambda *_: (set(), set()))


def takes_rows_out_of_memory_only(patch: pytest.MonkeyPatch) -> None:
    # Vaults whose erased rows come back with their next start.
    patch.setattr(RowStore, "destroy", lambda *_: None)


def commits_before_it_reads(patch: pytest.MonkeyPatch) -> None:
    # Vaults that say that they have committed and did nothing.
    real = Cabinet.commit

    def commit(self: Cabinet, *given: Any) -> None:
        with contextlib.suppress(Exception):
            real(self, *given)

    patch.setattr(Cabinet, "commit", commit)


MUTANTS: list[Mutant] = [
    settles_nothing,
    syncs_nothing,
    knows_no_nonce,
    counts_nothing,
    forgets_budgets,
    keeps_personal_keys,
    aborts_what_is_in_hand,
    takes_rows_out_of_memory_only,
    commits_before_it_reads,
]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_safeguard_that_is_missing_is_missed(
    mutant: Mutant, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    failed = next((seed for seed in range(SEEDS) if run("mutant", seed, by_dice, folders).failed), None)
    assert failed is not None, f"{SEEDS} runs have not missed it"
