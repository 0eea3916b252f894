"""The first page: what needs its reader now, the first steps of a new organisation, and where to go."""

from starlette.responses import HTMLResponse

from moiety.api.routes import Routes
from moiety.console import needs, welcome
from moiety.console.frame import Frame

routes = Routes("home")


async def show(frame: Frame) -> HTMLResponse:
    """Show the first page to whoever is signed in."""
    found, path = await needs.needs(frame), await welcome.path(frame)
    return frame.page("home.html", here="home", needs=found, path=path)
