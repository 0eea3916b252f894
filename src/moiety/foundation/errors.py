"""Every error that a caller is told, and the one kind that stops a process.

A `Refusal` is an answer: it has a stable `slug`, travels over the wire by that slug, is mapped to HTTP once in
`moiety.api.problems` and to an exit code once in `moiety.cli.exits`. Its message is read by users: it holds no secret,
no name, no embedding. A `Fault` means that going on would be wrong; the process stops.
"""

from __future__ import annotations

import re
from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - it is an answer, not a malfunction
    """An answer that says no; `str(error)` is one plain sentence for the user."""

    slug: ClassVar[str] = "refused"

    def __init__(self, detail: str | None = None) -> None:
        """Keep the sentence; without one the class speaks for itself."""
        super().__init__(detail or (self.__doc__ or "refused").split("\n", 1)[0])


class Fault(Exception):  # noqa: N818 - stops the process
    """Going on would be wrong: the process must stop and say this one line."""


# ---- what the caller sent is wrong ----


class BadInput(Refusal):
    """The request does not make sense."""

    slug = "bad-input"


class NotAnImage(BadInput):
    """The file is not a picture that can be read (JPEG, PNG or WebP)."""

    slug = "not-an-image"


class ImageDamaged(BadInput):
    """The picture is cut short or damaged."""

    slug = "image-damaged"


class ImageTooLarge(BadInput):
    """The picture has more pixels or bytes than the limit."""

    slug = "image-too-large"


class ImageAnimated(BadInput):
    """The picture is an animation; send one still picture."""

    slug = "image-animated"


class NoFace(BadInput):
    """No face was found in the picture."""

    slug = "no-face"


class ManyFaces(BadInput):
    """The picture shows several faces; an enrolment photo must show one person."""

    slug = "many-faces"


class PoorQuality(BadInput):
    """The face is not good enough to enrol."""

    slug = "poor-quality"


class CaptureNeeded(BadInput):
    """Say how the photo was taken; one that was sent needs a picture of the person that is taken here."""

    slug = "capture-needed"


class OtherPerson(BadInput):
    """The picture that was taken here shows somebody else than the photo."""

    slug = "other-person"


class PossibleMorph(BadInput):
    """The photo is less like the picture taken here than one of the same person is: perhaps a morph; take it here."""

    slug = "possible-morph"


class ModelMismatch(BadInput):
    """The gallery was made with another model; templates of different models are never compared."""

    slug = "model-mismatch"


class NormOutOfRange(BadInput):
    """A vector breaks the norm rule (120 to 127 for probes, at most 127 for templates)."""

    slug = "norm-out-of-range"


class Unverified(BadInput):
    """Something that should have been checked or signed is not as it must be."""

    slug = "unverified"


# ---- what was asked for is not there, or is there already ----


class NotFound(Refusal):
    """There is nothing by that name here."""

    slug = "not-found"


class UnknownGallery(NotFound):
    """There is no such gallery."""

    slug = "unknown-gallery"


class UnknownSubject(NotFound):
    """There is no such subject in this gallery."""

    slug = "unknown-subject"


class AlreadyThere(Refusal):
    """It exists already."""

    slug = "already-there"


class DuplicatePhoto(AlreadyThere):
    """This photo is enrolled in the gallery already; no second template was made."""

    slug = "duplicate-photo"


# ---- who may ----


class Unauthenticated(Refusal):
    """No valid key or session was given."""

    slug = "unauthenticated"


class KeyExpired(Unauthenticated):
    """The key has expired."""

    slug = "key-expired"


class ProofMissing(Unauthenticated):
    """The session's cookie came without the proof of its device."""

    slug = "proof-missing"


class Forbidden(Refusal):
    """The key does not carry the scope that this needs."""

    slug = "forbidden"


class OnHold(Forbidden):
    """A legal hold keeps this person's record; nothing of it is erased before two people let it go."""

    slug = "on-hold"


class ConsentNeeded(Forbidden):
    """This gallery keeps a face only after the person's consent, and none is in force."""

    slug = "consent-needed"


class MatchingStopped(Forbidden):
    """This person objected or withdrew; nothing is matched against them."""

    slug = "matching-stopped"


class Halted(Forbidden):
    """Matching is halted: somebody pressed the stop button, and two people must let it go on."""

    slug = "halted"


class Locked(Forbidden):
    """This account is locked after an alarm; two colleagues can unlock it."""

    slug = "account-locked"


class SpareNeeded(Forbidden):
    """You have had only one passkey for a week: add a second one under My passkeys, then do this."""

    slug = "second-passkey-needed"


class NotApproved(Forbidden):
    """This needs a second person: an approval of exactly this, signed by a colleague."""

    slug = "not-approved"


class NotDeployed(Forbidden):
    """This gallery is not in use: its impact assessment is missing, or the day of its review has passed."""

    slug = "not-deployed"


class WarrantRefused(Refusal):
    """The vaults refused the warrant."""

    slug = "warrant-refused"


class SignatureNeeded(WarrantRefused):
    """The gallery's policy wants a signature that has not come."""

    slug = "signature-needed"


class TooMany(Refusal):
    """Too many requests; wait and try again."""

    slug = "too-many"


class RateLimited(TooMany):
    """Too many requests; wait and try again."""

    slug = "rate-limited"

    def __init__(self, detail: str | None = None, wait_s: int = 1) -> None:
        """Keep how many whole seconds to wait before trying again."""
        super().__init__(detail)
        self.wait_s = wait_s


# ---- a part is not able to answer ----


class Unavailable(Refusal):
    """A part of the installation cannot answer now; nothing was changed."""

    slug = "unavailable"


class PartDown(Unavailable):
    """A part of the installation is down or cannot be reached."""

    slug = "part-down"


class OutOfStep(Unavailable):
    """The vaults do not hold the same rows at this moment; try again."""

    slug = "out-of-step"


class ExchangeAborted(Unavailable):
    """The two vaults were not asked the same question, or their exchange was altered; nothing was answered."""

    slug = "exchange-aborted"


class CanaryFailed(Unavailable):
    """The vaults gave wrong answers to known questions about this gallery; it answers nothing until they are right."""

    slug = "canary-failed"


class OtherEpoch(OutOfStep):
    """The template was made for another epoch; it must be made anew."""

    slug = "other-epoch"


class HalvesApart(Unavailable):
    """The two vaults hold halves of different epochs; they do not fit each other."""

    slug = "halves-apart"


class Busy(Unavailable):
    """The gallery is being worked on; try again in 10 s."""

    slug = "busy"

    @property
    def wait_s(self) -> int:
        """How many whole seconds to wait before trying again: what its sentence says, for that is all that travels."""
        told = re.search(r"(\d+) s\.$", str(self))
        return int(told[1]) if told else 10


class DiskFull(Unavailable):
    """The disk is full; nothing was kept."""

    slug = "disk-full"


class ModelsMissing(Unavailable):
    """The models are not installed; run `moiety models install`."""

    slug = "models-missing"


class WireBroken(Unavailable):
    """A message was too large, cut short or malformed; the connection was closed."""

    slug = "wire-broken"


def _every(kind: type[Refusal]) -> dict[str, type[Refusal]]:
    """Collect `kind` and all that derive from it, by slug."""
    found = {kind.slug: kind}
    for child in kind.__subclasses__():
        found.update(_every(child))
    return found


def refusal_of(slug: str, detail: str) -> Refusal:
    """Rebuild a refusal that came over the wire; an unknown slug becomes a plain `Refusal`."""
    return _every(Refusal).get(slug, Refusal)(detail)


def slugs() -> dict[str, type[Refusal]]:
    """Every slug there is, for the maps to HTTP and exit codes and for the tests that they are complete."""
    return _every(Refusal)
