"""Many callers at once at one running gate: each question has one true answer, and nothing is made twice."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harness import REASON, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


def _variant(photos: Samples, person: str, quality: int) -> bytes:
    """Make another picture of a photo."""
    out = io.BytesIO()
    with Image.open(photos.enrol[person][0]) as image:
        image.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def _gallery(site: Site, name: str) -> str:
    with site.owner() as owner:
        owner.post("galleries", json={"name": name, "purpose": "a test of crowds"}).raise_for_status()
    return f"galleries/{name}"


def _at_once(site: Site, asks: list[Callable[[httpx.Client], httpx.Response]]) -> list[httpx.Response]:
    """Let each caller ask over a connection of its own, all at the same time."""

    def one(ask: Callable[[httpx.Client], httpx.Response]) -> httpx.Response:
        with site.owner() as owner:
            return ask(owner)

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(one, asks))


def test_one_photo_enrolled_by_many_is_enrolled_once(site: Site, photos: Samples) -> None:
    g = _gallery(site, "rush")
    image = photos.enrol["Barack Obama"][0]
    rows = len(site.holding().a)

    def enrol(owner: httpx.Client) -> httpx.Response:
        return owner.post(f"{g}/subjects", data=REASON | {"reference": "one"}, files=upload(image))

    replies = _at_once(site, [enrol] * 8)
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 7
    site.holding().check_whole()
    assert len(site.holding().a) == rows + 1


def test_photos_of_one_reference_at_once_are_one_subject(site: Site, photos: Samples) -> None:
    g = _gallery(site, "family")

    def enrolling(quality: int) -> Callable[[httpx.Client], httpx.Response]:
        files = upload(_variant(photos, "Barack Obama", quality))
        return lambda owner: owner.post(f"{g}/subjects", data=REASON | {"reference": "he"}, files=files)

    replies = _at_once(site, [enrolling(quality) for quality in range(70, 94, 4)])
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["subject_id"] for reply in replies}) == 1
    assert sum(reply.json()["new_subject"] for reply in replies) == 1
    site.holding().check_whole()


def test_questions_are_answered_while_people_come_and_go(site: Site, photos: Samples) -> None:
    g = _gallery(site, "street")
    with site.owner() as owner:
        image = upload(photos.enrol["Barack Obama"][0])
        owner.post(f"{g}/subjects", data=REASON | {"reference": "stays"}, files=image).raise_for_status()

    def ask(owner: httpx.Client) -> httpx.Response:
        return owner.post(f"{g}/identify", data=REASON | {"reveal": "true"}, files=upload(photos.probe))

    def coming_and_going(quality: int) -> Callable[[httpx.Client], httpx.Response]:
        files = upload(_variant(photos, "Joe Biden", quality))

        def come_and_go(owner: httpx.Client) -> httpx.Response:
            made = owner.post(f"{g}/subjects", data=REASON | {"reference": f"guest {quality}"}, files=files)
            assert made.status_code == 201, made.text
            return owner.delete(f"{g}/subjects/{made.json()['subject_id']}", params=REASON)

        return come_and_go

    replies = _at_once(
        site, [ask, coming_and_going(72), ask, coming_and_going(80), ask, coming_and_going(88), ask, ask]
    )
    assert {reply.status_code for reply in replies} == {200}, [reply.text for reply in replies]
    for reply in (replies[0], replies[2], replies[4], replies[6], replies[7]):
        assert [one["subject"] for one in reply.json()["faces"][0]["candidates"]] == ["stays"]
    site.holding().check_whole()


def test_the_ledger_holds_every_act_in_one_chain(site: Site, photos: Samples) -> None:
    g = _gallery(site, "noted")
    with site.owner() as owner:
        before = owner.get("ledger", params={"after": 0, "limit": 1}).json()["head"]["size"]
        image = upload(photos.enrol["Barack Obama"][0])
        made = owner.post(f"{g}/subjects", data=REASON | {"reference": "x"}, files=image).json()
        owner.post(f"{g}/identify", data=REASON | {"reveal": "true"}, files=upload(photos.probe)).raise_for_status()
        owner.delete(f"{g}/subjects/{made['subject_id']}", params=REASON).raise_for_status()
        noted = owner.get("ledger", params={"after": before}).json()
    acts = [(entry["kind"], entry["act"]) for entry in noted["entries"]]
    assert acts == [
        ("collection", "enrol"),
        ("consultation", "identify"),
        ("disclosure", "candidate"),
        ("consultation", "identify-outcome"),
        ("consultation", "reveal"),
        ("erasure", "erase"),
    ]
    assert [entry["seq"] for entry in noted["entries"]] == list(range(before + 1, before + 7))
    assert all(
        entry["has_reason"] for entry in noted["entries"] if entry["act"] not in {"candidate", "identify-outcome"}
    )
