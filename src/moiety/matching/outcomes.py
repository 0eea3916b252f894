"""How a question came out, as the ledger keeps it: a band in one word, and no score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moiety.ledger import Kind as Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.foundation.ids import SubjectId
    from moiety.matching.answers import FaceAnswer
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

NONE: Final = "none"
MANY: Final = "many"
# By the act that is asked, the act under which its outcome stands.
OUTCOMES: Final = {act: f"{act}-outcome" for act in ("identify", "verify", "verify-own")}


def best_of(answers: Sequence[FaceAnswer], bands: Sequence[str]) -> str:
    """Give the highest band that some face of a picture reached, `many` where only too many did, or `none`."""
    reached = {one.band for answer in answers for one in answer.candidates}
    if reached:
        return max(reached, key=bands.index)
    return MANY if any(answer.too_many for answer in answers) else NONE


def note_outcome(
    desk: Desk,
    tx: Transaction,
    gallery: Gallery,
    asker: Asker,
    asked: str,
    band: str,
    *,
    subject: SubjectId | None = None,
    of: tuple[int, str] | None = None,
) -> None:
    """Write down how a question came out, before anybody is told; its reason stands with the question.

    `of` is when it began, in seconds since 1970, and the keyed mark of its picture.
    """
    about: dict[str, Any] = {} if of is None else {"began": of[0], "input": of[1]}
    desk.write_down(
        tx, Record.CONSULTATION, OUTCOMES[asked], gallery, asker, subject=subject, with_reason=False, band=band, **about
    )
