"""What goes in and comes out about alerts, locks, decoys, and what galleries are used under."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from moiety.api.person_schemas import ApprovalName, Fields, Why
from moiety.api.schemas import Given, Reason, Reference, Taken

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$"),
    Field(description="A reference, such as of a document of yours.", examples=["DPIA-2026-04"]),
]


class AlertSeen(Given):
    """One notice: a decoy was opened, one person looked up again and again, a budget spent, a match contested."""

    id: str
    kind: str = Field(description="canary, repeated, budget or contested.")
    actor: str
    actor_name: str
    gallery_id: str | None
    subject_id: str | None
    times: int
    created_at: datetime
    last_at: datetime
    seen_at: datetime | None
    seen_by: str | None


class LockSeen(Given):
    """An account or key that opens nothing until two people unlock it."""

    actor: str
    actor_name: str
    alert: str
    since: datetime


class AlertList(Given):
    """Alerts, those that nobody has seen first, and all locks; `open` counts what nobody has seen."""

    open: int
    alerts: list[AlertSeen]
    locks: list[LockSeen]


class SeenBody(Taken):
    """What was found when somebody looked into it; it goes sealed into the ledger."""

    reason: Reason


class DecoyNew(Taken):
    """A person who is nobody, to stand in lists like anybody else."""

    reference: Reference
    fields: Fields = Field(default_factory=dict)
    police_status: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}$")] | None = None
    reason: Reason = "plants a decoy"


class DecoyMade(Given):
    """Who is nobody."""

    subject_id: str


class DecoysSeen(Given):
    """How many decoys a gallery has, and to how many the gate brings them by itself as people come."""

    planted: int
    wanted: int


class DeploymentNew(Why):
    """What a gallery is used under."""

    assessment: Code
    review_at: AwareDatetime
    police: Annotated[bool, Field(description="Each record then says what the person is to the police.")] = False
    two_to_search: Annotated[bool, Field(description="Each search then needs an approval of that very search.")] = False
    approval: ApprovalName | None = None


class DeploymentSeen(Given):
    """What a gallery is used under."""

    assessment: str
    review_at: datetime
    police: bool
    two_to_search: bool
    overdue: bool


class ThresholdsBody(Why):
    """The test report by which lowered thresholds are taken."""

    report: Code
    approval: ApprovalName | None = None


class ThresholdsSeen(Given):
    """The thresholds that the vaults' policy has, and those that were taken here; scores from 0 to 16,129."""

    policy_version: int
    at_the_vaults: list[int]
    taken: list[int]
