"""The frame around every page: who reads it, in which language, and where they may go from here.

A page's handler takes `frame: Framed` and ends with `return frame.page("people.html", here="people", …)`.
"""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from moiety.access import Caller, Permission
from moiety.api.entrance import Via
from moiety.api.routes import Visit
from moiety.console.languages import language_of, translations
from moiety.console.navigation import Ways, ways
from moiety.console.templates_of import page
from moiety.foundation.errors import Forbidden, Unauthenticated
from moiety.foundation.ids import GalleryId


class Frame:
    """One page that is about to be shown."""

    def __init__(self, request: Request, visit: Visit | None = None) -> None:
        """Frame the answer to `request`; without a visit, or before anybody is recognised, nothing is offered."""
        self.request = request
        self._visit = visit
        self.language = language_of(request)

    @property
    def visit(self) -> Visit:
        """Give the visit.

        Raises:
            Unauthenticated: the page is shown beside any.

        """
        if self._visit is None:
            raise Unauthenticated
        return self._visit

    @property
    def caller(self) -> Caller:
        """Give who reads.

        Raises:
            Unauthenticated: nobody is recognised.

        """
        if self.visit.visitor is None:
            raise Unauthenticated
        return self.visit.visitor.caller

    def may(self, permission: Permission | str, gallery: GalleryId | None = None) -> bool:
        """Whether the reader has a permission: in this gallery, or anywhere if none is named."""
        asked = Permission(permission)
        try:
            if gallery is None:
                self.caller.visible(asked, ())
            else:
                self.caller.require(asked, gallery)
        except (Forbidden, Unauthenticated):
            return False
        return True

    def there(self, address: str) -> bool:
        """Whether this application has a page at an address without parameters."""
        return address in _addresses(self.request)

    def say(self, words: str, **values: object) -> str:
        """Translate words that `_` or `N_` marked, and put values in at `%(name)s`."""
        said = translations(self.language).gettext(words)
        return said % values if values else said

    def say_many(self, one: str, many: str, count: int) -> str:
        """Translate words that speak of a number, `%(num)s` in them."""
        return translations(self.language).ngettext(one, many, count) % {"num": count}

    def page(self, name: str, status: int = 200, here: str = "", **values: object) -> HTMLResponse:
        """Render a template of the console inside the frame; `here` is the key of its place in the navigation."""
        signed_in = self._visit is not None and self._visit.visitor is not None
        shown: Ways | None = ways(self.caller, _addresses(self.request)) if signed_in else None
        mine = signed_in and self.visit.visitor is not None and self.visit.visitor.via is Via.DEVICE
        return page(
            name,
            status,
            self.language,
            **values,
            here=here,
            ways=shown,
            mine=mine,
            may=self.may,
            address=self.request.url.path,
            sign_at=self._visit.gate.sign_at if self._visit else "",
        )


def _addresses(request: Request) -> Collection[str]:
    """Give the addresses without parameters that this application answers."""
    app: Any = request.app
    found: frozenset[str] | None = getattr(app.state, "addresses", None)
    if found is None:
        found = frozenset(one.path for one in app.routes if isinstance(one, Route))
        app.state.addresses = found
    return found


async def frame_of(request: Request) -> Frame:
    """Frame the answer to a request that was let in."""
    return Frame(request, request.state.visit)


Framed = Annotated[Frame, Depends(frame_of)]
