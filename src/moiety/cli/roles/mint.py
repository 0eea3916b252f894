"""The mint from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.cli.wired import Wired
from moiety.kernel import warm_up
from moiety.mint.dealer import Dealer, shared_key
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.cli.places import Place


def wire(at: Place) -> Wired:
    """Wire the mint."""
    warm_up()
    keys = (
        shared_key(at.identity.sealing, at.sealing(role), at.installation.tenant, half)
        for role, half in ((Role.VAULT_A, "a"), (Role.VAULT_B, "b"))
    )
    dealer = Dealer(*keys)
    return Wired(dealer.handlers(), streams=dealer.streams())
