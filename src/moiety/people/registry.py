"""All that is owed to a person, in one place for the API and the commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.people.access import AccessExports
from moiety.people.changing import Changing
from moiety.people.consents import Consents
from moiety.people.decoys import Decoys
from moiety.people.deploying import Deploying
from moiety.people.elsewhere import Elsewhere
from moiety.people.ends import Ends
from moiety.people.follow_ups import FollowUps
from moiety.people.holds import Holds
from moiety.people.listing import Listing
from moiety.people.moving import Moving
from moiety.people.presenting import Presenting
from moiety.people.registrar import Registrar
from moiety.people.rules import Rules

if TYPE_CHECKING:
    from moiety.matching.desk import Desk
    from moiety.people.enrol import Enroller
    from moiety.people.erase import Eraser
    from moiety.people.fields import Fields
    from moiety.people.settle import Settler


@dataclass(frozen=True, slots=True)
class Registry:
    """The services over one desk."""

    rules: Rules
    registrar: Registrar
    consents: Consents
    holds: Holds
    decoys: Decoys
    deploying: Deploying
    presenting: Presenting
    changing: Changing
    moving: Moving
    access: AccessExports
    listing: Listing
    elsewhere: Elsewhere
    ends: Ends
    follow_ups: FollowUps

    @classmethod
    def over(
        cls,
        desk: Desk,
        services: tuple[Fields, Enroller, Eraser, Settler],
    ) -> Self:
        """Build all services over `desk`."""
        fields, enroller, eraser, settler = services
        registrar = Registrar(desk, fields, enroller, settler)
        return cls(
            rules=Rules(desk),
            registrar=registrar,
            consents=Consents(desk, fields, eraser),
            holds=Holds(desk),
            decoys=Decoys(desk, registrar, enroller, eraser),
            deploying=Deploying(desk),
            presenting=Presenting(desk, fields, registrar),
            changing=Changing(desk, fields),
            moving=Moving(desk, fields, eraser),
            access=AccessExports(desk, fields),
            listing=Listing(desk, fields),
            elsewhere=Elsewhere(desk, fields, registrar),
            ends=Ends(desk),
            follow_ups=FollowUps(desk),
        )
