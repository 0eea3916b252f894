"""A gallery that asks for consent, and people in it, over the API in one process."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from api_in_process import DAY, WHY, Api, upload
from moiety.foundation.ids import SubjectId
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    import httpx

RULE = {
    "consent": True,
    "notice": "2026-11",
    "basis": "consent",
    "controller": "Example Works Ltd",
    "keep_days": 365,
    "reason": "a test",
}
STROKES = [[[10 * i, (7 * i) % 40] for i in range(12)], [[5, 60], [90, 61]]]
STAFF = "/v1/galleries/staff"


async def made(client: httpx.AsyncClient, name: str = "staff", **more: Any) -> str:
    """Open a gallery with a rule; gives its id."""
    opened = await client.post("/v1/galleries", json={"name": name, "purpose": "doors of the works"})
    assert opened.status_code == 201
    put = await client.put(f"/v1/galleries/{name}/rules", json=RULE | more)
    assert put.status_code == 200, put.text
    return str(opened.json()["id"])


async def entered(client: httpx.AsyncClient, reference: str = "Ada King", base: str = STAFF, **more: Any) -> str:
    """Enter a person without a photo; gives the subject's id."""
    reply = await client.post(f"{base}/people", json={"reference": reference, **WHY, **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["subject_id"])


def later(api: Api, days: float) -> str:
    """Give a moment from the test's clock."""
    return datetime.fromtimestamp(api.site.clock.now() + days * DAY, UTC).isoformat()


async def consent(api: Api, client: httpx.AsyncClient, subject: str, base: str = STAFF, **more: Any) -> httpx.Response:
    """Give a drawn consent for ninety days."""
    body = {"notice": "2026-11", "ends_at": later(api, 90), "signed_by": "Ada King", "strokes": STROKES} | WHY | more
    return await client.post(f"{base}/subjects/{subject}/consents", json=body)


async def photographed(
    api: Api, client: httpx.AsyncClient, subject: str, face: Any, base: str = STAFF
) -> httpx.Response:
    """Enrol a photo of somebody who has a record."""
    return await client.post(f"{base}/subjects/{subject}/photos", data=WHY, files=upload(api.photo(face)))


async def complete(api: Api, client: httpx.AsyncClient, face: Any, reference: str = "Ada King", **more: Any) -> str:
    """Enter somebody, with consent and photo; gives the subject's id."""
    subject = await entered(client, reference, **more)
    assert (await consent(api, client, subject)).status_code == 201
    assert (await photographed(api, client, subject, face)).status_code == 201
    return subject


async def candidates(api: Api, client: httpx.AsyncClient, face: Any, base: str = STAFF) -> list[str]:
    """Say whom the gallery takes this face for."""
    reply = await client.post(f"{base}/identify", data=WHY, files=upload(api.photo(face)))
    assert reply.status_code == 200, reply.text
    return [one["subject_id"] for one in reply.json()["faces"][0]["candidates"]]


def halves_of(api: Api) -> dict[str, bytes]:
    """Read what the vaults hold of everybody, by file: vault A's rows, and B's where it has any."""
    folders = [api.site.installation.folder(role) / "rows" for role in (Role.VAULT_A, Role.VAULT_B)]
    return {f"{path.parent.parent.name}/{path.name}": path.read_bytes() for one in folders for path in one.glob("*")}


def rows_about(api: Api, subject: str) -> dict[str, int]:
    """Count what the gate's tables hold of a subject, by table; the ledger, receipts and follow-ups keep ids alone."""
    found = {}
    with api.site.store.engine.connect() as db:
        for table, column in (
            ("subject", "id"),
            ("subject_field", "subject_id"),
            ("template", "subject_id"),
            ("subject_record", "subject_id"),
            ("consent", "subject_id"),
            ("own_template", "subject_id"),
        ):
            asked = f"SELECT count(*) FROM {table} WHERE {column} = :subject"  # noqa: S608 - names of this list
            found[table] = db.execute(text(asked), {"subject": SubjectId(subject)}).scalar_one()
    return found
