"""Whether a picture would do for enrolment, while somebody still stands before the camera; nothing of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.matching.asking import told
from moiety.wire.kinds import Kind

if TYPE_CHECKING:
    from moiety.matching.answers import SeenFace
    from moiety.matching.desk import Desk


@dataclass(frozen=True, slots=True)
class Look:
    """What the eye says of a picture: the face it would take, how many there are, the slug of what is wrong, and why.

    `wrong` and `why` are empty where the picture would do.
    """

    face: SeenFace | None
    count: int
    wrong: str
    why: str


class Looking:
    """Asks the eye about pictures. No face is measured, compared or written down."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def look(self, image: bytes) -> Look:
        """Say whether the picture would do.

        Raises:
            BadInput: the picture cannot be read.
            PartDown: the eye is away.

        """
        answer = await self._desk.links.eye.call(Kind.LOOK, {}, [image])
        meta = answer.meta
        face = told(meta["faces"][0]) if meta["faces"] else None
        return Look(face, int(meta["count"]), str(meta["wrong"]), str(meta["why"]))
