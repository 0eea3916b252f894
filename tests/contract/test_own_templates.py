"""1:1 with a template that the person keeps: nothing of it at gate and vaults, useless elsewhere, and revocable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api_in_process import WHY, Api, api_over, upload
from api_people import STAFF, complete, consent, entered, made, rows_about
from moiety.access.device_proofs import from_text, to_text
from moiety.foundation.envelopes import unseal_from
from moiety.kernel import rotation
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from moiety.storage import Gallery


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as found:
        yield found


async def given(api: Api, owner: httpx.AsyncClient, subject: str, face: Any, **more: str) -> httpx.Response:
    form = WHY | more
    return await owner.post(f"{STAFF}/subjects/{subject}/own-template", data=form, files=upload(api.photo(face)))


async def brought(
    api: Api, owner: httpx.AsyncClient, subject: str, face: Any, template: str, base: str = STAFF
) -> httpx.Response:
    form, image = WHY | {"template": template}, upload(api.photo(face))
    return await owner.post(f"{base}/subjects/{subject}/own-template/verify", data=form, files=image)


def everything(folder: Path) -> bytes:
    """Read every file of the installation."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_req_05_a_template_stays_with_its_person_sealed_by_their_key(api: Api, tmp_path: Path) -> None:
    """For 1:1 the template stays with the person, sealed to their key; vaults and gate hold nothing of it."""
    async with api.owner as owner:
        gallery = await made(owner)
        ada, other = api.site.sight.person(), api.site.sight.person()
        subject = await entered(owner)
        assert (await given(api, owner, subject, ada)).json()["type"].endswith("consent-needed")
        assert (await consent(api, owner, subject)).status_code == 201
        key = X25519PrivateKey.generate()
        public = to_text(key.public_key().public_bytes_raw())
        told = (await given(api, owner, subject, ada, holder_key=public)).json()
        assert told["sealed"]

        # Only the person's key opens it; what the gate passed on does not pass as it is.
        assert (await brought(api, owner, subject, ada, told["template"])).status_code == 404
        card = unseal_from(key, from_text(told["template"]), b"moiety/own/1")
        mine = (await brought(api, owner, subject, ada, to_text(card))).json()
        assert (mine["same"], mine["band"]) == (True, "strong")
        assert (await brought(api, owner, subject, other, to_text(card))).json()["same"] is False

        # No vault has a row, no search finds her, and no file holds the template or a part of it.
        for role in (Role.VAULT_A, Role.VAULT_B):
            assert await rows_at(api, role, gallery) == 0
        found = (await owner.post(f"{STAFF}/identify", data=WHY, files=upload(api.photo(ada)))).json()
        assert found["faces"][0]["candidates"] == []
        kept = everything(tmp_path)
        assert [at for at in range(0, len(card) - 16, 16) if card[at : at + 16] in kept] == []
        acts = [entry.act for entry in api.site.house.desk.ledger.entries(limit=1000)]
        assert acts.count("verify-own") == 2


async def rows_at(api: Api, role: Role, gallery: str) -> int:
    """Count a gallery's rows at a vault."""
    links = api.site.house.desk.links
    line = links.a if role is Role.VAULT_A else links.b
    return int((await line.call(Kind.STATE, {"gallery": gallery})).meta["rows"])


async def test_req_46_templates_are_revoked_and_say_nothing_across_tenants(api: Api, tmp_path: Path) -> None:
    """A template that was revoked or replaced passes no more; those of one face in two places are unlike."""
    async with api.owner as owner:
        await made(owner)
        await made(owner, "gate")
        ada = api.site.sight.person()
        subject = await entered(owner)
        assert (await consent(api, owner, subject)).status_code == 201
        first = (await given(api, owner, subject, ada)).json()["template"]
        assert (await brought(api, owner, subject, ada, first)).json()["same"] is True

        # A new one in its place, then none: neither the old nor the revoked one passes, and another can be made.
        second = (await given(api, owner, subject, ada)).json()["template"]
        assert (await brought(api, owner, subject, ada, first)).status_code == 404
        assert (await brought(api, owner, subject, ada, second)).json()["same"] is True
        gone = await owner.delete(f"{STAFF}/subjects/{subject}/own-template", params=WHY)
        assert gone.status_code == 204
        assert (await brought(api, owner, subject, ada, second)).status_code == 404
        third = (await given(api, owner, subject, ada)).json()["template"]
        assert (await brought(api, owner, subject, ada, third)).json()["same"] is True

        # Of one face, what is measured for another gallery or another tenant has nothing to do with it.
        async with api_over(tmp_path / "elsewhere") as elsewhere, elsewhere.owner as stranger:
            await made(stranger)
            embedding = api.site.sight.like(ada, 1.0)
            seen = [
                turned(tmp_path, await site.site.house.galleries.get(name)) @ embedding
                for site, name in ((api, "staff"), (api, "gate"), (elsewhere, "staff"))
            ]
        assert max(abs(float(seen[0] @ other)) for other in seen[1:]) < 0.25


@pytest.mark.parametrize("photo", [False, True])
async def test_req_03_withdrawing_ends_the_template_that_a_person_keeps(api: Api, *, photo: bool) -> None:
    """With or without photos beside it: the hash goes, a receipt counts it, and no new consent brings it back."""
    ada = api.site.sight.person()
    async with api.owner as owner:
        await made(owner)
        subject = await complete(api, owner, ada) if photo else await entered(owner)
        if not photo:
            assert (await consent(api, owner, subject)).status_code == 201
        template = (await given(api, owner, subject, ada)).json()["template"]
        export = (await owner.post(f"{STAFF}/subjects/{subject}/access", json={"pdf": True, **WHY})).json()["document"]
        assert export["own_template"]["since"] == export["made_at"]
        page = await owner.get(f"/people/staff/{subject}", headers={"accept": "text/html"})
        assert "The template that they keep" in page.text

        gone = await owner.post(f"{STAFF}/subjects/{subject}/withdraw", json={"keep_card": True, **WHY})
        assert gone.json() == {"erased": "face"}
        assert rows_about(api, subject)["own_template"] == 0
        receipts = (await owner.get(f"{STAFF}/receipts/{subject}")).json()["receipts"]
        told = [json.loads(one["document"]) for one in receipts]
        assert sum(one["own_templates"] for one in told) == 1
        assert sum(one["photos"] for one in told) == int(photo)
        assert (await consent(api, owner, subject)).status_code == 201
        assert (await brought(api, owner, subject, ada, template)).status_code == 404

        # Whoever is erased whole takes it along, counted in the one receipt.
        assert (await given(api, owner, subject, ada)).status_code == 201
        assert (await owner.delete(f"{STAFF}/subjects/{subject}", params=WHY)).status_code == 200
        assert set(rows_about(api, subject).values()) == {0}
        receipts = (await owner.get(f"{STAFF}/receipts/{subject}")).json()["receipts"]
        whole = [told for told in (json.loads(one["document"]) for one in receipts) if told["act"] == "person-erased"]
        assert [one["own_templates"] for one in whole] == [1]


def turned(folder: Path, gallery: Gallery) -> Any:
    """Give a gallery's rotation, as its eye makes it."""
    (path,) = folder.rglob(f"rotation-{gallery.rotation_id}.key")
    return rotation(path.read_bytes(), gallery.dim)
