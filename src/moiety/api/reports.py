"""The inbox for strangers who found a hole, and `security.txt`, which tells them of it."""

import asyncio
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from moiety.access import Permission
from moiety.api.entrance import LOCAL_HOSTS, address_of, network_of
from moiety.api.incident_schemas import (
    AnswerBody,
    ReportAnswer,
    ReportBody,
    ReportClock,
    ReportLine,
    ReportList,
    ReportLookUp,
    ReportSeen,
    ReportTaken,
)
from moiety.api.limits import FOR_ANSWER, FOR_REPORT, FOR_REPORT_ALL, FOR_REPORT_FIRST, FOR_REPORT_NEAR, FOR_REPORT_NEW
from moiety.api.routes import Routes
from moiety.api.schemas import moment, moment_or_none
from moiety.api.visits import Here, TheCaller
from moiety.foundation import settings
from moiety.foundation.errors import RateLimited
from moiety.incidents.reports import Clock, Opened, another_way

routes = Routes("reports")
ALL = "/v1/reports"
ONE = ALL + "/{number}"
FORM = "/report-a-hole"
# RFC 9116, section 2.5.5: less than a year ahead. It is written anew at each request, so it is never in the past.
EXPIRES = timedelta(days=180)


def security_txt(base: str, now: float) -> str:
    """Write the file (RFC 9116) for a gate that is reached at `base`, such as `https://gate.example.org`."""
    contact = settings.setting("MOIETY_SECURITY_CONTACT") or base + FORM
    expires = datetime.fromtimestamp(int(now), UTC).replace(hour=0, minute=0, second=0) + EXPIRES
    lines = [
        f"Contact: {contact}",
        f"Expires: {expires.strftime('%Y-%m-%dT%H:%M:%SZ')}",
        f"Preferred-Languages: {settings.setting('MOIETY_SECURITY_LANGUAGES')}",
    ]
    policy = settings.setting("MOIETY_SECURITY_POLICY")
    return "\n".join([*lines, *([f"Policy: {policy}"] if policy else [])]) + "\n"


def base_of(request: Request) -> str:
    """Say how this gate was reached; the host is one that it answers to, and only at home it is plain HTTP."""
    scheme = request.url.scheme if request.url.hostname in LOCAL_HOSTS else "https"
    return f"{scheme}://{request.url.netloc}"


@routes.add(
    "GET",
    "/.well-known/security.txt",
    public="tells strangers where they report a hole (RFC 9116)",
    response_class=PlainTextResponse,
    include_in_schema=False,
)
async def read_security_txt(request: Request, visit: Here) -> PlainTextResponse:
    """Give `security.txt`."""
    return PlainTextResponse(security_txt(base_of(request), visit.gate.house.desk.clock.now()))


def clock_seen(one: Clock) -> ReportClock:
    """Show how long reports wait."""
    return ReportClock(waiting=one.waiting, overdue=one.overdue, days=one.days, oldest_at=moment_or_none(one.oldest_at))


def spend_answer(request: Request, visit: Here) -> None:
    """Count who asks for an answer, by address and in memory alone; raises `RateLimited`."""
    visit.gate.limiter.spend(address_of(request), FOR_ANSWER)


def spend_report(request: Request, visit: Here) -> None:
    """Count a report, by address and network and in memory alone.

    Raises:
        RateLimited: the sender, their network or all together sent too many; it says how else they are heard.

    """
    near = network_of(request)
    sender = [(address_of(request), FOR_REPORT), (near, FOR_REPORT_NEAR)]
    limiter = visit.gate.limiter
    try:
        limiter.spend_all([*sender, (ALL, FOR_REPORT_ALL)])
    except RateLimited:
        try:
            limiter.spend_all([*sender, (near, FOR_REPORT_FIRST), (ALL, FOR_REPORT_NEW)])
        except RateLimited as full:
            said = f"The inbox takes no further report from here for {full.wait_s} s; {another_way()}."
            raise RateLimited(said, wait_s=full.wait_s) from None


@routes.add(
    "POST",
    ALL,
    public="takes a report of a hole from anybody: text alone, few from one network, and nothing of the sender is kept",
    body=ReportBody,
    status_code=201,
    summary="Report a hole",
)
async def send_report(request: Request, body: ReportBody, visit: Here) -> ReportTaken:
    """Take a report; number and secret are shown once, and ask for its answer."""
    spend_report(request, visit)
    reports = visit.gate.incidents.reports
    number, secret = await asyncio.to_thread(reports.receive, body.text, body.contact)
    return ReportTaken(number=number, secret=secret, days=(await asyncio.to_thread(reports.clock)).days)


@routes.add(
    "POST",
    ALL + "/answer",
    public="gives the answer to a report to whoever has its secret",
    body=ReportLookUp,
    also=frozenset({404}),
    summary="Ask for an answer",
)
async def read_answer(request: Request, body: ReportLookUp, visit: Here) -> ReportAnswer:
    """Give the answer to a report, if there is one."""
    spend_answer(request, visit)
    one = await asyncio.to_thread(visit.gate.incidents.reports.look_up, body.number, body.secret)
    return ReportAnswer(
        number=one.report.id,
        received_at=moment(one.report.received_at),
        answered_at=moment_or_none(one.report.answered_at),
        answer=one.answer,
    )


@routes.add("GET", ALL + "/clock", public="tells everybody how long reports wait here", summary="How long reports wait")
async def show_clock(visit: Here) -> ReportClock:
    """Say how many reports wait, and how many for too long."""
    return clock_seen(await asyncio.to_thread(visit.gate.incidents.reports.clock))


@routes.add("GET", ALL, permission=Permission.REPORT_READ, summary="List")
async def list_reports(visit: Here) -> ReportList:
    """List the reports, unopened; those without an answer come first."""
    reports = visit.gate.incidents.reports
    lines = [
        ReportLine(
            number=one.id,
            received_at=moment(one.received_at),
            answered_at=moment_or_none(one.answered_at),
            answered_by=one.answered_by,
        )
        for one in await asyncio.to_thread(reports.list)
    ]
    return ReportList(reports=lines, clock=clock_seen(await asyncio.to_thread(reports.clock)))


def report_seen(one: Opened) -> ReportSeen:
    """Show a report, opened."""
    return ReportSeen(
        number=one.report.id,
        received_at=moment(one.report.received_at),
        text=one.text,
        contact=one.contact,
        answered_at=moment_or_none(one.report.answered_at),
        answer=one.answer,
    )


@routes.add("GET", ONE, permission=Permission.REPORT_READ, summary="Open")
async def read_report(number: str, visit: Here, caller: TheCaller) -> ReportSeen:
    """Open a report; who did is in the ledger first."""
    return report_seen(await asyncio.to_thread(visit.gate.incidents.reports.read, number, caller))


@routes.add("POST", ONE + "/answer", permission=Permission.REPORT_ANSWER, body=AnswerBody, summary="Answer")
async def answer_report(number: str, body: AnswerBody, visit: Here, caller: TheCaller) -> ReportSeen:
    """Answer a report; whoever has its secret reads the answer."""
    reports = visit.gate.incidents.reports
    return report_seen(await asyncio.to_thread(reports.reply, number, body.text, caller))
