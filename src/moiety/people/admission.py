"""Whether a face may be kept: consent first, a guardian for the young, nobody who objected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import ConsentNeeded, Forbidden, MatchingStopped
from moiety.matching.deployed import must_be_deployed
from moiety.storage.person_records import SubjectRecord

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.storage import Gallery, Transaction
    from moiety.storage.person_records import Consent, Rule

OBJECTION: Final = "objection"
WITHDRAWAL: Final = "withdrawal"
FIRST: Final = "This gallery keeps a face only after consent: make the person's record and store the release first."
OLD: Final = "No consent to the present notice of this gallery is in force; store a new release first."
YOUNG: Final = (
    "This person is under eighteen: a guardian's record, an authorised reason and the guardian's release first."
)
AMEND: Final = "This person has a face here already; adding to it needs the permission gallery:subject:amend."
GUARDIAN: Final = ("guardian_name", "guardian_relation", "guardian_reason")


def in_force(rule: Rule, consent: Consent, now: float) -> bool:
    """Say whether a consent holds now, to the gallery's present notice."""
    return consent.withdrawn_at is None and consent.given_at <= now < consent.ends_at and consent.notice == rule.notice


def admit(tx: Transaction, gallery: Gallery, subject: SubjectId | None, now: float) -> None:
    """Refuse a face of `subject` (None: somebody new) that may not be kept.

    Raises:
        ConsentNeeded: the gallery wants a consent that is not in force, or a guardian is missing.
        MatchingStopped: the person objected or withdrew.
        NotDeployed: the gallery is not in use.

    """
    must_be_deployed(tx, gallery, now)
    rule = tx.rules.get(gallery.id)
    record = None if subject is None else tx.records.get(subject)
    if record is not None and record.stopped_at is not None:
        raise MatchingStopped
    young = record is not None and record.minor
    if young and subject is not None and not has_guardian(tx, subject):
        raise ConsentNeeded(YOUNG)
    if rule is None or not rule.consent:
        return
    if subject is None:
        raise ConsentNeeded(FIRST)
    good = [one for one in tx.consents.of_subject(subject) if in_force(rule, one, now)]
    if not good:
        raise ConsentNeeded(OLD if tx.consents.of_subject(subject) else FIRST)
    if young and not any(one.by_guardian for one in good):
        raise ConsentNeeded(YOUNG)


def must_amend(tx: Transaction, subject: SubjectId, *, amends: bool) -> bool:
    """Say whether somebody has a face here already; refuse another one to whoever may not add it (`amends`).

    Whoever adds a face to somebody lets in whom that face is of, as that person.

    Raises:
        Forbidden: they have one, and this caller may enrol, not amend.

    """
    has = bool(tx.templates.of_subject(subject)) or tx.own_templates.digest(subject) is not None
    if has and not amends:
        raise Forbidden(AMEND)
    return has


def stop(tx: Transaction, gallery: Gallery, subject: SubjectId, why: str, now: float) -> None:
    """Match nothing against a subject from this transaction on; one without a record gets one that says only this."""
    record = tx.records.get(subject) or SubjectRecord(subject, gallery.id, gallery.purpose, "", "", "", False, now)  # noqa: FBT003 - a record's own order
    tx.records.put(replace(record, stopped_at=now, stopped_for=why))
    tx.release_waits.drop(subject)


def resume(tx: Transaction, subject: SubjectId, why: str) -> bool:
    """Match again what was stopped for this reason, and for no other; says whether it was."""
    record = tx.records.get(subject)
    if record is None or record.stopped_for != why:
        return False
    tx.records.put(replace(record, stopped_at=None, stopped_for=None))
    return True


def ask_release(tx: Transaction, gallery: Gallery, subject: SubjectId, now: float) -> None:
    """Ask a subject for the written release, where the gallery wants one and none is there."""
    rule = tx.rules.get(gallery.id)
    there = any(one.withdrawn_at is None for one in tx.consents.of_subject(subject))
    if rule is not None and rule.consent and not there:
        tx.release_waits.ask(gallery.id, subject, now)


def has_guardian(tx: Transaction, subject: SubjectId) -> bool:
    """Say whether a guardian's record is there."""
    return set(GUARDIAN) <= {one.name for one in tx.fields.list(subject)}
