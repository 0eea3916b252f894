"""What a person may have of what is kept about them: all of it, in a form that machines read, with others left out.

GDPR articles 15 and 20; safeguards 34, 36 and 38.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moiety.foundation.ids import KeyId
from moiety.ledger import Kind as Record
from moiety.people.burial import IMAGE
from moiety.people.capture import ATTENDED, SENT, UNSAID
from moiety.people.consents import RELEASE
from moiety.people.follow_ups import told_of
from moiety.people.redaction import ABOUT_OTHERS, Redaction
from moiety.people.registrar import PIN
from moiety.people.sheets import as_csv
from moiety.storage import SubjectState, TemplateState

if TYPE_CHECKING:
    from moiety.foundation.ids import SubjectId
    from moiety.matching.desk import Asker, Desk
    from moiety.people.fields import Fields
    from moiety.people.follow_ups import Told
    from moiety.storage import Gallery, Transaction
    from moiety.storage.person_records import Consent

FORM: Final = "moiety/access/1"
LOGIC: Final = (
    "A picture is turned into numbers by a model. The numbers are turned by a secret rotation, rounded and split into "
    "two halves that mean nothing apart. {halves} A question compares the numbers of a new picture with "
    "those of every person in this gallery; the only answer is whether a threshold was reached, as one of the words "
    "listed under bands. There is no score of a person, no profile and no automated decision: whoever asked decides."
)
HALVES: Final = {
    True: "They lie apart on one machine here: whoever owns that machine while it runs could join them.",
    False: "They lie on two machines here.",
    None: "They lie in two parts of this installation; on how many machines, these parts do not say now.",
}
RIGHTS: Final = (
    "You may have what is wrong put right, withdraw a consent, object, have all of this erased and get a receipt, take "
    "it with you, and complain to a supervisory authority. Withdrawing or declining changes no other access you have."
)
NO_IMAGE: Final = "Of this photo only the two halves of its numbers are kept; the picture itself is not."
OWN_TEMPLATE: Final = "You keep it yourself. Here is only a hash of it, which says that it is in force."
TAKEN: Final = {
    ATTENDED: "taken with you there",
    SENT: "sent, not taken by the operator",
    UNSAID: "how it was taken, nobody said",
}
_MICROSECONDS: Final = 1_000_000


def _moment(seconds: float | None) -> str | None:
    """Write a time in UTC, to the second."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()


class AccessExports:
    """Collects what is kept about one person."""

    def __init__(self, desk: Desk, fields: Fields) -> None:
        """Work at `desk`; every sealed value is revealed, metered and in the ledger, like any other reveal."""
        self._desk = desk
        self._fields = fields

    async def whole(
        self, gallery: Gallery, subject: SubjectId, asker: Asker, *, one_machine: bool | None
    ) -> dict[str, Any]:
        """Give everything about one person, with what is about others left out; says on how many machines it lies.

        Raises:
            UnknownSubject: the gallery has no such subject.
            SignatureNeeded: the policy wants somebody to sign for the reveal.
            WarrantRefused: the budget of reveals of this hour is spent.

        """
        values, redaction = await self._values(gallery, subject, asker)

        def read() -> dict[str, Any]:
            with self._desk.store.read() as tx:
                return self._collect(tx, gallery, subject, values, redaction)

        found = await asyncio.to_thread(read)
        await asyncio.to_thread(self._note, gallery, subject, asker, "access")
        return found | {"logic": LOGIC.format(halves=HALVES[one_machine])}

    async def portable(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> dict[str, Any]:
        """Give what the person provided, to take along: fields as JSON and as a table.

        Raises:
            UnknownSubject, SignatureNeeded, WarrantRefused: as for `whole`.

        """
        values, redaction = await self._values(gallery, subject, asker)
        fields = _plain(values, redaction)
        await asyncio.to_thread(self._note, gallery, subject, asker, "portable")
        return {
            "moiety": "moiety/portable/1",
            "made_at": _moment(self._desk.clock.now()),
            "fields": fields,
            "csv": as_csv(("field", "value"), fields.items()),
            "redacted": redaction.names,
        }

    async def _values(self, gallery: Gallery, subject: SubjectId, asker: Asker) -> tuple[dict[str, str], Redaction]:
        """Reveal all sealed values but the mark of a PIN, which no value stands behind."""
        names = [name for name in await self._fields.names(gallery, subject) if name != PIN]
        shown = await self._fields.reveal(gallery, [(subject, name) for name in names], asker) if names else {}
        values = {name: value for (_, name), value in shown.items()}
        return values, Redaction(values)

    def _note(self, gallery: Gallery, subject: SubjectId, asker: Asker, act: str) -> None:
        """Write the disclosure down before it goes out."""
        with self._desk.store.begin() as tx:
            # A crash after this leaves an entry for an export that nobody got.
            self._desk.write_down(tx, Record.DISCLOSURE, act, gallery, asker, subject=subject)

    def _collect(
        self, tx: Transaction, gallery: Gallery, subject: SubjectId, values: dict[str, str], redaction: Redaction
    ) -> dict[str, Any]:
        """Put it together, in one view of the database."""
        found = tx.subjects.get(gallery.id, subject)
        record = tx.records.get(subject)
        told = [_entry(tx, one) for one in told_of(tx, gallery.id, subject)]
        return {
            "moiety": FORM,
            "made_at": _moment(self._desk.clock.now()),
            "tenant": self._desk.tenant,
            "gallery": {"id": gallery.id, "name": gallery.name, "bands": list(gallery.bands)},
            "subject": subject,
            "state": SubjectState(found.state).value,
            "record": {
                "purpose": gallery.purpose,
                "basis": record.basis if record else "",
                "controller": record.controller if record else "",
                "source": record.source if record else "",
                "since": _moment(found.created_at),
                "ends": _moment(found.expires_at),
                "last_contact": _moment(record.last_contact_at) if record else None,
                "under_eighteen": record.minor if record else False,
                "stopped_since": _moment(record.stopped_at) if record else None,
                "stopped_for": record.stopped_for if record else None,
                "on_legal_hold": tx.subjects.held(subject),
            },
            "fields": _plain(values, redaction),
            "pin_set": any(one.name == PIN for one in tx.fields.list(subject)),
            "consents": [_consent(one, values, redaction) for one in tx.consents.of_subject(subject)],
            "images": _images(tx, subject, values),
            "own_template": _own(tx, subject),
            "model": {"name": gallery.model_name, "sha256": gallery.model_sha256},
            "searches": [one for one in told if one["kind"] == "consultation"],
            "disclosures": [one for one in told if one["kind"] in {"disclosure", "combination"}],
            "changes": [one for one in told if one["kind"] in {"collection", "alteration", "erasure"}],
            "rights": RIGHTS,
            "redacted": redaction.names,
        }


def _plain(values: dict[str, str], redaction: Redaction) -> dict[str, str]:
    """Give the plain fields, others left out."""
    return {name: redaction.of(name, value) for name, value in values.items() if not name.startswith((RELEASE, IMAGE))}


def _entry(tx: Transaction, one: Told) -> dict[str, Any]:
    """Show an entry of the ledger: who, what, when; reasons are people's own words and may name others."""
    key = tx.api_keys.find(KeyId(one.actor))
    detail = json.loads(one.detail)
    shown = {name: detail[name] for name in ("band", "photo", "same", "into") if name in detail}
    return {
        "entry": one.seq,
        "kind": one.kind,
        "act": one.act,
        "at": _moment(one.at_us / _MICROSECONDS),
        "recipient": one.actor,
        "recipient_name": key.name if key else one.actor,
        **shown,
    }


def _consent(one: Consent, values: dict[str, str], redaction: Redaction) -> dict[str, Any]:
    """Show a consent with its release; a guardian's signature is another person's."""
    raw = values.get(RELEASE + one.id)
    release: dict[str, Any] = json.loads(raw) if raw else {}
    if one.by_guardian and release:
        redaction.add(RELEASE + one.id)
        release = {"kind": release["kind"], "signed_by": ABOUT_OTHERS}
    return {
        "id": one.id,
        "notice": one.notice,
        "purpose": one.purpose,
        "by_guardian": one.by_guardian,
        "given": _moment(one.given_at),
        "ends": _moment(one.ends_at),
        "withdrawn": _moment(one.withdrawn_at),
        "release": release,
    }


def _own(tx: Transaction, subject: SubjectId) -> dict[str, Any] | None:
    """Say since when a template that the person keeps is in force; it is not here."""
    since = tx.own_templates.since(subject)
    return None if since is None else {"since": _moment(since), "note": OWN_TEMPLATE}


def _images(tx: Transaction, subject: SubjectId, values: dict[str, str]) -> list[dict[str, Any]]:
    """List the photos, each with its picture where one is kept."""
    shown = []
    for one in tx.templates.of_subject(subject):
        if one.state is TemplateState.ACTIVE:
            picture = values.get(IMAGE + one.photo_id)
            about = {"photo": one.photo_id, "since": _moment(one.created_at), "taken": TAKEN[one.capture]}
            shown.append(about | ({"base64": picture} if picture else {"note": NO_IMAGE}))
    return shown
