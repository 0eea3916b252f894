"""What a drill is: an attack, and a control in which the same attack succeeds against a weakened installation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.drill.ground import Ground
    from moiety.wire.kinds import Role


@dataclass(frozen=True, slots=True)
class Obtained:
    """What an attack got: how much, and in words what was looked for and what came."""

    count: int
    what: str


@dataclass(slots=True)
class Tally:
    """Adds up what the steps of one attack got."""

    _counts: list[int] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)

    def add(self, count: int, what: str) -> None:
        """Note what one step got."""
        self._counts.append(int(count))
        self._words.append(what)

    def obtained(self) -> Obtained:
        """Give the sum."""
        return Obtained(sum(self._counts), "; ".join(self._words))


class Drill(ABC):
    """One way of attacking. `tried` says in plain words what the attacker has and does."""

    name: ClassVar[str]
    tried: ClassVar[str]
    # Which part runs with which weakness in the control; see `weaknesses`.
    weakness: ClassVar[Mapping[Role, str]] = {}

    @abstractmethod
    def attack(self, ground: Ground) -> Obtained:
        """Attack the installation as it runs, and say what was got."""

    def control(self, ground: Ground) -> Obtained:
        """Attack the same way where the drill's weakness is in force."""
        with ground.weakened(self.weakness):
            return self.attack(ground)
