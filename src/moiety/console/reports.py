"""The inbox for strangers: the public form, the answer to whoever has its secret, and the pages of those who answer.

The form is plain HTML, so that it works without scripts; nothing of the sender is kept but what the text says.
"""

import asyncio
from typing import Annotated, Any

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import HTMLResponse

from moiety.access import Permission
from moiety.api.reports import FORM, spend_answer, spend_report
from moiety.api.routes import Routes
from moiety.api.schemas import Taken
from moiety.api.visits import TheCaller, form_of
from moiety.console.frame import Frame, Framed
from moiety.foundation.errors import BadInput, NotFound, RateLimited, TooMany
from moiety.incidents.reports import ANSWER_CHARS_MAX, CONTACT_CHARS_MAX, TEXT_CHARS_MAX, Reports

routes = Routes("console")
LINES_PER_CHAR = 2  # browsers write each line's end as two characters


class ReportForm(Taken):
    """What the public form holds."""

    text: Annotated[str, StringConstraints(max_length=LINES_PER_CHAR * TEXT_CHARS_MAX)]
    contact: Annotated[str, StringConstraints(max_length=CONTACT_CHARS_MAX)] = ""


class LookUpForm(Taken):
    """Number and secret."""

    number: Annotated[str, StringConstraints(max_length=64)]
    secret: Annotated[str, StringConstraints(max_length=100)]


def _reports(frame: Frame) -> Reports:
    return frame.visit.gate.incidents.reports


async def _shown(frame: Frame, status: int = 200, **more: Any) -> HTMLResponse:
    """Show the form with the public clock, and what came of it."""
    clock = await asyncio.to_thread(_reports(frame).clock)
    given: dict[str, Any] = {"taken": None, "answer": None, "trouble": "", "text": "", "contact": ""}
    return frame.page("hole.html", status, clock=clock, text_max=TEXT_CHARS_MAX, **(given | more))


@routes.add(
    "GET",
    FORM,
    public="lets strangers report a hole, without an account, and shows how many reports wait too long",
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def report_page(frame: Framed) -> HTMLResponse:
    """Show the form for strangers."""
    return await _shown(frame)


@routes.add(
    "POST",
    FORM,
    public="takes a report of a hole from anybody: text alone, few from one network, and nothing of the sender is kept",
    form=ReportForm,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def take_report(request: Request, frame: Framed) -> HTMLResponse:
    """Take a report, and show its number and secret once."""
    given = form_of(frame.visit, ReportForm)
    text = given.text.replace("\r\n", "\n")
    try:
        spend_report(request, frame.visit)
        taken = await asyncio.to_thread(_reports(frame).receive, text, given.contact)
    except (BadInput, TooMany) as error:
        status = 400 if isinstance(error, BadInput) else 429
        shown = await _shown(frame, status, trouble=str(error), text=text, contact=given.contact)
        if isinstance(error, RateLimited):
            shown.headers["Retry-After"] = str(error.wait_s)
        return shown
    return await _shown(frame, 201, taken=taken)


@routes.add(
    "POST",
    FORM + "/answer",
    public="gives the answer to a report to whoever has its secret",
    form=LookUpForm,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def answer_page(request: Request, frame: Framed) -> HTMLResponse:
    """Show the answer to a report, if there is one."""
    spend_answer(request, frame.visit)
    given = form_of(frame.visit, LookUpForm)
    try:
        found = await asyncio.to_thread(_reports(frame).look_up, given.number.strip(), given.secret.strip())
    except NotFound as error:
        return await _shown(frame, 404, trouble=str(error))
    return await _shown(frame, answer=found)


# ---- for those who answer ----


@routes.add("GET", "/reports", permission=Permission.REPORT_READ, response_class=HTMLResponse, include_in_schema=False)
async def reports_page(frame: Framed) -> HTMLResponse:
    """List the reports, unopened."""
    found, clock = await asyncio.to_thread(_reports(frame).list), await asyncio.to_thread(_reports(frame).clock)
    return frame.page("reports.html", here="reports", reports=found, clock=clock)


@routes.add(
    "GET",
    "/reports/{number}",
    permission=Permission.REPORT_READ,
    response_class=HTMLResponse,
    include_in_schema=False,
)
async def one_report_page(number: str, frame: Framed, caller: TheCaller) -> HTMLResponse:
    """Open a report; who did is in the ledger first."""
    one = await asyncio.to_thread(_reports(frame).read, number, caller)
    return frame.page("one-report.html", here="reports", one=one, answer_max=ANSWER_CHARS_MAX)
