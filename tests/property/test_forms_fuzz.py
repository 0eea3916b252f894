"""Every form of the application, found by itself, under what attackers send: no fault, no echo, nothing that runs."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from api_in_process import WHY, Api, api_over
from api_people import STAFF, made
from forms_found import Form, forms_of, plausible
from moiety.access import Allowance
from moiety.api import Limits
from moiety.api.problems import of_validation
from moiety.api.routes import GuardedRoute
from nasty_texts import COMPUTED, MARK, drawn

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

INPUTS: Final = 10_000
SECONDS_MAX: Final = 150
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


@pytest.mark.slow
async def test_every_form_survives_ten_thousand_inputs_and_repeats_none(tmp_path: Path) -> None:
    """Each form by itself, up to where its handler would begin: what does not fit is told without its words."""
    draw = random.Random(6)  # noqa: S311 - a test's own choice
    nasty = [*texts(draw), *ODD * 50]
    async with api_over(tmp_path) as api:
        models = {one.model for one in forms_of(api.app) if one.model}
    assert len(models) >= 20
    for model in models:
        base, names = plausible(model), [*model.model_fields, "unknown"]
        refused = 0
        for _ in range(INPUTS):
            given = base | {draw.choice(names): draw.choice(nasty)}
            try:
                model.model_validate(given)
            except ValidationError as error:
                refused += 1
                told = of_validation(error.errors(include_url=False), frozenset(model.model_fields))
                assert MARK not in repr(told), model
        assert refused > INPUTS // 100, model


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
    """Round after round over all forms, until ten thousand were asked or the time is over: ten rounds at least."""

    def __init__(self) -> None:
        self.draw = random.Random(7)  # noqa: S311 - a test's own choice
        self.pool = texts(self.draw)
        self.asked: Counter[str] = Counter()
        self.let_in: set[str] = set()
        self.rounds = 0
        self.until = time.monotonic() + SECONDS_MAX

    def go_on(self) -> bool:
        """Whether there is another round."""
        enough = self.asked.total() >= INPUTS or time.monotonic() > self.until
        return not enough or self.rounds < ROUNDS_OF_A_SITE

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
        return not last and (await owner.get("/v1/galleries/staff")).status_code == 200


@pytest.mark.slow
@pytest.mark.timeout(3 * SECONDS_MAX)
async def test_ten_thousand_whole_requests_are_answered_and_leave_nothing_that_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What stops or empties an installation ends its round, and the next is over a new one."""
    caplog.set_level(logging.INFO)
    rounds, site = Rounds(), 0
    while rounds.go_on():
        site += 1
        async with api_over(tmp_path / str(site), LIMITS) as api, api.owner as owner:
            await made(owner, consent=False)
            while await rounds.over(api, owner) and rounds.go_on():
                pass
            assert api.faults == []
            await sheets_run_nothing(api, owner)
    assert len(rounds.let_in) > len(rounds.asked) // 2
    assert all(MARK not in record.getMessage() for record in caplog.records if record.name.startswith("moiety"))


async def sheets_run_nothing(api: Api, owner: httpx.AsyncClient) -> None:
    """Read every table for spreadsheets that the application gives: no cell begins a formula."""
    for route in api.app.routes:
        kind = getattr(getattr(route, "response_class", None), "media_type", "") or ""
        if isinstance(route, GuardedRoute) and kind.startswith("text/csv"):
            reply = await owner.get(route.path.replace("{gallery}", "staff"), params=WHY)
            for row in csv.reader(io.StringIO(reply.text.removeprefix("\ufeff"), newline="")):
                for cell in row:
                    assert cell.lstrip(" \u00a0\u200b\ufeff")[:1] not in tuple("=+-@\t\r\n|%"), route.path


async def test_a_lone_surrogate_is_told_as_a_form_that_does_not_fit(tmp_path: Path) -> None:
    body = b'{"reference": "\\ud800", "reason": "a test"}'
    async with api_over(tmp_path) as api, api.owner as owner:
        await made(owner, consent=False)
        kind = {"content-type": "application/json"}
        assert (await owner.post(f"{STAFF}/people", content=body, headers=kind)).status_code == 422
