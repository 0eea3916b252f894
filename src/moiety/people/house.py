"""All that the gate can do, in one place for the API, the console and the commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.ledger.checkpointing import Checkpointing
from moiety.matching.asking import Asking
from moiety.matching.galleries import Galleries
from moiety.matching.identify import Identifier
from moiety.matching.parked import Parked
from moiety.matching.verify import Verifier
from moiety.people.awaiting import Awaiting
from moiety.people.canaries import Canaries
from moiety.people.directory import Directory
from moiety.people.enrol import Enroller
from moiety.people.erase import Eraser
from moiety.people.fields import Fields
from moiety.people.looking import Looking
from moiety.people.own import Own
from moiety.people.registry import Registry
from moiety.people.retention import Retention
from moiety.people.settle import Settler

if TYPE_CHECKING:
    from moiety.matching.desk import Desk


@dataclass(frozen=True, slots=True)
class House:
    """The gate's services over one desk."""

    desk: Desk
    galleries: Galleries
    identifier: Identifier
    verifier: Verifier
    enroller: Enroller
    eraser: Eraser
    fields: Fields
    directory: Directory
    retention: Retention
    settler: Settler
    canaries: Canaries
    parked: Parked
    awaiting: Awaiting
    registry: Registry
    checkpointing: Checkpointing
    looking: Looking
    own: Own

    @classmethod
    def over(cls, desk: Desk) -> Self:
        """Build all services over `desk`."""
        asking, settler, fields = Asking(desk), Settler(desk), Fields(desk)
        eraser, enroller = Eraser(desk, settler), Enroller(desk, asking, fields, settler)
        parked = Parked(desk.clock)
        return cls(
            desk=desk,
            galleries=Galleries(desk),
            identifier=Identifier(desk, asking, settler.if_needed),
            verifier=Verifier(desk, asking, settler.if_needed),
            enroller=enroller,
            eraser=eraser,
            fields=fields,
            directory=Directory(desk),
            retention=Retention(desk, eraser),
            settler=settler,
            canaries=Canaries(desk, asking, enroller, settler),
            parked=parked,
            awaiting=Awaiting(desk, eraser, settler, parked),
            registry=Registry.over(desk, (fields, enroller, eraser, settler)),
            checkpointing=Checkpointing(
                desk.store, desk.tenant, desk.secrets.service, desk.links.witness, desk.witness
            ),
            looking=Looking(desk),
            own=Own(desk, asking),
        )

    async def settle(self) -> int:
        """At the start: finish or undo what the last run left; returns how much.

        Raises:
            PartDown: a part is away; try again when it is back.

        """
        return await self.galleries.settle() + await self.settler.everything()
