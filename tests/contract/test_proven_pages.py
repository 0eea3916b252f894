"""Each page that shows a decision leads whoever may read it to a proof of its entry in the ledger, and nobody else."""

from __future__ import annotations

import base64
import html
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import DAY, WHY, Api, api_over
from api_people import RULE, STAFF
from moiety.foundation.ids import GalleryId
from moiety.ledger import Kind
from moiety.ledger.audit import Trust, check_entry
from moiety.people.deploying import deployment_lines, threshold_lines
from moiety.people.holds import hold_lines
from moiety.storage import Switch
from moiety.storage.guard_records import Alert, AlertKind, Deployment
from moiety.storage.ledger_entries import ABOUT
from moiety.tlog.notes import VerifierKey
from staffed import SIGN_AT, Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import httpx

PAGES = ("/approvals", "/alerts", "/galleries/{gallery}", "/emergency", "/retention")
LINK = re.compile(r'class="proven" href="(/(?:ledger|proof)/(\d+))"')
SAVED = re.compile(r'data-proof="([^"]+)"')
ALERT = "alr_looked"


class Office:
    """Those who decide, and the entries of what they decided, by what it was."""

    def __init__(self, api: Api, gallery: str, **people: Person) -> None:
        self.api, self.gallery, self.people = api, gallery, people
        self.entries: dict[str, int] = {}

    def note(self, what: str, reply: httpx.Response) -> Any:
        """Keep the number of what was done last; gives the answer."""
        assert reply.is_success, (what, reply.text)
        self.entries[what] = int(reply.headers["moiety-entries"].split()[-1])
        return reply.json()

    async def proposed(self, by: str, kind: str, lines: Mapping[str, str]) -> str:
        """Have an act proposed."""
        facts = [{"name": name, "value": value} for name, value in lines.items()]
        body = {"kind": kind, "facts": facts, "gallery": self.gallery, **WHY}
        made = await self.people[by].post("/v1/approvals", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def approved(self, by: str, kind: str, lines: Mapping[str, str]) -> str:
        """Have an act proposed, and signed by Eve."""
        made = await self.proposed(by, kind, lines)
        self.note(f"signed {kind}", await self.people["eve"].approve(made))
        return made

    def later(self, days: float) -> datetime:
        """Give a midnight to come."""
        day = datetime.fromtimestamp(self.api.site.clock.now() + days * DAY, UTC)
        return day.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as api:
        async with api.owner as owner:
            opened = await owner.post("/v1/galleries", json={"name": "staff", "purpose": "doors of the works"})
        ada = await first(api)
        ben = await invited(api, ada, "Ben Ali", "registrar", "officer")
        eve = await invited(api, ada, "Eve Roy", "examiner", second=ben)
        kim = await invited(api, ada, "Kim Sol", "vault-operator", second=ben)
        yield Office(api, opened.json()["id"], ada=ada, ben=ben, eve=eve, kim=kim)


async def of_galleries(office: Office) -> None:
    """Set a gallery's rule twice, say what it is used under, and take its thresholds."""
    ada, ben, review = office.people["ada"], office.people["ben"], office.later(90)
    for _ in range(2):
        office.note("rule", await ben.ask("PUT", f"{STAFF}/rules", json=RULE | {"consent": False}))
    wanted = Deployment(GalleryId(office.gallery), "DPIA-1", review.timestamp(), police=False, two_to_search=False)
    body = {"assessment": "DPIA-1", "review_at": review.isoformat(), **WHY}
    approval = await office.approved("ada", "policy", deployment_lines(wanted))
    office.note("use", await ada.ask("PUT", f"{STAFF}/deployment", json=body | {"approval": approval}))
    (gallery,) = await office.api.site.house.galleries.list()
    approval = await office.approved("ada", "threshold", threshold_lines(gallery, "TEST-1"))
    taken = await ada.post(f"{STAFF}/thresholds", json={"report": "TEST-1", "approval": approval, **WHY})
    office.note("thresholds", taken)


async def of_people(office: Office) -> None:
    """Hold somebody, refuse and withdraw a hold, and close an alert."""
    ben, review = office.people["ben"], office.later(60)
    subject = (await ben.post(f"{STAFF}/people", json={"reference": "Ada King", **WHY})).json()["subject_id"]
    lines = hold_lines(subject, review.timestamp())
    approval = await office.approved("ben", "legal-hold", lines)
    body = {"review_at": review.isoformat(), "approval": approval, **WHY}
    office.note("hold", await ben.post(f"{STAFF}/subjects/{subject}/holds", json=body))
    for who, what in (("eve", "refused"), ("ben", "withdrawn")):
        approval = await office.proposed("ben", "legal-hold", lines)
        office.note(what, await office.people[who].ask("DELETE", f"/v1/approvals/{approval}"))
    now = office.api.site.clock.now()
    with office.api.site.store.begin() as tx:
        tx.alerts.put(Alert(ALERT, AlertKind.REPEATED, ben.id, None, None, 1, now, now))
    office.note("alert", await office.people["ada"].post(f"/v1/alerts/{ALERT}/seen", json=WHY))


# More than any page looks at, if it were to look at what is newest.
LATER = 401


def much_later(office: Office, *acts: str) -> None:
    """Write down that each of some acts was done again and again since, by and about others."""
    desk = office.api.site.desk
    with desk.store.begin() as tx:
        for act, name in ((act, ABOUT[act]) for act in acts for _ in range(LATER)):
            named: dict[str, Any] = {name: f"{name[:3]}_{'z' * 16}"}
            desk.ledger.append(tx, Kind.ALTERATION, act, actor="opr_other", purpose="another", **named)


async def followed(office: Office, who: str, path: str) -> set[int]:
    """Follow all proofs of a page to what they prove; gives the numbers of their entries."""
    person, html_ = office.people[who], {"accept": "text/html"}
    reply = await person.get(path.format(gallery=office.gallery), headers=html_)
    if reply.status_code == 403:
        return set()
    found = set()
    for address, seq in LINK.findall(reply.text):
        shown = await person.get(address, headers=html_)
        assert shown.status_code == 200, (who, path, address)
        told = json.loads(html.unescape(SAVED.findall(shown.text)[0]))
        trust = Trust(VerifierKey.parse(told["log_key"]), (VerifierKey.parse(told["witness_key"]),))
        assert check_entry(base64.b64decode(told["leaf"]), told["proof"].encode(), trust).seq == int(seq)
        found.add(int(seq))
    return found


async def test_each_decision_s_page_leads_to_a_proof_that_holds(office: Office) -> None:
    await of_galleries(office)
    await of_people(office)
    ada, ben = office.people["ada"], office.people["ben"]
    office.note("stop", await ben.post("/v1/emergencies/stop", json=WHY))
    much_later(office, "approval-refuse", "approval-withdraw", "approval-carry-out", "alert-seen", "hold", "stop-press")
    checked = await ada.post("/v1/ledger/checkpoint")
    assert checked.json()["state"] == "cosigned"
    made = office.entries
    decided = {one: made[one] for one in made if not one.startswith("signed")}
    # Who reads the ledger: all that a page shows. The others: what they did themselves.
    at = {page: {who: await followed(office, who, page) for who in office.people} for page in PAGES}
    assert at["/galleries/{gallery}"]["ada"] == {decided[one] for one in ("rule", "use", "thresholds")}
    assert at["/galleries/{gallery}"]["ben"] == {decided["rule"]}
    assert at["/alerts"]["ada"] == {decided["alert"]}
    assert at["/emergency"] == {"ada": {made["stop"]}, "ben": {made["stop"]}, "eve": set(), "kim": {made["stop"]}}
    assert at["/retention"]["ben"] == {decided["hold"]}
    assert {decided["refused"], decided["withdrawn"]} < at["/approvals"]["kim"]
    assert at["/approvals"]["eve"] == {decided["refused"], *(made[one] for one in made if one.startswith("signed"))}
    assert decided["withdrawn"] in at["/approvals"]["ben"]
    assert decided["refused"] not in at["/approvals"]["ben"]
    # Let go by two, it leads to that.
    lift = (await ada.post(f"/v1/emergencies/{Switch.STOP}/lift", json=WHY)).json()["id"]
    assert (await office.people["kim"].approve(lift)).status_code == 200
    office.note("let go", await ada.post(f"/v1/approvals/{lift}/carry-out"))
    await ada.post("/v1/ledger/checkpoint")
    assert await followed(office, "kim", "/emergency") == {made["let go"]}
    assert await followed(office, "ben", "/emergency") == set()
    # The kill switch ends all sessions; who can lift it signs in again, and finds the proof of its pressing.
    office.note("kill", await ada.post("/v1/emergencies/kill", json=WHY))
    much_later(office, "kill-press", "stop-lift")
    for who in (ada, office.people["kim"]):
        assert (await who.device.sign_in(who.passkey)).status_code == 201
    await ada.post("/v1/ledger/checkpoint")
    assert await followed(office, "ada", "/emergency") == {made["let go"], made["kill"]}
    lift = (await ada.post(f"/v1/emergencies/{Switch.KILL}/lift", json=WHY)).json()["id"]
    assert (await office.people["kim"].approve(lift)).status_code == 200
    office.note("lives", await ada.post(f"/v1/approvals/{lift}/carry-out"))
    await ada.post("/v1/ledger/checkpoint")
    assert await followed(office, "kim", "/emergency") == {made["let go"], made["lives"]}
