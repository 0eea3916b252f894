"""What may be asked of one gallery, and by whose signature: a policy that both vaults hold, each in its own book."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from moiety.foundation.errors import BadInput, Unverified
from moiety.kernel import NormRule, check_threshold
from moiety.warrants.records import Record
from moiety.warrants.warrant import Act

BANDS_MAX = 3
EPOCH_FIRST = 1
FIRST_VERSION = 1
ERASURES_ALONE_PER_DAY = 50
THRESHOLD_PAUSE_SECONDS = 7 * 86_400
DIMENSIONS = (128, 192, 256, 512)
# Vaults name files after the gallery, so an id may not lead out of its folder.
_GALLERY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Needs(StrEnum):
    """Whose signature an act needs: the gate's own key, a known device, one person's passkey, two people's."""

    SERVICE = "service"
    DEVICE = "device"
    OPERATOR = "operator"
    TWO_PERSON = "two-person"


def check_gallery_id(gallery: str) -> None:
    """Check that a gallery's id can name a file.

    Raises:
        Unverified: it cannot.

    """
    if not _GALLERY.fullmatch(gallery):
        raise Unverified("The policy's gallery has no id of ours.")


@dataclass(frozen=True, slots=True)
class GalleryPolicy(Record):
    """What may be asked of one gallery.

    `model` is the SHA-256 of the embedder, `rotation` the id of the gallery's rotation, `thresholds` one to three
    rising scores (0 .. 16,129). `asks` is for search and verify; above `erasures_alone_per_day` erased rows in 24
    hours, two people must sign where `erases` is not `service`. Budgets count probes, templates, erased rows and
    revealed fields per signer and hour.
    """

    DOMAIN: ClassVar[str] = "moiety/policy/2"

    tenant: str
    gallery: str
    version: int
    purpose: str
    model: bytes
    rotation: bytes
    dim: int
    thresholds: tuple[int, ...]
    asks: Needs
    enrols: Needs
    erases: Needs
    reveals: Needs
    erasures_alone_per_day: int
    probes_per_hour: int
    templates_per_hour: int
    erasures_per_hour: int
    reveals_per_hour: int

    def check(self) -> None:
        """Check that the numbers can stand.

        Raises:
            Unverified: a threshold or the dimension is out of its range, or the gallery's id is no id.

        """
        try:
            for threshold in self.thresholds:
                check_threshold(threshold)
        except NormRule:
            raise Unverified("A threshold of the policy is out of range.") from None
        check_gallery_id(self.gallery)
        rising = all(a < b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False))
        if not 1 <= len(self.thresholds) <= BANDS_MAX or not rising or self.dim not in DIMENSIONS:
            raise Unverified("The policy needs one to three rising thresholds and a dimension of 128, 192, 256 or 512.")

    def needs(self, act: Act) -> Needs:
        """Say whose signature an act needs; a policy itself comes with the gate's own (first version only)."""
        return {
            Act.SEARCH: self.asks,
            Act.VERIFY: self.asks,
            Act.ENROL: self.enrols,
            Act.ERASE: self.erases,
            Act.REVEAL: self.reveals,
            Act.POLICY: Needs.SERVICE,
        }[act]

    @property
    def service_alone(self) -> bool:
        """Whether the gate's own key suffices for everything."""
        return {self.asks, self.enrols, self.erases, self.reveals} == {Needs.SERVICE}

    def identity(self) -> tuple[str, str, str, bytes, bytes, int]:
        """Give what a policy of this gallery may never change: a new purpose or model is a new gallery."""
        return self.tenant, self.gallery, self.purpose, self.model, self.rotation, self.dim

    def must_follow(self, before: GalleryPolicy) -> None:
        """Check that this can be the version after `before`.

        Raises:
            BadInput: it changes what cannot change.

        """
        if self.identity() != before.identity():
            raise BadInput("A policy's purpose, model, rotation and dimension cannot change; open a new gallery.")
        if len(self.thresholds) != len(before.thresholds):
            raise BadInput("The number of thresholds cannot change: bands are named by their place.")

    def lowers(self, before: GalleryPolicy) -> bool:
        """Whether any threshold is lower than it was."""
        return any(now < then for now, then in zip(self.thresholds, before.thresholds, strict=False))

    def told(self) -> dict[str, object]:
        """Give what the gate learns of it."""
        return {
            "version": self.version,
            "asks": self.asks,
            "enrols": self.enrols,
            "erases": self.erases,
            "reveals": self.reveals,
            "thresholds": list(self.thresholds),
        }


@dataclass(frozen=True, slots=True)
class Standing(Record):
    """What the gate's service key may do by itself at this vault, in every gallery; only keepers change it.

    `service_opens` is 1 where it may open `service` galleries within the bounds, else 0. Labels, fields, blind
    look-ups and new field keys are per gallery and hour.
    """

    DOMAIN: ClassVar[str] = "moiety/standing/1"

    tenant: str
    version: int
    service_opens: int
    threshold_min: int = 3200
    probes_per_hour_max: int = 100_000
    templates_per_hour_max: int = 1_000_000
    erasures_per_hour_max: int = 1_000_000
    reveals_per_hour_max: int = 1_000
    labels_per_hour: int = 20_000
    fields_per_hour: int = 1_000
    blinds_per_hour: int = 200_000
    wraps_per_hour: int = 1_000_000

    def check(self) -> None:
        """Check that the numbers can stand.

        Raises:
            Unverified: one is out of its range.

        """
        if self.service_opens not in {0, 1}:
            raise Unverified("Whether the service opens galleries is 0 or 1.")
        try:
            check_threshold(self.threshold_min)
        except NormRule:
            raise Unverified("The lowest threshold is out of range.") from None

    def must_allow(self, policy: GalleryPolicy) -> None:
        """Hold the policy that the gate wants for a new gallery against the bounds.

        Raises:
            Unverified: it asks for more than this vault allows.

        """
        if not self.service_opens:
            raise Unverified("This vault opens galleries only on its own machine.")
        if policy.version != FIRST_VERSION or not policy.service_alone:
            raise Unverified("The gate may only open a new gallery for its own key.")
        if policy.thresholds[0] < self.threshold_min:
            raise Unverified("The lowest threshold is below what this vault allows.")
        budgets = (
            (policy.probes_per_hour, self.probes_per_hour_max),
            (policy.templates_per_hour, self.templates_per_hour_max),
            (policy.erasures_per_hour, self.erasures_per_hour_max),
            (policy.reveals_per_hour, self.reveals_per_hour_max),
        )
        if any(wanted > most for wanted, most in budgets):
            raise Unverified("A budget is above what this vault allows.")
