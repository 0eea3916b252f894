"""What goes in and comes out about people who work here: operators, sessions, approvals."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from moiety.access.kinds import KINDS, OWN
from moiety.api.schemas import Given, Reason, Taken

_ROLE: Final = r"^[a-z-]{1,40}(@gal_[a-z2-7]{16})?$"
_ELSEWHERE: Final = "|".join(name for name in KINDS if name not in OWN)

Base64 = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,16384}$"),
    Field(repr=False, description="Bytes in base64url, without padding."),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Roles = Annotated[
    list[Annotated[str, StringConstraints(pattern=_ROLE)]],
    Field(min_length=1, max_length=16, examples=[["officer"]]),
]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$"), Field(repr=False)]


# ---- roles and operators ----


class RoleSeen(Given):
    """A role: what it may, and in words what it can not."""

    name: str
    permissions: list[str]
    can_not: list[str]
    narrowable: bool
    alone: bool


class RoleList(Given):
    """All roles; there are no others."""

    roles: list[RoleSeen]


class OperatorSeen(Given):
    """Somebody who works here."""

    id: str
    name: str
    state: str
    roles: list[str]
    passkeys: int
    sessions: int
    created_at: datetime
    disabled_at: datetime | None


class OperatorList(Given):
    """Everybody who works here or did, oldest first."""

    operators: list[OperatorSeen]


class InviteBody(Taken):
    """Somebody who shall work here."""

    name: Name
    roles: Roles
    reason: Reason


class RolesBody(Taken):
    """Other roles for somebody, in the place of those before."""

    roles: Roles
    reason: Reason


class ReasonBody(Taken):
    """A reason alone."""

    reason: Reason


class KeyProposal(Taken):
    """A program's key with scopes that its maker does not hold; a second person approves it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    scopes: Annotated[list[Annotated[str, StringConstraints(max_length=80)]], Field(min_length=1, max_length=64)]
    days: Annotated[int, Field(ge=1, le=3650)]
    reason: Reason


class WayIn(Given):
    """A link by which somebody makes a passkey: open `path` at the gate; it works once, for a day."""

    operator: str
    path: Annotated[str, Field(repr=False)]


class Ended(Given):
    """How many sessions were ended."""

    ended: int


# ---- signing in ----


class Elsewhere(Given):
    """Where to go on."""

    address: str


class Begin(Taken):
    """The raw Ed25519 public key of this device."""

    key: Base64


class Begun(Given):
    """What a passkey is to sign, at `sign_at`."""

    record: str
    sign_at: str


class SignedBody(Taken):
    """What the signing page gave: the record, the passkey's credential id, and its assertion."""

    record: Base64
    signer: Base64
    value: Base64


class Opened(Given):
    """A session: its id stands in each proof; `time` is the gate's clock in milliseconds since 1970."""

    session: str
    time: int
    ends_at: datetime
    idle_seconds: int


class Me(Given):
    """Who is signed in."""

    id: str
    name: str
    roles: list[str]
    permissions: list[str]
    passkeys: list[str]
    passkeys_wanted: int
    ends_at: datetime
    idle_seconds: int


class CodeBody(Taken):
    """The secret of a link."""

    code: Code


class JoinBegun(Given):
    """Who is invited, and the challenge of the passkey that is to be made at `register_at`."""

    record: str
    register_at: str
    name: str
    roles: list[str]


class JoinBody(Taken):
    """A new passkey, as the signing page gave it; `name` where whoever invited gave none."""

    code: Code
    record: Base64
    authenticator_data: Base64
    client_data: Base64
    name: Annotated[str, StringConstraints(max_length=100)] = ""


class PasskeyBody(Taken):
    """A further passkey, as the signing page gave it."""

    record: Base64
    authenticator_data: Base64
    client_data: Base64


class PasskeyCount(Given):
    """How many passkeys there are now."""

    passkeys: int


# ---- approvals ----


class FactSeen(Given):
    """One line of what is approved."""

    name: str
    value: str


class FactGiven(Taken):
    """One line of what is proposed."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9 _-]{0,39}$")]
    value: Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class ProposalBody(Taken):
    """An act that is carried out where it is needed, once a second person has signed it."""

    kind: Annotated[str, StringConstraints(pattern=f"^({_ELSEWHERE})$")]
    facts: Annotated[list[FactGiven], Field(min_length=1, max_length=64)]
    gallery: Annotated[str, StringConstraints(pattern=r"^(gal_[a-z2-7]{16})?$")] = ""
    reason: Reason


class ApprovalSeen(Given):
    """An act that two people stand behind. `may_sign`: the caller could be the second person."""

    id: str
    kind: str
    state: str
    proposer: str
    proposer_name: str
    approver: str | None
    approver_name: str
    gallery: str
    facts: list[FactSeen]
    reason: str
    digest: str
    created_at: datetime
    expires_at: datetime
    sign_at: str


class ApprovalList(Given):
    """The newest hundred, newest first."""

    approvals: list[ApprovalSeen]


class ApprovalMaterial(Given):
    """What the signing page takes; names are the gate's word and no part of what is signed."""

    moiety: str
    id: str
    content: str
    proposer_name: str


class ApprovalSigned(Taken):
    """What the signing page gave."""

    signer: Base64
    value: Base64


class CarriedOut(Given):
    """What was done, and what came of it; secrets in it are shown this once."""

    approval: ApprovalSeen
    result: Annotated[dict[str, str], Field(repr=False)]
