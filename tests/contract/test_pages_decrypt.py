"""Lists decrypt nothing that they do not show: every reading route is called, and all that is opened is counted."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from api_in_process import WHY, Api, api_over, upload
from databases import BOTH
from forms_found import forms_of
from moiety.people.masks import DOTS
from moiety.wire.kinds import Kind
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PEOPLE = 5
PAGES = ("approvals", "operators", "incidents", "reports")
GALLERY = {"name": "doors", "purpose": "a door of the site"}
# Whatever of the gate can open an envelope, now or later.
GATE = (
    "moiety.people.",
    "moiety.ledger.",
    "moiety.matching.",
    "moiety.access.",
    "moiety.api.",
    "moiety.console.",
    "moiety.incidents.",
)


class Counted:
    """Counts what the gate decrypts, and how often vault B is asked to reveal."""

    def __init__(self, api: Api, patch: pytest.MonkeyPatch) -> None:
        self.opened = 0
        self.asked: Counter[Kind] = Counter()
        call = api.site.links.b.call

        async def counting(kind: Kind, *given: Any, **named: Any) -> Any:
            self.asked[kind] += 1
            return await call(kind, *given, **named)

        patch.setattr(api.site.links.b, "call", counting)
        places = [one for name, one in sys.modules.items() if name.startswith(GATE) and hasattr(one, "unseal")]
        assert places
        for module in places:
            patch.setattr(module, "unseal", self._noting(module.unseal))

    def _noting(self, unseal: Any) -> Any:
        def noted(*given: Any, **named: Any) -> bytes:
            self.opened += 1
            opened: bytes = unseal(*given, **named)
            return opened

        return noted

    def taken(self) -> tuple[int, int]:
        """Give both numbers and begin anew."""
        found = self.opened, self.asked[Kind.REVEAL]
        self.opened = 0
        self.asked.clear()
        return found


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        async with made.owner as owner:
            assert (await owner.post("/v1/galleries", json=GALLERY)).status_code == 201
        yield made


async def enrolled(api: Api) -> list[tuple[str, Any]]:
    """Enrol some people with names and notes; gives ids and faces."""
    found = []
    async with api.owner as owner:
        for number in range(PEOPLE):
            face = api.site.sight.person()
            form = WHY | {"reference": f"Person {number}", "fields": '{"note": "a note"}'}
            reply = await owner.post("/v1/galleries/doors/subjects", data=form, files=upload(api.photo(face)))
            assert reply.status_code == 201
            found.append((reply.json()["subject_id"], face))
    return found


async def test_lists_never_decrypt_and_a_reveal_opens_what_it_shows(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    people = await enrolled(api)
    counted = Counted(api, monkeypatch)
    known = {"{gallery}": "doors", "{subject}": people[0][0], "{name}": "console.css"}
    asked, named = [], []
    async with api.owner as owner:
        # The console's pages show nothing to who has no session.
        await owner.get((await owner.post("/v1/tickets")).json()["path"])
        for form in forms_of(api.app, every=True):
            path = form.path
            for name, value in known.items():
                path = path.replace(name, value)
            if "{" in path or form.method != "GET":
                continue
            why = WHY if "reason" in form.asked else {}
            reply = await owner.get(path, params=why)
            asked.append(form.path)
            assert reply.status_code < 500, path
            opened = counted.taken()
            if why and reply.is_success and opened != (0, 0):
                # Each name on the page was opened once, and for all of them B was asked once.
                assert (opened, reply.text.count(DOTS) > 0) == ((PEOPLE, 1), True), path
                named.append(form.path)
                continue
            assert opened == (0, 0), path
        assert {"/v1/galleries/{gallery}/subjects", "/v1/ledger", "/v1/galleries", "/"} <= set(asked)
        assert "/v1/galleries/{gallery}/people" in named
        one = f"/v1/galleries/doors/subjects/{people[0][0]}/reveal"
        assert (await owner.post(one, json=WHY | {"fields": ["reference"]})).json() == {
            "fields": {"reference": "Person 0"}
        }
        assert counted.taken() == (1, 1)
        await owner.post("/v1/galleries/doors/find", json=WHY | {"reference": "Person 1"})
        assert counted.taken() == (0, 0)


async def test_the_pages_of_those_who_work_here_open_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approvals that are over stay sealed, a name that comes many times is opened once, and home opens none."""
    async with api_over(tmp_path, sign_at=SIGN_AT) as api:
        ada = await first(api)
        ben = await invited(api, ada, "Ben Ali", "registrar")
        for number in range(PEOPLE):
            asked = {"name": f"Person {number}", "roles": ["guard"], "reason": f"the {number}th"}
            made = (await ada.post("/v1/operators", json=asked)).json()["id"]
            if number:
                assert (await ada.ask("DELETE", f"/v1/approvals/{made}")).status_code == 200
        now = api.site.clock.now()
        hours = {"aware_at": 1, "began_at": 2, "ended_at": 0}
        times = {name: datetime.fromtimestamp(now - 3600 * hour, UTC).isoformat() for name, hour in hours.items()}
        told = {"happened": "a disk is gone", "lost": ["vault-a"], "controller": "a works", "contact": "a desk"} | times
        assert (await ada.post("/v1/incidents", json=told)).status_code == 201
        async with api.client() as stranger:
            assert (await stranger.post("/v1/reports", json={"text": "a hole in the fence"})).status_code == 201
        counted = Counted(api, monkeypatch)
        opened = {}
        for who, path in ((ada, "/"), (ben, "/"), *((ada, f"/{one}") for one in PAGES)):
            api.site.clock.move(1)
            page = await who.get(path, headers={"accept": "text/html"})
            assert page.status_code == 200, path
            opened[who.id, path] = counted.taken()[0]
            assert "Person 1" not in page.text
            assert ("Person 0" in page.text) == (path == "/approvals")
        frame = opened[ada.id, "/"]
        # Ben's roles may sign the one that is open: its gallery and person are sealed in it.
        assert opened[ben.id, "/"] == frame + 1
        assert [opened[ada.id, f"/{one}"] - frame for one in PAGES] == [1 + 1, 2, 1, 0]


async def test_an_answer_opens_the_names_of_those_it_shows_and_no_others(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await enrolled(api)
    counted = Counted(api, monkeypatch)
    async with api.owner as owner:
        photo = api.photo(people[1][1], people[3][1])
        # Whose row it is lies sealed beside each template: one envelope for each candidate, and one for its name.
        masked = await owner.post("/v1/galleries/doors/identify", data=WHY, files=upload(photo))
        assert counted.taken() == (2, 0)
        named = await owner.post("/v1/galleries/doors/identify", data=WHY | {"reveal": "true"}, files=upload(photo))
        shown = [one["subject"] for face in named.json()["faces"] for one in face["candidates"]]
        assert sorted(shown) == ["Person 1", "Person 3"]
        assert counted.taken() == (2 + 2, 1)
    assert "Person" not in masked.text


@BOTH
async def test_a_page_takes_as_many_statements_whatever_its_length(api: Api) -> None:
    """Of subjects, and of people with masked names; the ledger gets one entry for each name, that B meters too."""
    await enrolled(api)
    said: list[str] = []
    event.listen(api.site.store._engines.readers, "before_cursor_execute", lambda *given: said.append(given[2]))
    async with api.owner as owner:
        for path, listed in (("subjects", "subjects"), ("people", "people")):
            counts = []
            for limit in (1, PEOPLE):
                said.clear()
                page = await owner.get(f"/v1/galleries/doors/{path}", params=WHY | {"limit": limit})
                assert len(page.json()[listed]) == limit
                counts.append(len([one for one in said if one.startswith("SELECT")]))
            assert counts[0] == counts[1] > 1, path
