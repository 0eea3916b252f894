"""What somebody could ask the vaults of a test's site who has the gate's key and the eye's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.drill import forger
from moiety.kernel import quantise
from moiety.wire.kinds import Role
from parts_in_process import DIM

if TYPE_CHECKING:
    from moiety.storage import Gallery
    from parts_in_process import InProcess

Face = forger.Face


class Forger(forger.Forger):
    """Makes questions about one gallery of a site."""

    def __init__(self, site: InProcess, gallery: Gallery) -> None:
        super().__init__(site.place(Role.GATE), site.place(Role.EYE).identity.signing, site.links, gallery)


async def filled(site: InProcess, people: int = 3) -> tuple[Gallery, list[Any]]:
    """Make a gallery with people in it."""
    gallery = await site.gallery()
    persons = [site.sight.person() for _ in range(people)]
    for person in persons:
        await site.enrol(gallery, person)
    return gallery, persons


def probe(seed: int) -> Any:
    """Draw a probe i8[DIM]."""
    drawn = np.random.default_rng(seed).standard_normal(DIM)
    return quantise((drawn / np.linalg.norm(drawn)).astype(np.float32))
