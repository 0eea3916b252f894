"""What a vault allows: a signed policy per gallery, and the rules that its own machine sets for all of them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import Fault, Unverified
from moiety.kernel import NormRule, check_threshold
from moiety.warrants.records import Record

if TYPE_CHECKING:
    from pathlib import Path

BANDS_MAX = 3
EPOCH_FIRST = 1
# Vault A names a file after the gallery, so an id may not lead out of its folder.
_GALLERY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class GalleryPolicy(Record):
    """What may be asked of one gallery.

    `model` is the SHA-256 of the embedder, `rotation` the id of the gallery's rotation, `thresholds` one to three
    rising scores (0 .. 16,129); budgets count probes, templates and erased rows per signer and hour.
    """

    DOMAIN: ClassVar[str] = "moiety/policy/1"

    tenant: str
    gallery: str
    version: int
    purpose: str
    model: bytes
    rotation: bytes
    dim: int
    thresholds: tuple[int, ...]
    needs: str
    probes_per_hour: int
    templates_per_hour: int
    erasures_per_hour: int

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
        if not _GALLERY.fullmatch(self.gallery):
            raise Unverified("The policy's gallery has no id of ours.")
        rising = all(a < b for a, b in zip(self.thresholds, self.thresholds[1:], strict=False))
        if not 1 <= len(self.thresholds) <= BANDS_MAX or not rising or self.dim not in {128, 192, 256, 512}:
            raise Unverified("The policy needs one to three rising thresholds and a dimension of 128, 192, 256 or 512.")


@dataclass(frozen=True, slots=True)
class Rules:
    """What this vault's machine allows at most, whoever signs; a file that only its operator edits."""

    service_may_open_galleries: bool = True
    threshold_min: int = 3200
    probes_per_hour_max: int = 100_000
    templates_per_hour_max: int = 1_000_000
    labels_per_hour: int = 20_000
    fields_per_hour: int = 1_000
    blinds_per_hour: int = 200_000
    wraps_per_hour: int = 1_000_000

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read the rules, writing the defaults where there are none.

        Raises:
            Fault: the file cannot be understood.

        """
        if not path.exists():
            # A crash leaves no file or the whole one.
            write_durably(path, json.dumps(asdict(cls()), indent=1).encode())
        try:
            return cls(**json.loads(path.read_bytes()))
        except (ValueError, TypeError):
            raise Fault(f"The vault's rules in {path.name!r} cannot be understood.") from None

    def check(self, policy: GalleryPolicy) -> None:
        """Hold a new policy against the rules.

        Raises:
            Unverified: it asks for more than this machine allows.

        """
        if not self.service_may_open_galleries:
            raise Unverified("This vault opens galleries only on its own machine.")
        if policy.thresholds[0] < self.threshold_min:
            raise Unverified("The lowest threshold is below what this vault allows.")
        if policy.probes_per_hour > self.probes_per_hour_max or policy.templates_per_hour > self.templates_per_hour_max:
            raise Unverified("A budget is above what this vault allows.")
