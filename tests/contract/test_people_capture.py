"""Safeguard 6: how a photo was taken is on record, and one that was sent stands beside a picture taken here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api_in_process import WHY, Api, WordyQuality, api_over
from api_people import STAFF, candidates, later, made
from databases import BOTH
from moiety.foundation.ids import SubjectId
from moiety.storage.ledger_entries import Wanted
from parts_in_process import PaintedFace
from staffed import SIGN_AT, first

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    import numpy as np
    from numpy.typing import NDArray

PROBLEM = "urn:moiety:problem:"
# Of the painted model: 0.45 at one false match in ten thousand, 0.85 at one in a million.
SURE, PERHAPS, OTHER = 0.9, 0.7, 0.3


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path, sign_at=SIGN_AT) as site:
        yield site


class Photo:
    """A photo that somebody sent, and pictures taken beside it."""

    def __init__(self, api: Api) -> None:
        self._sight = api.site.sight
        self.face: NDArray[np.float32] = self._sight.person()
        self.image = self._sight.paint(PaintedFace(self.face, quality=WordyQuality()))

    def live(self, cosine: float, liveness: float | None = None) -> bytes:
        return self._sight.paint(
            PaintedFace(self._sight.like(self.face, cosine), quality=WordyQuality(), liveness=liveness)
        )


async def enrol(
    client: httpx.AsyncClient, photo: Photo, live: bytes | None = None, to: str = f"{STAFF}/subjects", **said: Any
) -> tuple[int, Any]:
    """Enrol a photo; gives the status and what was made, or why it was refused."""
    files = {"image": ("picture", photo.image)} | ({"live": ("picture", live)} if live else {})
    reply = await client.post(to, data=WHY | said, files=files)
    told = reply.json()
    return reply.status_code, told["subject_id"] if reply.status_code == 201 else told["type"].removeprefix(PROBLEM)


def entries(api: Api, act: str) -> list[dict[str, Any]]:
    with api.site.store.read() as tx:
        return [json.loads(one.detail) for one in tx.ledger.search(Wanted(act=act), before=None, limit=9)][::-1]


@BOTH
async def test_req_06_a_photo_that_was_sent_needs_a_picture_of_the_person_that_is_taken_here(api: Api) -> None:
    photo = Photo(api)
    async with api.owner as owner:
        await made(owner, consent=False)
        assert await enrol(owner, photo, capture="sent") == (422, "capture-needed")
        assert await enrol(owner, photo, photo.live(OTHER), capture="sent") == (422, "other-person")
        # The photo itself, or taken again from paper, is no picture of a person who is here.
        assert await enrol(owner, photo, photo.image, capture="sent") == (400, "bad-input")
        assert await enrol(owner, photo, photo.live(0.99), capture="sent") == (400, "bad-input")
        assert await enrol(owner, photo, photo.live(SURE, liveness=0.1), capture="sent") == (400, "bad-input")
        assert await enrol(owner, photo, photo.live(SURE), capture="attended") == (400, "bad-input")
        assert (await enrol(owner, photo, capture="found"))[0] == 422
        assert await candidates(api, owner, photo.face) == []
        status, subject = await enrol(owner, photo, photo.live(SURE, liveness=0.9), capture="sent")
        assert status == 201
        assert await candidates(api, owner, photo.face) == [subject]
        (kept,) = (await owner.get(f"{STAFF}/subjects/{subject}/photos")).json()["photos"]
        export = await owner.post(f"{STAFF}/subjects/{subject}/access", json=WHY)
    assert kept["capture"] == "sent"
    assert "sent, not taken by the operator" in export.text
    assert [one["capture"] for one in entries(api, "enrol")] == ["sent"]
    with api.site.store.read() as tx:
        # What was taken here is compared and gone: one photo, one row.
        assert len(tx.templates.of_subject(SubjectId(subject))) == 1


async def test_req_06_a_photo_that_is_less_like_the_person_than_one_of_them_is_flagged_as_a_morph(api: Api) -> None:
    photo = Photo(api)
    async with api.owner as owner:
        await made(owner, consent=False)
        assert await enrol(owner, photo, photo.live(PERHAPS), capture="sent") == (422, "possible-morph")
        assert await candidates(api, owner, photo.face) == []
        # A further photo of somebody known goes the same way.
        own = Photo(api)
        _, subject = await enrol(owner, own, capture="attended")
        to = f"{STAFF}/subjects/{subject}/photos"
        assert await enrol(owner, photo, photo.live(PERHAPS), to, capture="sent") == (422, "possible-morph")
        assert (await enrol(owner, photo, photo.live(SURE), to, capture="sent"))[0] == 201
    assert len(entries(api, "morph-flag")) == 2


async def test_req_06_once_somebody_works_here_it_must_be_said_how_a_photo_was_taken(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOIETY_RECORDS", "staffed")
    photo, other = Photo(api), Photo(api)
    async with api.owner as owner:
        await made(owner, consent=False, source="employer")
        assert (await enrol(owner, other))[0] == 201, "nobody works here yet"
        await first(api)
        assert await enrol(owner, photo) == (422, "capture-needed")
        assert (await enrol(owner, photo, capture="attended"))[0] == 201
    assert [one["capture"] for one in entries(api, "enrol")] == ["unsaid", "attended"]


async def test_req_06_photos_of_people_who_cannot_come_stand_alone_in_galleries_of_the_police(api: Api) -> None:
    photo = Photo(api)
    async with api.owner as owner:
        await made(owner, consent=False)
        use = {"assessment": "DPIA-2026-04", "review_at": later(api, 90), "police": True, **WHY}
        assert (await owner.put(f"{STAFF}/deployment", json=use)).status_code == 200
        assert (await enrol(owner, photo, capture="sent", police_status="missing"))[0] == 201
        assert await enrol(owner, photo, photo.live(PERHAPS), capture="sent", police_status="missing") == (
            409,
            "duplicate-photo",
        )
