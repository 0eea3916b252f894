"""Which backups are restored together: every copy at least once, each with those nearest in time that fit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.archive import age_keys, places
from moiety.archive.holdings import KEYS, SEEDS, STATE
from moiety.archive.reading import key_of
from moiety.foundation.errors import NotFound, Unverified
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moiety.archive.places import Backup

PEOPLE = (Role.GATE, Role.VAULT_A, Role.VAULT_B)


@dataclass(frozen=True, slots=True)
class Together:
    """Copies of gate and both vaults that are restored as one installation; `seeds` are those of B's run."""

    gate: Backup
    a: Backup
    b: Backup
    seeds: Backup

    @property
    def name(self) -> str:
        """Name it by the copies' times."""
        times = (places.stem_of(one.about).split(f"{one.about.role}-")[-1] for one in (self.gate, self.a, self.b))
        return "gate {} with vault-a {} and vault-b {}".format(*times)


class Copies:
    """All copies that were found, and the operators' keys that may open them."""

    def __init__(self, folders: Iterable[Path], identities: Sequence[Path], keys_from: Path | None = None) -> None:
        """List what lies in `folders`."""
        self._operators = [key for path in identities for key in age_keys.operator(path)]
        self._keys_from = keys_from
        self.all = places.found_in(folders)

    def of(self, role: Role, part: str = STATE) -> list[Backup]:
        """List the copies of one part of a role, oldest first."""
        return [one for one in self.all if (one.about.role, one.about.part) == (role, part)]

    def key(self, one: Backup) -> age_keys.Identity:
        """Open a copy's own key.

        Raises:
            NotFound: it was destroyed.
            Unverified: no operator whose key was given can open it.

        """
        return key_of(one.path, self._operators, self._keys_from)

    def shut(self) -> list[Backup]:
        """List the copies that nobody here can open."""
        found = []
        for one in self.all:
            try:
                self.key(one)
            except (NotFound, Unverified):
                found.append(one)
        return found

    def latest_keys(self, role: Role) -> Backup | None:
        """Give the newest copy of a part's own keys."""
        found = self.of(role, KEYS)
        return found[-1] if found else None

    def together(self, *, every: bool) -> list[Together]:
        """Choose what to restore: with `every` all that fit, else every copy at least once."""
        shut = set(map(id, self.shut()))
        gates, a_s, b_s = ([one for one in self.of(role) if id(one) not in shut] for role in PEOPLE)
        seeds = {one.about.run: one for one in self.of(Role.VAULT_B, SEEDS) if id(one) not in shut}
        pairs = [(a, b) for a in a_s for b in b_s if b.about.run in seeds and places.fit(a.about, b.about)]
        chosen = [(gate, a, b) for gate in gates for a, b in pairs] if every else _each_once(gates, pairs)
        return [Together(gate, a, b, seeds[b.about.run]) for gate, a, b in chosen]


def _each_once(gates: list[Backup], pairs: list[tuple[Backup, Backup]]) -> list[tuple[Backup, Backup, Backup]]:
    """Take each copy with those nearest to it, and nothing twice."""
    chosen: dict[tuple[int, int, int], tuple[Backup, Backup, Backup]] = {}
    if not gates or not pairs:
        return []
    for one in [*gates, *(a for a, _ in pairs), *(b for _, b in pairs)]:
        at = one.about.at
        a, b = min(
            pairs, key=lambda pair: (one not in pair and one not in gates, _far(pair[0], at) + _far(pair[1], at))
        )
        gate = one if one in gates else min(gates, key=lambda gate: _far(gate, at))
        chosen[id(gate), id(a), id(b)] = (gate, a, b)
    return list(chosen.values())


def _far(one: Backup, at: int) -> int:
    return abs(one.about.at - at)
