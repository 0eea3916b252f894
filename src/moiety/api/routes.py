"""Declaring routes: each one names its permission, or says in words why it is open to all. There is no third way."""

from __future__ import annotations

from asyncio import to_thread
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request

from moiety.access import Permission
from moiety.api import limits as bounds
from moiety.api.entrance import Via, Visitor, address_of
from moiety.api.forms import read_form
from moiety.api.openapi import described
from moiety.foundation.errors import UnknownGallery
from moiety.foundation.ids import GalleryId, SubjectId
from moiety.matching import vigil
from moiety.matching.desk import Asker
from moiety.storage.noted import noting
from moiety.watch import declare

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import FastAPI
    from pydantic import BaseModel
    from starlette.responses import Response
    from starlette.types import Message, Receive

    from moiety.access import Caller, RateLimiter, Staff
    from moiety.api.entrance import Access, Entrance
    from moiety.api.limits import Limits, Queue
    from moiety.api.parts import Parts
    from moiety.api.sessions import Sessions
    from moiety.api.watching import Watching
    from moiety.incidents import Incidents
    from moiety.matching.parked import Question
    from moiety.people.house import House
    from moiety.storage import Gallery

_Endpoint = TypeVar("_Endpoint", bound="Callable[..., Any]")
# One more than a gallery's name may have: a longer one finds nothing, and cut off here it finds nothing either.
NAME_CHARS_MAX: Final = 64
# The header that names the ledger's entries of what was done.
ENTRIES: Final = "Moiety-Entries"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks of its callers and of its body: JSON, a form, or none.

    A `listing` shows each caller what that one may see, so the permission for one gallery is enough to ask. A route
    `of_question` asks for the permission under which the question in its path was asked; without one in its path it
    asks who somebody is, and shows them what is their own. What `parks` may answer 202. What is `uncounted` is no part
    of anybody's rate: a page has a dozen files, all of them in memory. `also` are statuses that it may answer beside
    those of every route like it.
    """

    permission: Permission | None
    public: str
    listing: bool = False
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    of_question: bool = False
    parks: bool = False
    uncounted: bool = False
    also: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if [self.permission is not None, bool(self.public), self.of_question].count(True) != 1:
            raise TypeError("A route names a permission, or else the reason why it needs none.")

    @property
    def pictures(self) -> frozenset[str]:
        """Names of the form's parts that are pictures."""
        fields = self.form.model_fields if self.form else {}
        return frozenset(name for name, one in fields.items() if one.annotation is bytes)


@dataclass(frozen=True, slots=True, repr=False)
class Gate:
    """What the routes of one application share."""

    house: House
    access: Access
    entrance: Entrance
    sessions: Sessions
    limits: Limits
    limiter: RateLimiter
    queue: Queue
    parts: Parts[bool]
    sign_at: str
    watching: Watching
    staff: Staff
    incidents: Incidents


@dataclass(slots=True, repr=False)
class Visit:
    """One request after it was let in; `visitor`, `gallery` and `question` are None where the route asks for none."""

    gate: Gate
    visitor: Visitor | None = None
    gallery: Gallery | None = None
    question: Question | None = None
    form: dict[str, bytes | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """One declared route."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    rule: Rule
    options: dict[str, Any]


class Routes:
    """The routes of one module, declared with `add` and put onto an application with `mount`."""

    def __init__(self, tag: str) -> None:
        """Group them under `tag` in the API's description."""
        self._tag = tag
        self._specs: list[Spec] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        permission: Permission | None = None,
        public: str = "",
        listing: bool = False,
        body: type[BaseModel] | None = None,
        form: type[BaseModel] | None = None,
        of_question: bool = False,
        parks: bool = False,
        uncounted: bool = False,
        also: frozenset[int] = frozenset(),
        **options: Any,
    ) -> Callable[[_Endpoint], _Endpoint]:
        """Declare the decorated function as the answer to `method` at `path`; `options` are those of `APIRoute`.

        Raises:
            TypeError: not exactly one of `permission`, `public` and `of_question` is given.

        """
        rule = Rule(permission, public, listing, body, form, of_question, parks, uncounted, also)

        def declare(endpoint: _Endpoint) -> _Endpoint:
            self._specs.append(Spec(method, path, endpoint, rule, options))
            return endpoint

        return declare

    def guarded(self) -> list[tuple[str, str]]:
        """Give method and address of those that ask who is there."""
        return [(spec.method, spec.path) for spec in self._specs if not spec.rule.public]

    def mount(self, app: FastAPI, gate: Gate) -> None:
        """Put all of them onto `app`, each behind its guard."""
        for spec in self._specs:
            app.router.routes.append(GuardedRoute(spec, gate, self._tag))


class GuardedRoute(APIRoute):
    """A route that lets nobody in before its rule is kept; the body is read only after that."""

    def __init__(self, spec: Spec, gate: Gate, tag: str) -> None:
        """Build the route of `spec` for the application of `gate`."""
        self.rule = spec.rule
        self.gate = gate
        declare("route", [spec.path])
        extra, responses = described(spec.rule, spec.path)
        super().__init__(
            spec.path,
            spec.endpoint,
            methods=[spec.method],
            tags=[tag],
            openapi_extra=extra,
            responses=responses,
            operation_id=spec.endpoint.__name__,
            **spec.options,
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guard in front of the handler."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            visit = Visit(self.gate)
            request.state.visit = visit
            await self._let_in(request, visit)
            async with AsyncExitStack() as stack:
                if self.rule.pictures:
                    await stack.enter_async_context(self.gate.queue.place())
                body = await self._read(request, visit)
                if self.rule.pictures:
                    await stack.enter_async_context(self.gate.queue.turn())
                with noting() as entries:
                    response = await handler(Request(request.scope, _again(body, request.receive)))
                if entries and response.status_code < 300:  # noqa: PLR2004 - RFC 9110, 15.3: it was done
                    response.headers[ENTRIES] = " ".join(map(str, entries))
                return response

        return guarded

    async def _let_in(self, request: Request, visit: Visit) -> None:
        """Recognise the caller, count the request, and check the permission, in this gallery if it names one.

        Raises:
            Unauthenticated, Forbidden, RateLimited: the caller may not, or not now.
            UnknownGallery: the caller may, and there is no such gallery.

        """
        permission, limiter = self.rule.permission, self.gate.limiter
        if self.rule.uncounted:
            return
        if self.rule.public:
            limiter.spend(address_of(request), bounds.FOR_STRANGER)
            return
        visit.visitor = await self.gate.entrance.admit(request)
        caller = visit.visitor.caller
        limiter.spend(caller.key_id, _rate_of(visit.visitor.via))
        if permission is None:
            self._find_question(request, visit, caller)
            return
        name = request.path_params.get("gallery")
        if name is None:
            if self.rule.listing:
                caller.visible(permission, ())
            else:
                caller.require(permission)
            return
        visit.gallery = await self._gallery(str(name), visit.visitor, permission)
        await self._leave_decoys_alone(request, visit.gallery, caller)

    async def _leave_decoys_alone(self, request: Request, gallery: Gallery, caller: Caller) -> None:
        """Lock whoever does anything about a person who is nobody; lists and pages, which show everybody, are no touch.

        Raises:
            Locked: nobody has a reason to.

        """
        subject = request.path_params.get("subject")
        if subject is not None and request.method != "GET":
            asker, desk = Asker(caller.key_id, ""), self.gate.house.desk
            await to_thread(vigil.check_decoys, desk, gallery, asker, [SubjectId(subject)])

    def _find_question(self, request: Request, visit: Visit, caller: Caller) -> None:
        """Find the question that the path names, and check the permission under which it was asked.

        Raises:
            NotFound: it is not here.
            Forbidden: the caller may not ask such a thing in that gallery.

        """
        name = request.path_params.get("question")
        if name is not None:
            visit.question = self.gate.house.parked.get(str(name))
            owner = visit.question.owner
            caller.require(Permission(owner.permission), GalleryId(owner.gallery))

    async def _gallery(self, name: str, visitor: Visitor, permission: Permission) -> Gallery:
        """Find the gallery by name or id; who may not see all of them does not learn which there are."""
        caller = visitor.caller
        caller.visible(permission, ())
        try:
            gallery = await self.gate.house.galleries.get(name[:NAME_CHARS_MAX])
        except UnknownGallery:
            caller.require(permission)
            raise
        caller.require(permission, gallery.id)
        return gallery

    async def _read(self, request: Request, visit: Visit) -> bytes:
        """Read what body the rule allows: a form is taken apart here, JSON is left to the framework.

        Raises:
            HTTPException: the body is too large, too slow or of another type.
            BadInput, ImageTooLarge: the form is not as it must be.

        """
        bound = self.gate.limits
        wanted = self.rule.form or self.rule.body
        if wanted is None:
            _proved(visit, b"")
            return b""
        kind = request.headers.get("content-type", "")
        if kind.partition(";")[0].strip().lower() != ("multipart/form-data" if self.rule.form else "application/json"):
            raise HTTPException(415)
        pictures = self.rule.pictures
        most = bound.json_bytes + len(pictures) * bound.image_bytes
        body = await bounds.read_body(request, most, bound.body_seconds, pictures=bool(pictures))
        _proved(visit, body)
        if self.rule.form is None:
            return body
        visit.form = read_form(kind, body, pictures, bound.image_bytes, bound.json_bytes)
        return b""


def _rate_of(via: Via) -> str:
    """Name the bucket of a caller: programs and people have one rate, the owner, who enrols in bulk, another."""
    return bounds.FOR_KEY if via in {Via.KEY, Via.DEVICE} else bounds.FOR_OWNER


def _proved(visit: Visit, body: bytes) -> None:
    """Check that an operator's device signed this very body."""
    if visit.visitor is not None:
        visit.visitor.check_body(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the framework the body that was read already, and after it what the connection says."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
