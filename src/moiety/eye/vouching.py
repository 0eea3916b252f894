"""Whether a picture taken in person vouches for a photo that was sent; no score leaves.

A morph of two people is like both, and like neither as much as a photo of their own: what lies between "the same
person" and "surely the same person" is flagged. Scherhag et al., "Deep Face Representations for Differential Morphing
Attack Detection" (IEEE TIFS 15, 2020), compare the two pictures so; docs/performance.md says what was measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput, OtherPerson, PossibleMorph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.eye.sight import SeenFace

# Rates of false matches of the model's table: below the first it is somebody else, below the second perhaps a morph.
SAME_AT: Final = 1e-4
SURE_AT: Final = 1e-6
# Two pictures of one person on different days are never so alike; the photo that was sent, taken again, is.
ONE_PICTURE: Final = 0.97
LIVE_AT_LEAST: Final = 0.5


@dataclass(frozen=True, slots=True)
class Vouching:
    """The cosines at which a picture is of the same person, and surely so."""

    same: float
    sure: float

    @classmethod
    def by(cls, table: Mapping[float, float]) -> Vouching:
        """Take both from a model's table of false-match rates; where it ends before one, the strictest that it has."""
        return cls(*(table[min(known for known in table if known >= rate)] for rate in (SAME_AT, SURE_AT)))

    def check(self, photo: SeenFace, live: SeenFace) -> None:
        """Hold the picture taken in person against the photo.

        Raises:
            OtherPerson: it shows somebody else.
            PossibleMorph: it is like the photo, and less than a picture of the same person is.
            BadInput: it is the photo over again, or no living face where that is looked at.

        """
        if live.liveness is not None and live.liveness < LIVE_AT_LEAST:
            raise BadInput("The picture taken here looks like a picture of a picture.")
        cosine = float(photo.embedding @ live.embedding)
        if cosine >= ONE_PICTURE:
            raise BadInput("The picture taken here is the photo that was sent; take one now.")
        if cosine < self.same:
            raise OtherPerson
        if cosine < self.sure:
            raise PossibleMorph
