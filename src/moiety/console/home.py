"""The first page: what needs its reader now, and where to go."""

from starlette.responses import HTMLResponse

from moiety.api.routes import Routes
from moiety.console.frame import Frame

routes = Routes("home")


async def show(frame: Frame) -> HTMLResponse:
    """Show the first page to whoever is signed in."""
    return frame.page("home.html", here="home")
