"""What somebody could ask the vaults of a test's site who has the gate's key and the eye's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.drill import forger
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.storage import Gallery
    from parts_in_process import InProcess

Face = forger.Face


class Forger(forger.Forger):
    """Makes questions about one gallery of a site."""

    def __init__(self, site: InProcess, gallery: Gallery) -> None:
        super().__init__(site.place(Role.GATE), site.place(Role.EYE).identity.signing, site.links, gallery)
