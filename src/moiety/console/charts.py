"""Charts as inline SVG, drawn here; beside each stands the same as a table. Sizes are in the units of the view box."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from moiety.foundation.clock import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH: Final = 360
HEIGHT: Final = 150
LEFT: Final = 26
TOP: Final = 8
BOTTOM: Final = 128
GAP: Final = 0.25
LABELS_MAX: Final = 6
STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Block:
    """One value of one day, as a rectangle; `series` is its place among the series."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Column:
    """One day: what it counts in each series, drawn one upon the other; `label_x` is where its date may stand."""

    day: date
    values: tuple[int, ...]
    blocks: tuple[Block, ...]
    label_x: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns by day. `lines` are the heights of the grid with what they count."""

    title: str
    series: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[tuple[float, int], ...]
    total: int

    @property
    def counted(self) -> tuple[Column, ...]:
        """Give the days on which something was counted, for the table."""
        return tuple(one for one in self.columns if any(one.values))


def columns(title: str, series: Sequence[str], first: date, days: int, counts: Sequence[Mapping[int, int]]) -> Chart:
    """Draw `days` days from `first` on; `counts` has for each series how many there are of each day since 1970."""
    rows = [tuple(one.get(number_of(first) + step, 0) for one in counts) for step in range(days)]
    top = _top(max((sum(row) for row in rows), default=0))
    wide = (WIDTH - LEFT) / days
    every = -(-days // LABELS_MAX)
    drawn = tuple(
        Column(
            first + timedelta(days=step),
            row,
            _blocks(row, LEFT + step * wide, wide, top),
            round(LEFT + (step + 0.5) * wide, 2) if step % every == 0 else None,
        )
        for step, row in enumerate(rows)
    )
    lines = tuple((round(_height(value, top), 2), value) for value in sorted({0, top // 2, top}))
    return Chart(title, tuple(series), drawn, lines, sum(map(sum, rows)))


def _height(value: float, top: int) -> float:
    """Say where a value lies."""
    return BOTTOM - (BOTTOM - TOP) * value / top


def _blocks(row: Iterable[int], x: float, wide: float, top: int) -> tuple[Block, ...]:
    """Pile the values of one day up."""
    made, below = [], 0
    for series, value in enumerate(row):
        if value:
            y, foot = _height(below + value, top), _height(below, top)
            left, width = x + wide * GAP / 2, wide * (1 - GAP)
            made.append(Block(round(left, 2), round(y, 2), round(width, 2), round(foot - y, 2), series))
        below += value
    return tuple(made)


def _top(most: int) -> int:
    """Round up to 1, 2 or 5 times a power of ten, two at least."""
    size = 1
    while True:
        for step in STEPS:
            if step * size >= max(most, 2):
                return step * size
        size *= 10
