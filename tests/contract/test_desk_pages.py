"""The desk's pages by role: whoever may not, is not let in; whoever may see less, is offered less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api_in_process import WHY, Api, api_over, upload
from staffed import SIGN_AT, Person, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HTML = {"accept": "text/html"}
# A page, the roles that it opens to, and words that only some of them are shown there.
PAGES = {
    "/people": "registrar officer examiner",
    "/people/{gallery}": "registrar officer examiner",
    "/people/{gallery}/{subject}": "registrar officer examiner",
    "/people/{gallery}/owed": "registrar officer examiner",
    "/people/{gallery}/receipts/{subject}": "registrar officer examiner",
    "/people/{gallery}/{subject}/consent": "registrar",
    "/people/{gallery}/releases": "registrar",
    "/people/{gallery}/{subject}/photos": "registrar",
    "/enrol": "registrar",
    "/enrol/{gallery}": "registrar",
    "/enrol/{gallery}/many": "registrar",
    "/identify": "officer examiner guard",
    "/verify": "officer examiner guard verifier",
    "/ledger": "auditor administrator",
    "/ledger/1": "auditor administrator",
}
ROLES = ("registrar", "officer", "examiner", "guard", "verifier", "auditor")
OFFERS = {
    "data-reveal=": "registrar officer",
    'id="erase"': "registrar",
    'id="hold"': "registrar officer",
    'id="rectify"': "registrar",
    'id="access"': "registrar",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        yield made


async def page(person: Person, path: str) -> tuple[int, str]:
    reply = await person.get(path, headers=HTML)
    if reply.has_redirect_location:
        reply = await person.get(reply.headers["location"], headers=HTML)
    return reply.status_code, reply.text


async def test_req_43_each_role_is_shown_its_own_pages_and_no_other(api: Api) -> None:
    async with api.owner as owner:
        gallery = (await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door"})).json()["id"]
        form = WHY | {"reference": "Ada Quillfeather", "fields": '{"phone": "555-0142"}'}
        photo = upload(api.photo(api.site.sight.person()))
        subject = (await owner.post(f"/v1/galleries/{gallery}/subjects", data=form, files=photo)).json()["subject_id"]
    ada = await first(api)
    people = {"administrator": ada}
    for role in ROLES:
        # The first who could be a second person is the registrar; before that the machine's owner is.
        people[role] = await invited(api, ada, f"A {role}", role, second=people.get("registrar"))
    for role, person in people.items():
        for path, roles in PAGES.items():
            status, text = await page(person, path.format(gallery=gallery, subject=subject))
            assert (status, role in roles.split()) in {(200, True), (403, False)}, (role, path)
            assert "Quillfeather" not in text
            assert "555-0142" not in text
    one = f"/people/{gallery}/{subject}"
    for offered, roles in OFFERS.items():
        shown = {role for role in PAGES["/people"].split() if offered in (await page(people[role], one))[1]}
        assert shown == set(roles.split()), offered
    entry = {role: (await page(people[role], "/ledger/1"))[1] for role in ("auditor", "administrator")}
    assert ["data-reason=" in entry[role] for role in entry] == [True, False]
    masks = {role: (await page(people[role], "/identify"))[1] for role in ("officer", "examiner", "guard")}
    assert ["data-masked" in text for text in masks.values()] == [True, True, False]
    assert ["data-reveals" in text for text in masks.values()] == [True, False, False]
    await _proves_its_own(api, people, gallery)


async def _proves_its_own(api: Api, people: dict[str, Person], gallery: str) -> None:
    """Whoever did something can prove it; nobody proves what another did, and only some read the ledger itself."""
    photo = upload(api.photo(api.site.sight.person()))
    asked = await people["officer"].post(f"/v1/galleries/{gallery}/identify", data=WHY, files=photo)
    seq = asked.headers["moiety-entries"].split()[-1]
    assert (await page(people["officer"], f"/proof/{seq}"))[0] == 200
    assert (await people["officer"].get(f"/v1/ledger/own/{seq}/proof")).json()["seq"] == int(seq)
    assert (await page(people["guard"], f"/proof/{seq}"))[0] == 404
    assert (await people["guard"].get(f"/v1/ledger/own/{seq}/proof")).status_code == 404


async def test_forms_that_do_not_fit_are_refused_in_words(api: Api) -> None:
    ada = await first(api)
    async with api.owner as owner:
        gallery = (await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door"})).json()["id"]
    for path in (
        "/ledger?actor=Ada%20King",
        "/ledger?kind=gossip",
        "/ledger?since=yesterday",
        "/ledger?act=%00",
        "/ledger/0",
        "/ledger/9999999999999999999999",
    ):
        status, text = await page(ada, path)
        assert (status, "King" in text) == (422, False), path
    assert (await page(ada, "/ledger?kind=&act=&actor=&subject=&since=&until="))[0] == 200
    assert (await page(ada, "/ledger/999"))[0] == 404
    ben = await invited(api, ada, "Ben Ali", "registrar")
    for name in ("sub_x", "%00", "a" * 5000, "..%2F", "sub_" + "a" * 16):
        assert (await page(ben, f"/people/{gallery}/{name}"))[0] in {404, 422}
    assert (await page(ben, f"/people/{gallery}?after=%00"))[0] == 422
