"""Signing in: a passkey on the witness's page, a session for one device; joining, and one's own passkeys."""

import asyncio
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from moiety.access import Permission
from moiety.access.device_proofs import from_text, to_text
from moiety.access.operators import Registration, Signed, grants_of
from moiety.access.papers import Joining, SignIn
from moiety.access.roles import scopes_of
from moiety.access.sessions import NONCE_BYTES, Session
from moiety.access.spares import PASSKEYS_WANTED
from moiety.api.entrance import cookie_name, organisation_cookie
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.staff_schemas import (
    Begin,
    Begun,
    CodeBody,
    JoinBegun,
    JoinBody,
    Me,
    Opened,
    PasskeyBody,
    PasskeyCount,
    SignedBody,
)
from moiety.api.visits import Here
from moiety.foundation.errors import BadInput, Forbidden, Unauthenticated, Unavailable, Unverified
from moiety.foundation.ids import OperatorId
from moiety.ledger import Kind as Record

routes = Routes("session")

JOIN_SECONDS = 600
MILLISECONDS = 1000


def origin_of(request: Request) -> str:
    """Give the origin of our own page that asks; the browser's word, and the host is one that we answer to.

    Raises:
        Forbidden: another page asks, or no page.

    """
    origin = request.headers.get("origin", "")
    if urlsplit(origin).netloc != request.headers.get("host") or request.headers.get("x-moiety") != "1":
        raise Forbidden("Only the console's own pages sign in.")
    return origin


def _page_needed(visit: Here) -> str:
    """Give the address of the signing page.

    Raises:
        Unavailable: the gate does not know it.

    """
    if not visit.gate.sign_at:
        raise Unavailable("The address of the signing page is not set here (MOIETY_WITNESS_ORIGIN).")
    return visit.gate.sign_at


def _me(visit: Here) -> Session:
    """Give the operator's session.

    Raises:
        Forbidden: the caller is no operator.

    """
    if visit.visitor is None or visit.visitor.session is None:
        raise Forbidden("Only somebody who signed in with a passkey has this.")
    return visit.visitor.session


@routes.add(
    "POST",
    "/v1/session/begin",
    public="begins a sign-in; whoever cannot sign with a passkey gets no further",
    body=Begin,
    include_in_schema=False,
)
async def begin_session(request: Request, body: Begin, visit: Here) -> Begun:
    """Write down what a passkey is to sign for this device."""
    sign_at, gate = _page_needed(visit), origin_of(request)
    paper = visit.gate.staff.sessions.begin(from_text(body.key), gate)
    return Begun(record=to_text(paper.encode()), sign_at=sign_at)


@routes.add(
    "POST",
    "/v1/session",
    public="opens a session for whoever signed with a passkey",
    body=SignedBody,
    status_code=201,
    include_in_schema=False,
)
async def open_session(request: Request, body: SignedBody, visit: Here) -> Response:
    """Open a session for the device whose key was signed."""
    staff, gate = visit.gate.staff, origin_of(request)
    try:
        paper = SignIn.decode(from_text(body.record))
    except Unverified:
        raise BadInput("This is no sign-in.") from None
    if paper.gate != gate:
        raise Forbidden("This was signed for another address than this one.")
    staff.sessions.spend(paper)
    told_by = request.cookies.get(organisation_cookie(request), "")
    mark = staff.identified.must_be_known(told_by) if staff.identified else None
    signed = Signed(from_text(body.signer), from_text(body.value))
    operator = await asyncio.to_thread(staff.operators.signed_by, signed, paper.digest())
    kills = await visit.gate.entrance.follow()
    await asyncio.to_thread(staff.operators.may_enter, operator)
    if staff.identified and mark is not None:
        await asyncio.to_thread(staff.operators.recognise, operator.id, mark)
        staff.identified.forget(told_by)
    await asyncio.to_thread(_note, visit, "sign-in", operator.id)
    visit.gate.entrance.must_stand(kills)
    # Whoever signs in anew on a device leaves the session that it had.
    visit.gate.entrance.leave(request)
    secret, made = staff.sessions.open(operator.id, paper)
    told = Opened(
        session=made.id,
        time=int(visit.gate.house.desk.clock.now() * MILLISECONDS),
        ends_at=moment(made.ends_at),
        idle_seconds=int(staff.sessions.span.idle_s),
    )
    response = JSONResponse(told.model_dump(mode="json"), 201)
    secure = request.url.scheme == "https" or gate.startswith("https://")
    response.set_cookie(cookie_name(request), secret, httponly=True, samesite="strict", secure=secure)
    return response


def _note(visit: Here, act: str, operator_id: OperatorId) -> None:
    """Write into the ledger who came in."""
    desk = visit.gate.house.desk
    with desk.store.begin() as tx:
        # A crash after the commit leaves an entry of somebody whose session went with the process.
        desk.ledger.append(tx, Record.CONSULTATION, act, actor=operator_id, purpose="who works here")


@routes.add("GET", "/v1/session", permission=Permission.SELF, summary="Who am I")
async def show_session(visit: Here) -> Me:
    """Say who is signed in, what they may, and whether a second passkey is missing."""
    session, staff = _me(visit), visit.gate.staff
    operator = await asyncio.to_thread(staff.operators.get, session.operator_id)
    passkeys = await asyncio.to_thread(staff.operators.passkeys, session.operator_id)
    grants = grants_of(operator)
    return Me(
        id=operator.id,
        name=staff.operators.sealing.name_of(operator),
        roles=[str(grant) for grant in grants],
        permissions=sorted(str(scope) for scope in scopes_of(grants)),
        passkeys=[to_text(one.credential) for one in passkeys],
        passkeys_wanted=PASSKEYS_WANTED,
        ends_at=moment(session.ends_at),
        idle_seconds=int(staff.sessions.span.idle_s),
    )


# ---- joining ----


def _joining(request: Request, visit: Here, operator_id: str) -> Joining:
    """Write down what a new passkey is made for."""
    desk = visit.gate.house.desk
    expires = int(desk.clock.now()) + JOIN_SECONDS
    nonce = visit.gate.staff.operators.challenge(operator_id, expires)
    return Joining(origin_of(request), desk.tenant, operator_id, nonce, expires)


def _joined(request: Request, visit: Here, text: str) -> Joining:
    """Read back what `_joining` wrote.

    Raises:
        Unauthenticated: it was not written here, or too long ago.

    """
    try:
        paper = Joining.decode(from_text(text))
    except Unverified:
        raise BadInput("This is no challenge of this gate.") from None
    known = visit.gate.staff.operators.challenge(paper.operator, paper.expires)
    late = paper.expires <= visit.gate.house.desk.clock.now()
    if late or paper.nonce != known or len(known) != NONCE_BYTES or paper.gate != origin_of(request):
        raise Unauthenticated("Making the passkey took too long; begin again.")
    return paper


@routes.add(
    "POST",
    "/v1/join/begin",
    public="shows an invitation to whoever has its link, which is a secret of its own",
    body=CodeBody,
    include_in_schema=False,
)
async def begin_join(request: Request, body: CodeBody, visit: Here) -> JoinBegun:
    """Say whose link this is, and what the new passkey is made for."""
    sign_at, operators = _page_needed(visit), visit.gate.staff.operators
    operator = await asyncio.to_thread(operators.waiting, body.code)
    return JoinBegun(
        record=to_text(_joining(request, visit, operator.id).encode()),
        register_at=sign_at.removesuffix("/sign") + "/register",
        name=operators.sealing.name_of(operator),
        roles=list(operator.roles),
    )


@routes.add(
    "POST",
    "/v1/join",
    public="spends an invitation's link, which is a secret of its own, for a passkey",
    body=JoinBody,
    status_code=201,
    include_in_schema=False,
)
async def join(request: Request, body: JoinBody, visit: Here) -> PasskeyCount:
    """Make the first passkey of somebody who was invited, or who comes back by two colleagues' word."""
    paper = _joined(request, visit, body.record)
    made = Registration(from_text(body.authenticator_data), from_text(body.client_data))
    staff = visit.gate.staff
    operator_id = await asyncio.to_thread(staff.operators.join, body.code, paper, made, body.name)
    staff.sessions.end_all(operator_id)
    return PasskeyCount(passkeys=1)


# ---- one's own passkeys ----


@routes.add("POST", "/v1/session/passkeys/begin", permission=Permission.SELF, summary="Begin a further passkey")
async def begin_passkey(request: Request, visit: Here) -> JoinBegun:
    """Write down what a further passkey is made for; within ten minutes of a sign-in."""
    session, staff, sign_at = _me(visit), visit.gate.staff, _page_needed(visit)
    staff.sessions.must_be_fresh(session)
    operator = await asyncio.to_thread(staff.operators.get, session.operator_id)
    return JoinBegun(
        record=to_text(_joining(request, visit, operator.id).encode()),
        register_at=sign_at.removesuffix("/sign") + "/register",
        name=staff.operators.sealing.name_of(operator),
        roles=list(operator.roles),
    )


@routes.add(
    "POST",
    "/v1/session/passkeys",
    permission=Permission.SELF,
    body=PasskeyBody,
    status_code=201,
    summary="Add a passkey",
)
async def add_passkey(request: Request, body: PasskeyBody, visit: Here) -> PasskeyCount:
    """Add a further passkey; within ten minutes of a sign-in."""
    session, staff = _me(visit), visit.gate.staff
    staff.sessions.must_be_fresh(session)
    paper = _joined(request, visit, body.record)
    made = Registration(from_text(body.authenticator_data), from_text(body.client_data))
    return PasskeyCount(passkeys=await asyncio.to_thread(staff.operators.add_passkey, session.operator_id, paper, made))


@routes.add("DELETE", "/v1/session/passkeys/{passkey}", permission=Permission.SELF, summary="Remove a passkey")
async def drop_passkey(passkey: str, visit: Here) -> PasskeyCount:
    """Remove one of one's own passkeys, never the last, and end one's other sessions; within ten minutes of a sign-in.

    A passkey goes because it was lost: whoever found it may have signed in with it.
    """
    session, staff = _me(visit), visit.gate.staff
    staff.sessions.must_be_fresh(session)
    await asyncio.to_thread(staff.operators.drop_passkey, session.operator_id, from_text(passkey))
    staff.sessions.end_all(session.operator_id, but=session)
    left = await asyncio.to_thread(staff.operators.passkeys, session.operator_id)
    return PasskeyCount(passkeys=len(left))
