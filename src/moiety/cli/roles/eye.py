"""The eye from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.cli.wired import Wired
from moiety.eye.canaries import MadeUp
from moiety.eye.halver import Halver
from moiety.eye.rotations import Rotations
from moiety.eye.service import Eye, Model
from moiety.foundation import settings
from moiety.matching.thresholds import FMR_DEFAULT, SCORE_OF_ONE, bands
from moiety.vision.eyesight import Eyesight, VisionOptions
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.cli.places import Place


def wire(at: Place) -> Wired:
    """Wire the eye."""
    sight = Eyesight(
        VisionOptions(
            model=settings.setting("MOIETY_MODEL"),
            runtime=settings.setting("MOIETY_RUNTIME"),  # type: ignore[arg-type]  # the settings table allows no other
            threads=settings.number("MOIETY_THREADS"),
            detector=settings.setting("MOIETY_DETECTOR"),  # type: ignore[arg-type]  # as above
            liveness=settings.setting("MOIETY_LIVENESS") == "on",
            models_dir=settings.folder("MOIETY_MODELS"),
        )
    )
    card = sight.model
    cosines = tuple(score / SCORE_OF_ONE for score in bands(card.thresholds, FMR_DEFAULT).values())
    model = Model(card.name, bytes.fromhex(card.sha256), card.dim, card.thresholds, cosines)
    rotations = Rotations(at.identity.keys)
    vaults = (at.sealing(Role.VAULT_A), at.sealing(Role.VAULT_B))
    halver = Halver(rotations, at.identity.signing, vaults, at.clock)
    made_up = MadeUp(at.identity.keys.secret("canary.key"), model.sha256, model.dim, halver)
    return Wired({**Eye(sight, model, rotations, halver).handlers(), **made_up.handlers()})
