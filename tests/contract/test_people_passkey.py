"""A release by a passkey of the person's own: over exactly what is consented to, made on the witness's page alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, api_over
from api_people import STAFF, entered, later, made
from moiety.access.device_proofs import to_text
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.people.releases import Wording
from staffed import SIGN_AT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as running:
        yield running


def released(key: SoftwareAuthenticator, wording: dict[str, Any], registration: bytes) -> dict[str, str]:
    """Sign a wording as the witness's page does."""
    signed = key.sign(Wording(**wording).digest())
    parts = {
        "registration": registration,
        "client_data": signed.client_data,
        "authenticator_data": signed.authenticator_data,
        "signature": signed.signature,
    }
    return {name: to_text(raw) for name, raw in parts.items()}


async def give(client: httpx.AsyncClient, subject: str, ends_at: str, passkey: dict[str, str]) -> httpx.Response:
    body = {"notice": "2026-11", "ends_at": ends_at, "signed_by": "Ada King", "passkey": passkey} | WHY
    return await client.post(f"{STAFF}/subjects/{subject}/consents", json=body)


async def test_req_01_a_passkey_releases_exactly_what_was_shown(api: Api) -> None:
    async with api.owner as owner:
        await made(owner)
        subject, other = await entered(owner), await entered(owner, "Ben Ali")
        ends_at = later(api, 90)
        asked = {"ends_at": ends_at, "notice": "2026-11"}
        wording = (await owner.get(f"{STAFF}/subjects/{subject}/wording", params=asked)).json()
        assert (wording["subject"], wording["notice"], wording["purpose"]) == (subject, "2026-11", "doors of the works")
        key, elsewhere = SoftwareAuthenticator(), SoftwareAuthenticator(origin="https://evil.example.org")
        registration = key.register()
        good = released(key, wording, registration)
        for wrong in (
            released(key, wording | {"ends": wording["ends"] + 86_400}, registration),
            released(key, wording | {"purpose": "advertising"}, registration),
            released(elsewhere, wording, elsewhere.register()),
            good | {"registration": to_text(SoftwareAuthenticator().register())},
            good | {"signature": to_text(b"no signature")},
        ):
            assert (await give(owner, subject, ends_at, wrong)).status_code == 400
        assert (await give(owner, other, ends_at, good)).status_code == 400
        record = (await owner.get(f"{STAFF}/subjects/{subject}/record")).json()
        assert record["consents"] == []
        kept = await give(owner, subject, ends_at, good)
        assert kept.status_code == 201, kept.text
        assert kept.json()["kind"] == "passkey"


async def test_without_the_witness_s_page_no_passkey_can_release(tmp_path: Path) -> None:
    async with api_over(tmp_path) as bare, bare.owner as owner:
        await made(owner)
        subject = await entered(owner)
        key = SoftwareAuthenticator()
        wording = {"tenant": "t", "gallery": "g", "subject": subject, "notice": "2026-11", "purpose": "p", "ends": 1}
        reply = await give(owner, subject, later(bare, 90), released(key, wording, key.register()))
        assert (reply.status_code, "no page here" in reply.json()["detail"]) == (400, True)
