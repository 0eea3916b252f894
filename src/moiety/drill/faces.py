"""What only the eye ever had: embeddings of pictures, and the templates that it makes of them in a gallery."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from moiety.eye.rotations import Rotations
from moiety.foundation import settings
from moiety.kernel import quantise
from moiety.vision.eyesight import Eyesight, VisionOptions
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from moiety.drill.ground import Ground


@lru_cache(1)
def _eyes() -> Eyesight:
    """Load the models of the setting, once."""
    model, detector = settings.setting("MOIETY_MODEL"), settings.setting("MOIETY_DETECTOR")
    options = VisionOptions(
        model=model,
        detector=detector,  # type: ignore[arg-type]  # the settings table allows no other
        threads=settings.number("MOIETY_THREADS"),
        models_dir=settings.folder("MOIETY_MODELS"),
    )
    return Eyesight(options)


@lru_cache(64)
def embedding(picture: bytes) -> NDArray[np.float32]:
    """Give the embedding f32[d] of the biggest face."""
    found: NDArray[np.float32] = next(iter(_eyes().faces(picture))).embedding
    return found


def known(ground: Ground, gallery: str, pictures: Sequence[bytes]) -> NDArray[np.float64]:
    """Give the templates in a gallery, and behind them the embeddings, of pictures: f64[2 n, d]."""
    embeddings = np.stack([embedding(picture) for picture in pictures])
    query = "SELECT rotation_id FROM gallery WHERE name = ?"
    ((rotation,),) = ground.read(Role.GATE, query, gallery)
    turn = Rotations(ground.place(Role.EYE).identity.keys).matrix(bytes.fromhex(rotation), embeddings.shape[1])
    templates = np.stack([quantise(turn @ one) for one in embeddings])
    return np.concatenate([templates, embeddings]).astype(np.float64)
