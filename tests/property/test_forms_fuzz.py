"""Every form of the application, found by itself, under what attackers send: no fault, no echo, nothing that runs."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest
from fastapi.dependencies.utils import request_params_to_args
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from api_in_process import WHY, Api, api_over
from api_people import STAFF, entered, made
from forms_found import Form, forms_of, plausible, through
from moiety.access import Allowance
from moiety.api import Limits
from moiety.api.forms import read_form
from moiety.api.problems import of_validation
from moiety.foundation.errors import BadInput
from nasty_texts import COMPUTED, MARK, drawn

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

INPUTS: Final = 10_000
# Whole requests, over all forms together: an application answers a hundred in a second.
REQUESTS: Final = 3_000
TIMEOUT_SECONDS: Final = 900
BYTES_MAX: Final = 65_536
BOUNDARY: Final = "7731"
FORM: Final = f"multipart/form-data; boundary={BOUNDARY}"
# How often the text goes into a field where it could go into the path.
FIELDS: Final = 0.9
# Who presses stop or kill ends what an installation does: in the last round over each, and there is one at least.
SWITCHES: Final = "/v1/emergencies/"
ROUNDS_OF_A_SITE: Final = 10
AT_ONCE: Final = 20
# So many different texts; each form meets them in an order of its own.
TEXTS: Final = 3_000
ODD: Final[tuple[Any, ...]] = (None, True, -1, 2**70, 1e308, float("nan"), [], {}, [[[[]]]], [MARK] * 300, {MARK: MARK})
FAST: Final = Allowance(per_minute=10_000_000, burst=100_000)
LIMITS: Final = Limits(key_rate=FAST, owner_rate=FAST, stranger_rate=FAST, failures=FAST)
NOBODY: Final = "sub_aaaaaaaaaaaaaaaa"


def texts(draw: random.Random) -> list[str]:
    return [MARK + drawn(draw) for _ in range(TEXTS)]


def packed(fields: dict[str, Any]) -> bytes:
    """Pack a form as a browser does, whatever is in it (RFC 7578)."""
    parts = []
    for name, value in fields.items():
        content = value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode(errors="replace") + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Reader:
    """All that reads what strangers send to one form, up to where its handler would begin."""

    def __init__(self, form: Form) -> None:
        self.form = form
        whole = through(form.route.dependant)
        self.query = [field for one in whole for field in one.query_params]
        self.path = [field for one in whole for field in one.path_params]
        self.base = plausible(form.model) if form.model else {}
        steps = [step.strip("{}").partition(":")[0] for step in form.path.split("/") if step.startswith("{")]
        fields = [*form.model.model_fields, "unknown"] if form.model else []
        self.places = [("path", one) for one in steps]
        self.places += [("query", one) for one in form.asked] + [("body", one) for one in fields]
        self.known = frozenset(one for _, one in self.places) - {"unknown"}

    def told(self, where: str, name: str, given: Any) -> str:
        """Read one input; gives what whoever sent it is told, nothing where it fits."""
        try:
            found = {"path": self._in_path, "query": self._in_query, "body": self._in_body}[where](name, given)
        except BadInput as refusal:
            return str(refusal)
        except ValidationError as error:
            found = error.errors(include_url=False)
        return repr(of_validation(found, self.known)) if found else ""

    def _in_path(self, name: str, given: Any) -> list[Any]:
        steps = [str(given) if step.startswith("{" + name) else step for step in self.form.path.split("/")]
        asked = {"type": "http", "method": self.form.method, "path": "/".join(steps)}
        _, scope = self.form.route.matches(asked)
        return request_params_to_args(self.path, scope["path_params"])[1] if scope else []

    def _in_query(self, name: str, given: Any) -> list[Any]:
        return request_params_to_args(self.query, QueryParams({"reason": "a test", name: str(given)}))[1]

    def _in_body(self, name: str, given: Any) -> list[Any]:
        model, body = self.form.model, self.base | {name: given}
        assert model is not None
        if self.form.multipart:
            body = dict(read_form(FORM, packed(body), self.form.pictures, BYTES_MAX, BYTES_MAX))
        model.model_validate(body)
        return []


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_every_form_survives_ten_thousand_inputs_and_repeats_none(tmp_path: Path) -> None:
    """Each form by itself gets ten thousand, in path, query, parts and body, up to where its handler would begin.

    It reads them with the application's own parsers and models. What does not fit is told without its words.
    """
    draw = random.Random(6)  # noqa: S311 - a test's own choice
    nasty = [*texts(draw), *ODD * 50]
    async with api_over(tmp_path) as api:
        readers = [Reader(form) for form in forms_of(api.app)]
    assert sum(one.form.model is None for one in readers) >= 20
    assert sum(one.form.model is not None for one in readers) >= 50
    for reader in readers:
        refused = 0
        for _ in range(INPUTS):
            told = reader.told(*draw.choice(reader.places), draw.choice(nasty))
            assert MARK not in told, reader.form.name
            refused += bool(told)
        assert refused > INPUTS // 100 or reader.form.model is None, reader.form.name


def case(api: Api, draw: random.Random, form: Form, subject: str, text: str) -> httpx.Request:
    """Put a text into one place of a form and fill the rest with care."""
    body = plausible(form.model) if form.model else {}
    query: dict[str, str] = {name: "a test" for name in form.asked if name == "reason"}
    steps = [step for step in form.path.split("/") if step.startswith("{")]
    places = [*((body, name) for name in form.model.model_fields), (body, text[:60])] if form.model else []
    places += [(query, name) for name in form.asked]
    path = form.path.replace("{gallery}", "staff").replace("{subject}", subject)
    if places and (not steps or draw.random() < FIELDS):
        where, name = draw.choice(places)
        where[name] = text
    else:
        path = form.path.replace(draw.choice(steps), quote(text.encode(errors="ignore"), safe=""))
    path = "/".join(NOBODY if step.startswith("{") else step for step in path.split("/"))
    more: dict[str, Any] = {"json": body} if form.model else {}
    if form.multipart:
        words = {name: value for name, value in body.items() if name not in form.pictures}
        more = {"data": words, "files": dict.fromkeys(form.pictures, ("picture", text.encode(errors="ignore")))}
    return api.owner.build_request(form.method, path, params=query, **more)


def check(reply: httpx.Response, form: Form) -> None:
    """No fault; nothing of the text in a refusal; nothing that a browser or a template would run."""
    assert reply.status_code < 500 or reply.status_code == 503, (form.name, reply.text)
    kind = reply.headers.get("content-type", "")
    assert reply.status_code < 400 or MARK not in reply.text, (form.name, reply.status_code)
    assert "x-header" not in reply.headers
    if "html" in kind:
        assert "<script>alert" not in reply.text, form.name
    if not kind.startswith(("application/octet", "application/pdf", "image/")):
        assert COMPUTED not in reply.text, form.name


class Rounds:
    """Round after round over all forms, until so many whole requests were asked; each form is in some of them."""

    def __init__(self) -> None:
        self.draw = random.Random(7)  # noqa: S311 - a test's own choice
        self.pool = texts(self.draw)
        self.asked: Counter[str] = Counter()
        self.let_in: set[str] = set()
        self.rounds = 0
        self.sheets = 0

    def go_on(self) -> bool:
        """Whether there is another round."""
        return self.asked.total() < REQUESTS or self.rounds < ROUNDS_OF_A_SITE

    def text(self) -> str:
        """Draw a text that can travel."""
        return self.draw.choice(self.pool).encode(errors="ignore").decode()

    async def over(self, api: Api, owner: httpx.AsyncClient) -> bool:
        """Ask each form once; whether the installation still answers as before."""
        person = await owner.post(f"{STAFF}/people", json=WHY | {"reference": self.text()[:100]})
        subject = person.json().get("subject_id", NOBODY)
        self.rounds += 1
        last = self.rounds % ROUNDS_OF_A_SITE == 0
        forms = [one for one in forms_of(api.app) if last or not one.path.startswith(SWITCHES)]
        self.draw.shuffle(forms)
        for start in range(0, len(forms), AT_ONCE):
            text = self.text()
            some = [(case(api, self.draw, form, subject, text), form) for form in forms[start : start + AT_ONCE]]
            replies = await asyncio.gather(*(owner.send(request) for request, _ in some))
            for reply, (_, form) in zip(replies, some, strict=True):
                check(reply, form)
                self.asked[form.name] += 1
                if reply.status_code not in {401, 403}:
                    self.let_in.add(form.name)
        alive = (await owner.get("/v1/galleries/staff")).status_code == 200
        if alive and not last:
            self.sheets += await sheets_run_nothing(api, owner)
        return alive and not last


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_thousands_of_whole_requests_are_answered_and_leave_nothing_that_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three thousand requests at least go through guards, parsers and handlers, each form among them many times.

    What stops or empties an installation ends its round, and the next is over a new one.
    """
    caplog.set_level(logging.INFO)
    rounds, site = Rounds(), 0
    while rounds.go_on():
        site += 1
        async with api_over(tmp_path / str(site), LIMITS) as api, api.owner as owner:
            await made(owner, consent=False)
            await entered(owner, "=Ada King")  # somebody stands in every table, whatever becomes of the others
            while await rounds.over(api, owner) and rounds.go_on():
                pass
            assert api.faults == []
    assert rounds.asked.total() >= REQUESTS
    assert rounds.sheets >= 2 * ROUNDS_OF_A_SITE
    assert {form for form in rounds.asked if SWITCHES not in form and rounds.asked[form] < ROUNDS_OF_A_SITE} == set()
    assert len(rounds.let_in) > len(rounds.asked) // 2
    assert all(MARK not in record.getMessage() for record in caplog.records if record.name.startswith("moiety"))


async def sheets_run_nothing(api: Api, owner: httpx.AsyncClient) -> int:
    """Read every table for spreadsheets that the application gives: no cell begins a formula. Gives how many."""
    read = 0
    for form in forms_of(api.app):
        kind = getattr(getattr(form.route, "response_class", None), "media_type", "") or ""
        if not kind.startswith("text/csv"):
            continue
        params = {name: value for name, value in {**WHY, "limit": "20"}.items() if name in form.asked}
        reply = await owner.get(form.path.replace("{gallery}", "staff"), params=params)
        assert reply.status_code == 200, (form.name, reply.text)
        rows = list(csv.reader(io.StringIO(reply.text.removeprefix("\ufeff"), newline="")))
        assert len(rows) > 1, form.name
        for cell in (one for row in rows for one in row):
            assert cell.lstrip(" \u00a0\u200b\ufeff")[:1] not in tuple("=+-@\t\r\n|%"), form.name
        read += 1
    return read


async def test_a_lone_surrogate_is_told_as_a_form_that_does_not_fit(tmp_path: Path) -> None:
    body = b'{"reference": "\\ud800", "reason": "a test"}'
    async with api_over(tmp_path) as api, api.owner as owner:
        await made(owner, consent=False)
        kind = {"content-type": "application/json"}
        assert (await owner.post(f"{STAFF}/people", content=body, headers=kind)).status_code == 422
