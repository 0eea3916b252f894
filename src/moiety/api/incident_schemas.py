"""What goes in and comes out about breaches, reports from outside, and drills."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field, StringConstraints

from moiety.api.schemas import Given, Taken
from moiety.incidents.breaches import GALLERIES_MAX, LINE_CHARS_MAX, WORDS_CHARS_MAX
from moiety.incidents.drills import DRILLS_MAX
from moiety.incidents.losses import Lost
from moiety.incidents.reports import ANSWER_CHARS_MAX, CONTACT_CHARS_MAX, TEXT_CHARS_MAX

COUNT_MAX: Final = 1_000_000_000

_Gallery = Annotated[str, StringConstraints(pattern=r"^gal_[a-z2-7]{16}$")]
Words = Annotated[str, StringConstraints(max_length=WORDS_CHARS_MAX)]
Line = Annotated[str, StringConstraints(max_length=LINE_CHARS_MAX)]


# ---- breaches ----


class IncidentBody(Taken):
    """What is known of a breach: when, what was lost, where (no gallery: all), and in words what happened."""

    happened: Annotated[str, StringConstraints(min_length=1, max_length=WORDS_CHARS_MAX)]
    began_at: AwareDatetime
    ended_at: AwareDatetime
    lost: Annotated[list[Lost], Field(max_length=len(Lost), default_factory=list)]
    galleries: Annotated[list[_Gallery], Field(max_length=GALLERIES_MAX, default_factory=list)]
    controller: Line = ""
    contact: Line = ""
    consequences: Words = ""
    measures: Words = ""


class IncidentNew(IncidentBody):
    """A breach, and when somebody became aware of it: the 72 hours run from then."""

    aware_at: AwareDatetime


class NoteBody(Taken):
    """The note with which an incident is closed."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=WORDS_CHARS_MAX)]


class StepSeen(Given):
    """One step of the wizard."""

    step: str
    says: str
    done: bool


class IncidentSeen(Given):
    """A breach: `due_at` is when the authority has to know, `seconds_left` how long that is (negative: it is over)."""

    id: str
    opened_by: str
    opened_at: datetime
    aware_at: datetime
    due_at: datetime
    seconds_left: int
    closed_at: datetime | None
    began_at: datetime
    ended_at: datetime
    lost: list[str]
    galleries: list[str]
    happened: str
    controller: str
    contact: str
    consequences: str
    measures: str
    closing: str
    steps: list[StepSeen]


class IncidentList(Given):
    """All incidents, open ones first."""

    incidents: list[IncidentSeen]


class HitSeen(Given):
    """What one gallery holds of people; `fields` by name, and of how many people each."""

    id: str
    name: str
    purpose: str
    people: int
    photos: int
    fields: dict[str, int]


class ActsSeen(Given):
    """How often one actor did one act in that time; `people`, where some were looked at or told of, is how many."""

    gallery: str | None
    kind: str
    act: str
    actor: str
    times: int
    people: int | None


class AffectedSeen(Given):
    """Who is affected, by what, and in plain words what a thief can do."""

    people: int
    photos: int
    faces_lost: bool
    fields_lost: bool
    disclosed: int
    high_risk: bool
    words: list[str]
    galleries: list[HitSeen]
    acts: list[ActsSeen]


class EntryProved(Given):
    """An entry of the ledger without its reason, in base64, and the proof that it is in a signed checkpoint."""

    seq: int
    leaf: str
    proof: str


class EvidenceSeen(Given):
    """What the ledger saw between an incident's times; `moiety ledger verify --evidence` checks it."""

    moiety: str
    incident: str
    began_at: int
    ended_at: int
    whole: bool
    keys: list[str]
    entries: list[EntryProved]


# ---- reports from outside ----


class ReportBody(Taken):
    """A hole that somebody found, in text of any language; how to reach the sender is for the sender to say."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_CHARS_MAX)]
    contact: Annotated[str, StringConstraints(max_length=CONTACT_CHARS_MAX)] = ""


class ReportTaken(Given):
    """By number and secret the answer is asked for; both are shown once."""

    number: str
    secret: Annotated[str, Field(repr=False)]
    days: int


class ReportLookUp(Taken):
    """Number and secret of a report."""

    number: Annotated[str, StringConstraints(max_length=64)]
    secret: Annotated[str, StringConstraints(max_length=100), Field(repr=False)]


class ReportAnswer(Given):
    """When a report came, and its answer, if there is one."""

    number: str
    received_at: datetime
    answered_at: datetime | None
    answer: str | None


class ReportClock(Given):
    """How many reports wait for an answer, and how many of them for longer than `days`; anybody may know it."""

    waiting: int
    overdue: int
    days: int
    oldest_at: datetime | None


class ReportLine(Given):
    """One report, unopened."""

    number: str
    received_at: datetime
    answered_at: datetime | None
    answered_by: str | None


class ReportList(Given):
    """Reports, those without an answer first."""

    reports: list[ReportLine]
    clock: ReportClock


class ReportSeen(Given):
    """One report, opened."""

    number: str
    received_at: datetime
    text: str
    contact: str
    answered_at: datetime | None
    answer: str | None


class AnswerBody(Taken):
    """The answer to a report."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=ANSWER_CHARS_MAX)]


# ---- drills ----


class RanBody(Taken):
    """One drill: how much the attack and its control obtained."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    obtained: Annotated[int, Field(ge=0, le=COUNT_MAX)]
    control_obtained: Annotated[int, Field(ge=0, le=COUNT_MAX)]
    seconds: Annotated[float, Field(ge=0, le=COUNT_MAX)]


class DrillsBody(Taken):
    """What `moiety drill` found."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
    drills: Annotated[list[RanBody], Field(min_length=1, max_length=DRILLS_MAX)]


class SignedDrillsSeen(Given):
    """A report of drills: the exact text that the gate signed, its signature and its key in hex."""

    document: str
    signature: str
    key: str


class DrillsLine(Given):
    """One report of drills."""

    id: str
    at: datetime
    drills: int
    failed: int
    report: SignedDrillsSeen


class DrillsList(Given):
    """Reports of drills, newest first; `overdue` where there was none for `days`."""

    overdue: bool
    days: int
    reports: list[DrillsLine]
