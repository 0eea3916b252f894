"""The gate's last step of an erasure: rows and fields go, a receipt stays, and recipients are to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import NotFound, UnknownSubject
from moiety.people.follow_ups import note_change
from moiety.people.receipts import Gone, issue
from moiety.storage import SubjectState

if TYPE_CHECKING:
    from moiety.foundation.ids import GalleryId, PhotoId, SubjectId
    from moiety.matching.desk import Desk
    from moiety.storage import Intent, Template, Transaction

# The sealed copy of an enrolment photo, where the gallery's rule keeps one.
IMAGE: Final = "image_"


def image_field(photo: PhotoId) -> str:
    """Name the field in which a photo is kept."""
    return f"{IMAGE}{photo}"


def bury(desk: Desk, tx: Transaction, intent: Intent) -> None:
    """Remove the templates, or the whole subject with its fields, together with the intent."""
    # A crash before the commit leaves them 'erasing', in no search; the next start comes here again.
    templates = tx.templates.by_rows(intent.gallery_id, intent.row_ids)
    if intent.subject_id is not None:
        fields = len(tx.fields.list(intent.subject_id))
        own = int(tx.own_templates.drop(intent.subject_id))
        nobody = tx.decoys.among([intent.subject_id])
        tx.templates.delete([template.photo_id for template in templates])
        tx.subjects.delete(intent.gallery_id, intent.subject_id)
        if not nobody:
            _told(desk, tx, intent.gallery_id, intent.subject_id)
            issue(desk, tx, intent.gallery_id, intent.subject_id, Gone(len(templates), own, fields))
    else:
        _photos(desk, tx, intent.gallery_id, templates)
    tx.intents.close(intent.id)


def _photos(desk: Desk, tx: Transaction, gallery: GalleryId, templates: tuple[Template, ...]) -> None:
    """Remove photos of people who stay; whose last one goes gets a receipt for the face."""
    tx.templates.delete([template.photo_id for template in templates])
    for subject in sorted({template.subject_id for template in templates}):
        gone = [template for template in templates if template.subject_id == subject]
        for template in gone:
            drop_image(tx, subject, template.photo_id)
        if not tx.templates.of_subject(subject) and _is_active(tx, gallery, subject):
            _told(desk, tx, gallery, subject)
            issue(desk, tx, gallery, subject, Gone(photos=len(gone)))


def _told(desk: Desk, tx: Transaction, gallery: GalleryId, subject: SubjectId) -> None:
    """Mark whom it concerns; canaries concern nobody."""
    if subject not in tx.canaries.subjects(gallery):
        note_change(tx, gallery, subject, "erased", desk.clock.now())


def drop_image(tx: Transaction, subject: SubjectId, photo: PhotoId) -> None:
    """Remove the sealed copy of a photo, if there is one."""
    try:
        tx.fields.delete(subject, image_field(photo))
    except NotFound:
        return


def _is_active(tx: Transaction, gallery: GalleryId, subject: SubjectId) -> bool:
    """Say whether a subject stays."""
    try:
        return tx.subjects.get(gallery, subject).state is SubjectState.ACTIVE
    except UnknownSubject:
        return False
