"""How an enrolment photo came to be: taken here in person, or sent; what was sent needs one that is taken here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput, CaptureNeeded
from moiety.ledger import Kind as Record
from moiety.matching.deployed import asked_for

if TYPE_CHECKING:
    from moiety.matching.desk import Asker, Desk
    from moiety.storage import Gallery, Transaction

# Nobody said it: photos of a site where nobody works yet, and those from before it was asked.
UNSAID: Final = "unsaid"
ATTENDED: Final = "attended"
SENT: Final = "sent"
HOW: Final = (ATTENDED, SENT)
# The ledger's act for a photo that may be a morph: it was refused, and whoever reads the ledger can see how often.
FLAGGED: Final = "morph-flag"
SAY: Final = "Say how the photo was taken: `attended`, here with the person, or `sent`."


@dataclass(frozen=True, slots=True)
class Capture:
    """How a photo was taken, and for one that was sent a picture of the same person that was taken here."""

    how: str = UNSAID
    live: bytes = field(default=b"", repr=False)


def check_capture(tx: Transaction, gallery: Gallery, capture: Capture, image: bytes) -> None:
    """Refuse a photo whose origin nobody vouches for.

    Photos of galleries of the police show people who cannot come, such as the missing: those stand alone.

    Raises:
        CaptureNeeded: nobody said how it was taken where that is asked, or it was sent and nothing was taken here.
        BadInput: a picture that was taken here comes with a photo that was taken here, or is the photo itself.

    """
    if capture.how == UNSAID and asked_for(tx, "MOIETY_RECORDS"):
        raise CaptureNeeded(SAY)
    if capture.live and capture.how != SENT:
        raise BadInput("A picture taken here comes beside a photo that was `sent`, and beside no other.")
    if capture.live and capture.live == image:
        raise BadInput("The picture taken here is the photo that was sent; take one now.")
    under = tx.deployments.get(gallery.id)
    if capture.how == SENT and not capture.live and not (under and under.police):
        raise CaptureNeeded


def flag(desk: Desk, gallery: Gallery, asker: Asker) -> None:
    """Write down that a photo was refused as a possible morph; whose it was to be, no entry says."""
    with desk.store.begin() as tx:
        # A crash before the commit: refused and not written down; the next try is.
        desk.write_down(tx, Record.COLLECTION, FLAGGED, gallery, asker)
