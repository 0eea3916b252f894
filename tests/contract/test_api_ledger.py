"""The ledger over the API: what an auditor can read and prove, and what he cannot do."""

from __future__ import annotations

import ast
import base64
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, api_over, upload
from api_people import RULE
from moiety import access
from moiety.access import DUTIES, Permission
from moiety.api.routes import GuardedRoute
from moiety.foundation.ids import SubjectId
from moiety.ledger import Kind
from moiety.ledger.audit import Trust, check
from moiety.matching.desk import Asker
from moiety.tlog.asking import EntryProof
from moiety.tlog.checkpoints import cosigned_at, opened
from moiety.tlog.merkle import included, leaf_hash
from moiety.tlog.notes import Note, VerifierKey
from moiety.tlog.tiles import bundles_of, tiles_of
from moiety.wire.kinds import Role
from staffed import SIGN_AT, first, invited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

SOURCE = Path(__file__).resolve().parents[2] / "src" / "moiety"
HALF_A_YEAR = 184 * 86_400


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as made:
        async with made.owner as owner:
            await owner.post("/v1/galleries", json={"name": "doors", "purpose": "doors of the east building"})
        yield made


async def live(api: Api, reason: str = "lost key at the desk") -> str:
    """Do everything that is to be written down, with one person; gives the subject."""
    why, ada = {"reason": reason}, api.site.sight.person()

    def photo(name: str = "image") -> dict[str, Any]:
        return upload(api.photo(ada), name)

    async with api.owner as owner:
        form = why | {"reference": "Ada Quillfeather"}
        made = await owner.post("/v1/galleries/doors/subjects", data=form, files=photo())
        subject = str(made.json()["subject_id"])
        one = f"/v1/galleries/doors/subjects/{subject}"
        gallery = await api.site.house.galleries.get("doors")
        changed = {"phone": "555-0100"}
        await api.site.house.fields.put(gallery, SubjectId(subject), changed, Asker("owner", reason))
        replies = [
            await owner.post("/v1/galleries/doors/identify", data=why, files=photo()),
            await owner.post(f"{one}/reveal", json=why | {"fields": ["reference"]}),
            await owner.post("/v1/compare", data=why, files=photo("first") | photo("second")),
            await owner.delete(one, params=why),
        ]
    assert [reply.status_code for reply in replies] == [200] * 4
    return subject


class Over:
    """The ledger as somebody reads it over the API."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    @classmethod
    async def fetched(cls, client: httpx.AsyncClient) -> Over:
        note = (await client.get("/v1/ledger/checkpoint")).content
        size = int(note.split(b"\n")[1])
        files = {"checkpoint": note}
        for tile in (*tiles_of(size), *bundles_of(size)):
            reply = await client.get(f"/v1/ledger/{tile.path()}")
            assert (reply.status_code, reply.headers["content-type"]) == (200, "application/octet-stream")
            files[tile.path()] = reply.content
        return cls(files)

    def read(self, path: str) -> bytes:
        return self._files[path]


async def test_an_auditor_checks_everything_over_the_api(api: Api) -> None:
    await live(api)
    async with api.client(api.key("ledger:entry:read")) as auditor:
        signed = (await auditor.post("/v1/ledger/checkpoint")).json()
        assert signed["state"] == "cosigned"
        source = await Over.fetched(auditor)
        page = (await auditor.get("/v1/ledger", params={"limit": 1000})).json()
        proof = (await auditor.get("/v1/ledger/entries/1/proof")).json()
    witness = VerifierKey.parse(proof["witness_key"])
    found = check(source, Trust(VerifierKey.parse(proof["log_key"]), (witness,)))
    assert found.checkpoint.size == len(page["entries"]) == page["checkpoint"]["size"]
    assert all(entry["cosigned"] for entry in page["entries"])
    assert page["checkpoint"] == signed


async def test_an_entry_is_proven_with_nothing_but_two_keys(api: Api) -> None:
    await live(api)
    async with api.owner as owner:
        await owner.post("/v1/ledger/checkpoint")
        size = (await owner.get("/v1/ledger")).json()["head"]["size"]
        await owner.post("/v1/galleries", json={"name": "later", "purpose": "a newer entry"})
        for seq in (1, size, size + 1):
            told = (await owner.get(f"/v1/ledger/entries/{seq}/proof")).json()
            proof = EntryProof.parse(told["proof"].encode())
            checkpoint = opened(proof.note, VerifierKey.parse(told["log_key"]))
            leaf = base64.b64decode(told["leaf"])
            assert leaf_hash(leaf).hex() == told["leaf_hash"]
            assert included(leaf_hash(leaf), seq - 1, checkpoint.size, proof.hashes, checkpoint.root)
            at = cosigned_at(proof.note.text, proof.note.signatures, VerifierKey.parse(told["witness_key"]))
            assert (at is None) == (told["cosigned_at"] is None) == (seq > size)
            assert told["checkpoint"].encode() == proof.note.encode()
        assert (await owner.get(f"/v1/ledger/entries/{size + 2}/proof")).status_code == 404
        listed = (await owner.get("/v1/ledger", params={"after": size - 1})).json()["entries"]
    assert [entry["cosigned"] for entry in listed] == [True, False]


async def test_readiness_says_how_old_the_last_signature_is(api: Api) -> None:
    async with api.owner as owner, api.client() as anyone:
        before = (await anyone.get("/v1/ready")).json()
        assert (before["ledger"], before["cosigned_at"]) == ("never", None)
        signed = (await owner.post("/v1/ledger/checkpoint")).json()
        after = (await anyone.get("/v1/ready")).json()
        assert (after["ledger"], after["cosigned_at"]) == ("cosigned", signed["cosigned_at"])
        await api.site.stop(Role.WITNESS)
        refused = await owner.post("/v1/ledger/checkpoint")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:moiety:problem:part-down")
        away = (await anyone.get("/v1/ready")).json()
        assert (away["ledger"], away["cosigned_at"]) == ("away", signed["cosigned_at"])
        note = Note.parse((await owner.get("/v1/ledger/checkpoint")).content)
    assert len(note.signatures) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [("0/001", 404), ("entries/000.p/200", 404), ("0/0", 400), ("64/000", 400), ("0/000.p/256", 400), ("../keys", 400)],
)
async def test_what_is_no_tile_is_not_there(api: Api, path: str, status: int) -> None:
    async with api.owner as owner:
        assert (await owner.get(f"/v1/ledger/tile/{path.replace('..', '%2e%2e')}")).status_code == status


async def test_req_39_every_kind_of_act_is_written_with_reason_time_identity_and_recipient(api: Api) -> None:
    subject, began = await live(api), api.site.clock.now()
    async with api.owner as owner:
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
    acts = [entry for entry in entries if entry["act"] != "gallery"]
    assert {entry["kind"] for entry in acts} == {kind.value for kind in Kind}
    assert {entry["subject_id"] for entry in acts} == {subject, None}
    for entry in acts:
        assert entry["actor"] == "owner"
        assert entry["purpose"]
        assert abs(datetime.fromisoformat(entry["at"]).timestamp() - began) < 1
        # A disclosure and an outcome follow from the search whose reason they share.
        assert entry["has_reason"] or entry["act"] in {"candidate", "identify-outcome", "verify-outcome"}
    assert {entry["detail"]["recipient"] for entry in acts if entry["kind"] == "disclosure"} == {"owner"}


# Whoever asks these reads about people, or looks for them.
READERS = {
    Permission.SUBJECT_READ,
    Permission.SUBJECT_REVEAL,
    Permission.SUBJECT_RIGHTS,
    Permission.SUBJECT_HOLD,
    Permission.PROBE_IDENTIFY,
    Permission.PROBE_VERIFY,
    Permission.PAIR_COMPARE,
}
# What the answers below say of the person, but for ids, dates and counts.
SAYS = ("matching_stopped", "Not matched: objected", "employer", "A•••", "Quillfeather", "555-0100")


async def test_req_39_every_route_that_reads_people_is_written_down(api: Api) -> None:
    """Each declared route is asked: what says anything of a person is in the ledger, and so is every question."""
    face = api.site.sight.person()
    async with api.owner as owner:
        person = {"reference": "Ada Quillfeather", "fields": {"phone": "555-0100"}, "source": "employer", **WHY}
        rule = await owner.put("/v1/galleries/doors/rules", json=RULE | {"consent": False, "basis": "contract"})
        assert rule.status_code == 200, rule.text
        entered = await owner.post("/v1/galleries/doors/people", json=person)
        assert entered.status_code == 201, entered.text
        subject = entered.json()["subject_id"]
        one = f"/v1/galleries/doors/subjects/{subject}"
        assert (await owner.post(f"{one}/photos", data=WHY, files=upload(api.photo(face)))).status_code == 201
        told: set[tuple[str, str]] = set()
        silent: set[tuple[str, str]] = set()
        for route in [one for one in api.app.routes if isinstance(one, GuardedRoute)]:
            (method,) = route.methods or ("",)
            if route.rule.permission not in READERS or method not in {"GET", "POST"}:
                continue
            api.site.clock.move(1)
            reply = await asked(api, owner, method, route, subject)
            if not reply.is_success:
                continue
            (told if "moiety-entries" in reply.headers else silent).add((method, route.path))
            said = [word for word in SAYS if word in reply.text]
            assert "moiety-entries" in reply.headers or not (said or method == "POST"), (route.path, said)
            if route.path.endswith("/object"):
                objected = await owner.get(f"/people/doors/{subject}", headers={"accept": "text/html"})
                assert SAYS[1] in objected.text
                assert "moiety-entries" in objected.headers
    base = "/v1/galleries/{gallery}"
    reading = {"find", "identify", "present", "subjects/{subject}/reveal", "subjects/{subject}/access"}
    assert {("POST", f"{base}/{one}") for one in reading} | {("POST", "/v1/people/find")} <= told
    assert {("GET", f"{base}/{one}") for one in ("people", "people.csv", "subjects/{subject}/record")} <= told
    assert ("GET", "/people/{gallery}/{subject}") in told
    assert ("GET", base + "/subjects") in silent


async def asked(api: Api, owner: httpx.AsyncClient, method: str, route: GuardedRoute, subject: str) -> httpx.Response:
    """Ask a route what its address names: about this person, in this gallery."""
    path = re.sub(r"{\w+}", subject, route.path.replace("{gallery}", "doors"))
    if method == "GET":
        return await owner.get(path, params=WHY, headers={"accept": "application/json, text/html"})
    if route.rule.form:
        photos = {name: ("picture", api.photo(api.site.sight.person())) for name in route.rule.pictures}
        return await owner.post(path, data=WHY, files=photos)
    body = {"reference": "Ada Quillfeather", "fields": ["reference"]}
    wanted = route.rule.body.model_fields if route.rule.body else {}
    return await owner.post(path, json=WHY | {name: value for name, value in body.items() if name in wanted})


async def test_req_42_nothing_of_the_ledger_ends_and_nothing_erased_is_in_it(api: Api) -> None:
    await live(api)
    async with api.owner as owner:
        before = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
    for _ in range(3):
        api.site.clock.move(HALF_A_YEAR)
        await api.site.house.settle()
        await api.site.house.retention.sweep()
    async with api.owner as owner:
        await owner.post("/v1/ledger/checkpoint")
        after = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        source = await Over.fetched(owner)
    # What was there is there after a year and a half, unchanged but for the witness's signature.
    assert [entry | {"cosigned": False} for entry in after[: len(before)]] == before
    everything = b"".join(source._files.values()) + repr(after).encode()
    for secret in (b"Quillfeather", b"555-0100", b"lost key at the desk"):
        assert secret not in everything


def test_req_42_no_code_removes_an_entry() -> None:
    """The tables of the ledger are never named beside a removal: neither in SQL nor through SQLAlchemy."""
    rows = {"LedgerRow", "LedgerHashRow"}
    for path in SOURCE.rglob("*.py"):
        if "drill" in path.relative_to(SOURCE).parts:
            continue
        text = path.read_text()
        assert not re.search(r"(DELETE\s+FROM|UPDATE|DROP\s+TABLE)\s+ledger_(entry|hash)", text), path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in {
                "delete",
                "update",
            }:
                named = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                assert not named & rows, path


async def test_req_43_an_auditor_reads_every_reason_and_searches_nobody(api: Api) -> None:
    await live(api, "asked for by her sister")
    ada = api.site.sight.person()
    async with api.owner as owner:
        await owner.post("/v1/galleries/doors/subjects", data=WHY | {"reference": "Ada"}, files=upload(api.photo(ada)))
    auditor = await invited(api, await first(api), "Eve Roy", "auditor")
    entries = (await auditor.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
    wanted = {entry["seq"] for entry in entries if entry["has_reason"]}
    told = {seq: (await auditor.get(f"/v1/ledger/entries/{seq}/reason")).json()["reason"] for seq in wanted}
    assert "asked for by her sister" in told.values()
    assert all(told.values())
    silent = next(entry["seq"] for entry in entries if not entry["has_reason"])
    assert (await auditor.get(f"/v1/ledger/entries/{silent}/reason")).json()["reason"] is None
    assert (await auditor.get("/v1/ledger/entries/9999/reason")).status_code == 404
    may = DUTIES[access.Role.AUDITOR].may
    guarded = [route for route in api.app.routes if isinstance(route, GuardedRoute) and not route.rule.public]
    others = [route for route in guarded if route.rule.permission not in may]
    for route in others:
        # There are more routes than anybody may ask at once.
        api.site.clock.move(1)
        path = re.sub(r"{\w+}", "sub_aaaaaaaaaaaaaaaa", route.path.replace("{gallery}", "doors"))
        reply = await auditor.ask(next(iter(route.methods or ())), path, json=WHY if route.rule.body else None)
        # Lists of what a caller may see are empty for her; a question that is not hers is not there.
        refused = reply.status_code in {403, 404}
        assert refused or reply.json() in ({"questions": []}, {"follow_ups": []}), route.path
    assert len(others) >= 20
    after = (await auditor.get("/v1/ledger", params={"limit": 1000})).json()["entries"][len(entries) :]
    # That she read them stands there too, under her id.
    assert sorted(entry["detail"]["entry"] for entry in after) == sorted({*wanted, silent})
    assert {(entry["act"], entry["actor"], entry["kind"]) for entry in after} == {
        ("reason", auditor.id, "consultation")
    }


async def test_who_reads_entries_only_reads_no_reasons(api: Api) -> None:
    await live(api)
    async with api.client(api.key("ledger:entry:read")) as client:
        assert (await client.get("/v1/ledger/entries/1/reason")).status_code == 403
