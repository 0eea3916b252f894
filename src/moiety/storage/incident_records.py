"""What the repositories of emergencies, incidents, reports and drills hand out. Times in seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Switch(StrEnum):
    """`stop` halts matching; `kill` revokes sessions, tokens and device keys."""

    STOP = "stop"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Pressed:
    """One pressing of a switch, by the id of whoever did; `lifted_by` is the id of the approval, or `owner`."""

    id: str
    kind: str
    pressed_by: str
    pressed_at: float
    lifted_by: str | None = None
    lifted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One breach: when we became aware, between which times it was open, and what was `lost` (codes of the wizard).

    `galleries` are ids, none for all; `done` are codes of steps; the words about it are sealed.
    """

    id: str
    opened_by: str
    opened_at: float
    aware_at: float
    began_at: float
    ended_at: float
    closed_at: float | None
    lost: tuple[str, ...]
    galleries: tuple[str, ...]
    done: tuple[str, ...]
    content_sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """One report from outside; its sender asks for the answer with number and secret, of which the hash is kept.

    Once its texts are erased, `content_sealed` is empty and there is no `answer_sealed`; all else stays.
    """

    id: str
    secret_sha256: bytes = field(repr=False)
    content_sealed: bytes = field(repr=False)
    received_at: float
    answered_at: float | None = None
    answered_by: str | None = None
    answer_sealed: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class DrillReport:
    """How many drills ran and how many failed; the signed document says which."""

    id: str
    at: float
    drills: int
    failed: int
    document: str
    signature: bytes
