"""The eye as a process part: a picture in; sealed halves, statements and words about quality out."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moiety.eye.halver import Setting, Sighting
from moiety.eye.own import OwnTemplates
from moiety.eye.vouching import LIVE_AT_LEAST, Vouching
from moiety.foundation.errors import BadInput, ManyFaces, NoFace, PoorQuality
from moiety.warrants.statement import Pad, face_nonce
from moiety.wire.kinds import Kind
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from moiety.eye.halver import Halver, Sealed
    from moiety.eye.rotations import Rotations
    from moiety.eye.sight import SeenFace, Sight
    from moiety.wire.frames import Buffer, Frame

NONCE_BYTES = 32
# A second face smaller than this part of the first one's area stands in the background.
BACKGROUND_AREA = 0.25
# A photo is of its biggest face if that is this near the middle and all others are that far from it. In LFW, whose
# photos are of one named person, the first is at most 0.21 and the others at least 0.55; no group photo is like it.
NEAR_MIDDLE, FAR_FROM_MIDDLE = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Model:
    """The embedder in use: its SHA-256, dimension, false-match rates, and the bands' cosines for two pictures."""

    name: str
    sha256: bytes
    dim: int
    table: Mapping[float, float]
    pair_cosines: tuple[float, ...]


class Eye:
    """Handlers of the eye. It has no memory of any request."""

    def __init__(self, sight: Sight, model: Model, rotations: Rotations, halver: Halver) -> None:
        """See with `sight`, whose embedder is `model`."""
        self._sight = sight
        self._model = model
        self._rotations = rotations
        self._halver = halver
        self._vouching = Vouching.by(model.table)
        self._own = OwnTemplates(rotations, halver, model.pair_cosines)

    def handlers(self) -> dict[Kind, Callable[[Frame], Awaitable[Answer]]]:
        """Map each kind of frame to what answers it."""
        return {
            Kind.ROTATION_NEW: self._rotation_new,
            Kind.PROBE: self._probe,
            Kind.TEMPLATE: self._template,
            Kind.COMPARE: self._compare,
            Kind.LOOK: self._look,
            Kind.OWN_MAKE: self._own_make,
            Kind.OWN_CHECK: self._own_check,
        }

    async def _rotation_new(self, _: Frame) -> Answer:
        """Draw a rotation for a new gallery, and say which model this eye has."""
        rotation = await asyncio.to_thread(self._rotations.new)
        model = self._model
        return Answer(
            {
                "rotation": rotation.hex(),
                "name": model.name,
                "model": model.sha256.hex(),
                "dim": model.dim,
                "table": {repr(rate): cosine for rate, cosine in model.table.items()},
            }
        )

    async def _probe(self, frame: Frame) -> Answer:
        """Make a sealed probe of every face."""
        return await asyncio.to_thread(self._make, frame, enrol=False)

    async def _template(self, frame: Frame) -> Answer:
        """Make sealed halves of the one face of an enrolment photo; a second picture, taken in person, vouches for it.

        Raises:
            NoFace, ManyFaces, PoorQuality: it is not the photo of one person, or not good enough.
            OtherPerson, PossibleMorph, BadInput: the second picture does not vouch for it.

        """
        return await asyncio.to_thread(self._make, frame, enrol=True)

    def _make(self, frame: Frame, *, enrol: bool) -> Answer:
        """Measure, and seal what was measured."""
        setting = Setting.read(frame.meta, self._model.sha256)
        nonce, image = bytes(frame.buffers[0]), bytes(frame.buffers[1])
        if len(nonce) != NONCE_BYTES:
            raise BadInput("A nonce has 32 bytes.")
        faces = list(self._sight.faces(image))
        digest = hashlib.sha256(image).digest()
        if enrol:
            faces = [_the_one(faces)]
            for live in frame.buffers[2:]:
                self._vouching.check(faces[0], _biggest(list(self._sight.faces(bytes(live)))))
        make = self._halver.template if enrol else self._halver.probe
        told: list[dict[str, Any]] = []
        buffers: list[Buffer] = []
        for index, face in enumerate(faces):
            sighting = Sighting(digest, _inside(face.box), _pad(face), face_nonce(nonce, index))
            sealed: Sealed = make(setting, sighting, face.embedding)
            told.append(_tell(face) | {"row": sealed.row_id.hex()})
            buffers += [sealed.statement, sealed.signature, sealed.to_a, sealed.to_b]
        return Answer({"faces": told}, buffers)

    async def _compare(self, frame: Frame) -> Answer:
        """Compare the biggest faces of two pictures: the number of bands reached, 0 for none. No score leaves."""

        def compare() -> Answer:
            faces = [_biggest(list(self._sight.faces(bytes(image)))) for image in frame.buffers[:2]]
            if len(faces) != 2:  # noqa: PLR2004 - two pictures
                raise BadInput("A comparison needs two pictures.")
            cosine = float(faces[0].embedding @ faces[1].embedding)
            band = sum(cosine >= least for least in self._model.pair_cosines)
            return Answer({"band": band, "faces": [_tell(face) for face in faces]})

        return await asyncio.to_thread(compare)

    async def _look(self, frame: Frame) -> Answer:
        """Say how good a picture would be for enrolment: its faces, and what is wrong with it; nothing is measured."""

        def look() -> Answer:
            faces = list(self._sight.faces(bytes(frame.buffers[0])))
            about = {"faces": [_tell(face) for face in faces[:1]], "count": len(faces)}
            try:
                _the_one(faces)
            except (NoFace, ManyFaces, PoorQuality) as wrong:
                return Answer(about | {"wrong": wrong.slug, "why": str(wrong)})
            return Answer(about | {"wrong": "", "why": ""})

        return await asyncio.to_thread(look)

    async def _own_make(self, frame: Frame) -> Answer:
        """Seal a template of the one face of a picture for its person; gives it, and its hash.

        Raises:
            NoFace, ManyFaces, PoorQuality: it is not the photo of one person, or not good enough.

        """

        def make() -> Answer:
            setting = Setting.read(frame.meta, self._model.sha256)
            face = _the_one(list(self._sight.faces(bytes(frame.buffers[0]))))
            made = self._own.make(setting, str(frame.meta["subject"]), face.embedding, bytes(frame.buffers[1]))
            return Answer({"faces": [_tell(face)]}, list(made))

        return await asyncio.to_thread(make)

    async def _own_check(self, frame: Frame) -> Answer:
        """Hold the biggest face of a picture against a template that its person brought: the number of bands."""

        def check() -> Answer:
            setting = Setting.read(frame.meta, self._model.sha256)
            face = _biggest(list(self._sight.faces(bytes(frame.buffers[0]))))
            band = self._own.band(setting, str(frame.meta["subject"]), face.embedding, bytes(frame.buffers[1]))
            return Answer({"band": band, "faces": [_tell(face)]})

        return await asyncio.to_thread(check)


def _biggest(faces: list[SeenFace]) -> SeenFace:
    """Take the first, which is the biggest."""
    if not faces:
        raise NoFace
    return faces[0]


def _the_one(faces: list[SeenFace]) -> SeenFace:
    """Give the one person of an enrolment photo; faces behind, or beside a person in the middle, do not count."""
    first = _biggest(faces)
    rivals = [other for other in faces[1:] if _area(other) > BACKGROUND_AREA * _area(first)]
    in_the_middle = first.off_middle <= NEAR_MIDDLE and all(one.off_middle >= FAR_FROM_MIDDLE for one in rivals)
    if rivals and not in_the_middle:
        raise ManyFaces(f"The picture shows {len(faces)} faces; an enrolment photo must show one person.")
    if not first.quality.enrollable:
        raise PoorQuality("The face is not good enough to enrol: " + "; ".join(first.quality.reasons) + ".")
    return first


def _area(face: SeenFace) -> int:
    """Give the area of a face's box in pixels."""
    return face.box[2] * face.box[3]


def _inside(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Cut a box at the left and upper edge: statements hold no negative numbers."""
    x, y, w, h = box
    left, top = max(x, 0), max(y, 0)
    return left, top, max(w - (left - x), 0), max(h - (top - y), 0)


def _pad(face: SeenFace) -> Pad:
    """Put liveness into the statement's words."""
    if face.liveness is None:
        return Pad.UNKNOWN
    return Pad.LIVE if face.liveness >= LIVE_AT_LEAST else Pad.ATTACK


def _tell(face: SeenFace) -> dict[str, Any]:
    """Say what people may know of a face: where it is and how good it is."""
    liveness = None if face.liveness is None else round(face.liveness, 2)
    return {"box": list(_inside(face.box)), "quality": face.quality.as_dict(), "liveness": liveness}
