"""One enrolment on its way: what the eye saw, and the ids under which it will be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moiety.foundation.ids import PhotoId, RowId, SubjectId, new_photo_id, new_subject_id
from moiety.matching.asking import told
from moiety.people.capture import UNSAID
from moiety.people.rules import Stated

if TYPE_CHECKING:
    from moiety.matching.answers import SeenFace
    from moiety.matching.signing import Signed
    from moiety.people.looks import Look
    from moiety.storage import Gallery, Intent


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """What the eye made of one face, signed for."""

    gallery: Gallery
    meta: dict[str, Any]
    sealed: list[bytes]
    signed: Signed
    canary: int | None


@dataclass(slots=True, repr=False)
class Plan:
    """One enrolment on its way."""

    gallery: Gallery
    subject: SubjectId
    photo: PhotoId
    new_subject: bool
    mark: bytes
    row: RowId
    face: SeenFace
    sealed: list[bytes]
    warrant: bytes
    signers: dict[str, str]
    canary: int | None = None
    stated: Stated = field(default_factory=Stated)
    how: str = UNSAID
    amends: bool = False
    added: bool = False
    look: Look | None = None
    intent: Intent | None = None


def plan_of(seen: Seen, subject: SubjectId | None, mark: bytes) -> Plan:
    """Decide on the ids of what was seen and signed for."""
    return Plan(
        gallery=seen.gallery,
        subject=subject or new_subject_id(),
        photo=new_photo_id(),
        new_subject=subject is None,
        mark=mark,
        row=RowId(bytes.fromhex(seen.meta["row"])),
        face=told(seen.meta),
        sealed=seen.sealed,
        warrant=seen.signed.warrants[0],
        signers=seen.signed.signers,
        canary=seen.canary,
    )
