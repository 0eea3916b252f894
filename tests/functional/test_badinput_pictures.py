"""Pictures that cannot be used: over HTTP and by command a clear line, a documented code, and nothing half-done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bad_pictures import collect
from harness import REASON, upload

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from bad_pictures import Bad
    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

G = "galleries/bad"
NAMES = ("text", "empty", "cut", "huge", "moving", "moving-webp", "nobody", "seven", "tiny")


@pytest.fixture(scope="module")
def bad(photos: Samples, site: Site) -> dict[str, Bad]:
    """Make the pictures, and a gallery for them in which one person is enrolled."""
    with site.owner() as owner:
        owner.post("galleries", json={"name": "bad", "purpose": "a test of bad input"}).raise_for_status()
        image = upload(photos.enrol["Joe Biden"][0])
        owner.post(f"{G}/subjects", data=REASON | {"reference": "someone"}, files=image).raise_for_status()
    made = {one.name: one for one in collect(photos)}
    assert tuple(made) == NAMES
    return made


def _check(reply: httpx.Response, one: Bad) -> None:
    """Check a refusal: problem+json, the documented code, one line for a person."""
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"].removeprefix("urn:moiety:problem:") in one.codes
    assert reply.status_code == problem["status"]
    assert reply.status_code in one.statuses
    assert len(problem["detail"]) > 15
    assert "\n" not in problem["detail"]
    assert "Traceback" not in reply.text


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_picture_is_refused_at_enrolment(site: Site, bad: dict[str, Bad], name: str) -> None:
    before = site.holding()
    with site.owner() as owner:
        files = upload(bad[name].image)
        _check(owner.post(f"{G}/subjects", data=REASON | {"reference": name}, files=files), bad[name])
        # Nothing of the name is kept either: it is nobody's.
        assert owner.post(f"{G}/find", json=REASON | {"reference": name}).json()["subject_id"] is None
    assert site.holding() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_picture_in_a_question(site: Site, bad: dict[str, Bad], name: str, photos: Samples) -> None:
    one = bad[name]
    good = upload(photos.probe, "second")
    with site.owner() as owner:
        (subject,) = owner.get(f"{G}/subjects").json()["subjects"]
        asked = owner.post(f"{G}/identify", data=REASON, files=upload(one.image))
        verified = owner.post(f"{G}/subjects/{subject['id']}/verify", data=REASON, files=upload(one.image))
        compared = owner.post("compare", data=REASON, files=upload(one.image, "first") | good)
    if one.faces is None:
        for reply in (asked, verified, compared):
            _check(reply, one)
    else:
        # A picture that can be read is answered, with every face there is.
        assert asked.status_code == 200
        if one.faces >= 0:
            assert len(asked.json()["faces"]) == one.faces
        if one.faces == 0:
            for reply in (verified, compared):
                _check(reply, one)


def test_the_command_reports_every_bad_photo_and_goes_on(
    site: Site, bad: dict[str, Bad], photos: Samples, tmp_path: Path
) -> None:
    for one in bad.values():
        (tmp_path / f"{one.name}{one.suffix}").write_bytes(one.image)
    before = site.holding()
    said = site.cli("enrol", tmp_path, "-g", "bad", code=3)
    report = {entry["photo"].split(".")[0]: entry for entry in _report(said.out)}
    for one in bad.values():
        assert report[one.name]["state"] == "refused"
        assert report[one.name]["code"] in one.codes
        assert report[one.name]["detail"] in said.words
    assert said.problem == "bad-input"
    assert site.holding() == before
    (tmp_path / "good.jpg").write_bytes(photos.enrol["Barack Obama"][0].read_bytes())
    mixed = site.cli("enrol", tmp_path, "-g", "bad").json
    assert (mixed["enrolled"], mixed["refused"]) == (1, len(NAMES))
    site.holding().check_whole()


def _report(out: str) -> list[dict[str, str]]:
    """Read the report, which stands on the line before the error."""
    *_, report, _error = out.splitlines()
    found: list[dict[str, str]] = json.loads(report)["report"]
    return found


@pytest.mark.parametrize("name", ["text", "huge", "moving"])
def test_the_command_says_in_one_line_what_is_wrong(site: Site, bad: dict[str, Bad], name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(bad[name].image)
    said = site.cli("identify", path, "-g", "bad", code=3)
    assert said.problem in bad[name].codes
    assert said.words.startswith("moiety: ")
    assert len(said.words.splitlines()) == 1


def test_a_picture_without_a_face_is_an_answer(site: Site, bad: dict[str, Bad], tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(bad["nobody"].image)
    said = site.cli("identify", path, "-g", "bad")
    assert said.json == {"faces": [], "code": "no-face"}
    assert "No face was found" in said.words


def test_seven_faces_are_seven_answers(site: Site, bad: dict[str, Bad], tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(bad["seven"].image)
    faces = site.cli("identify", path, "-g", "bad").json["faces"]
    assert len(faces) == 7
    # Joe Biden stands in the sheet once: places 0 to 4 hold five different photos, 5 and 6 the first two again.
    found = [candidate["subject"] for face in faces for candidate in face["candidates"]]
    assert found.count("someone") == 1
    sizes = [face["box"][2] * face["box"][3] for face in faces]
    assert sizes == sorted(sizes, reverse=True)


def test_an_upload_over_the_limit_is_refused_unread(site: Site) -> None:
    with site.owner() as owner:
        reply = owner.post(f"{G}/identify", data=REASON, files=upload(bytes(13 << 20)))
    assert (reply.status_code, reply.json()["type"]) == (413, "urn:moiety:problem:image-too-large")
