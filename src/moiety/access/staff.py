"""Everything about the people who work here, over one gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moiety.access.acts import Acts
from moiety.access.approvals import Approvals
from moiety.access.identified import Identified
from moiety.access.operators import Operators, SigningPage
from moiety.access.provider import Provider
from moiety.access.sealing import Sealing
from moiety.access.sessions import DeviceSessions, Span

if TYPE_CHECKING:
    from moiety.access.keys import ApiKeys
    from moiety.access.provider import Organisation
    from moiety.matching.desk import Desk


@dataclass(frozen=True, slots=True, repr=False)
class Staff:
    """Who works here, who is signed in, and what two people stand behind."""

    operators: Operators
    sessions: DeviceSessions
    approvals: Approvals
    acts: Acts
    sign_at: str
    identified: Identified | None = None

    @classmethod
    def over(
        cls,
        desk: Desk,
        keys: ApiKeys,
        sign_at: str,
        span: Span | None = None,
        organisation: Organisation | None = None,
    ) -> Self:
        """Build it over the gate's desk; `sign_at` is the address of the witness's page."""
        sealing = Sealing(desk.secrets.binding, desk.tenant)
        operators = Operators(desk.store, desk.ledger, sealing, SigningPage.at(sign_at))
        approvals = Approvals(desk.store, desk.ledger, operators, desk.clock)
        return cls(
            operators=operators,
            sessions=DeviceSessions(desk.clock, desk.tenant, span),
            approvals=approvals,
            acts=Acts(operators, approvals, keys),
            sign_at=sign_at,
            identified=None
            if organisation is None
            else Identified(organisation, Provider(organisation, desk.clock), sealing, desk.clock),
        )
