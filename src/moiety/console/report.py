"""The annual report as a page."""

from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.routes import Routes
from moiety.api.visits import TheHouse
from moiety.api.yearly import Asked, counted
from moiety.console.frame import Framed

routes = Routes("report")


@routes.add("GET", "/report", permission=Permission.LEDGER_READ, response_class=HTMLResponse, include_in_schema=False)
async def report(frame: Framed, house: TheHouse, year: Asked = None) -> HTMLResponse:
    """Show what was done in a year, by purpose."""
    return frame.page("report.html", here="report", report=await counted(house, year))
