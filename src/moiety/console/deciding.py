"""The page on which somebody is held against the person they say they are."""

from typing import Annotated

from fastapi import Query
from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.console.frame import Framed
from moiety.console.people import open_galleries

routes = Routes("verify pages")

Asked = Annotated[str, Query(pattern=r"^(gal_[a-z2-7]{16})?$")]
Whom = Annotated[str, Query(pattern=r"^(sub_[a-z2-7]{16})?$")]


@routes.add(
    "GET",
    "/verify",
    permission=Permission.PROBE_VERIFY,
    listing=True,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def verify(frame: Framed, gallery: Asked = "", subject: Whom = "") -> HTMLResponse:
    """Show the question "Is it really them?" for the galleries in which the reader may ask it."""
    galleries = await open_galleries(frame, Permission.PROBE_VERIFY)
    return frame.page("verify.html", here="verify", galleries=galleries, chosen=gallery, subject=subject)
