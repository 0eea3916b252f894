"""Every command as a user runs it: exit codes, the last line as JSON with the keys that docs/cli.md promises."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from harness import command, upload

if TYPE_CHECKING:
    from harness import Site
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def promised(words: str) -> list[set[str]]:
    """Read the sets of keys that the document promises for a command: one set for each way to use it."""
    part = re.split(rf"^### moiety {words}\b.*$", DOCUMENT.read_text(), flags=re.MULTILINE)[1].split("\n### ")[0]
    return [set(re.findall(r"`([^`]+)`", line)) for line in re.findall(r"JSON keys[^:]*: ([^.]+)\.", part)]


def keeps(words: str, found: dict[str, Any]) -> bool:
    """Whether a command printed what is promised, no less and no more."""
    return set(found) in promised(words)


@pytest.fixture(scope="module")
def gallery(site: Site, album: Path) -> str:
    """Open a gallery and enrol the album, as a transcript of its own."""
    made = site.cli("gallery", "create", "staff", "--purpose", "doors of the east building").json
    assert keeps("gallery create", made)
    assert (made["name"], made["state"], made["bands"]) == ("staff", "open", ["possible", "probable", "strong"])
    report = site.cli("enrol", album, "--gallery", "staff").json
    assert keeps("enrol", report)
    assert (report["photos"], report["enrolled"], report["subjects"]) == (4, 4, 3)
    for one in report["report"]:
        assert set(one) == {"photo", "state", "subject_id", "photo_id", "new_subject", "quality"}
        assert one["state"] == "enrolled"
        assert one["quality"]["enrollable"] is True
    return "staff"


@pytest.mark.usefixtures("gallery")
def test_galleries_are_listed(site: Site) -> None:
    listed = site.cli("gallery", "list").json
    assert keeps("gallery list", listed)
    assert "staff" in [one["name"] for one in listed["galleries"]]


def test_enrolling_again_makes_no_second_template(site: Site, gallery: str, album: Path) -> None:
    before = site.holding()
    report = site.cli("enrol", album, "-g", gallery).json
    assert (report["enrolled"], report["already"], report["refused"]) == (0, 4, 0)
    assert {(one["state"], one["code"]) for one in report["report"]} == {("already", "duplicate-photo")}
    after = site.holding()
    assert (after.a, after.b, after.gate) == (before.a, before.b, before.gate)


def test_enrolling_goes_on_where_it_stopped(site: Site, photos: Samples, tmp_path: Path) -> None:
    site.cli("gallery", "create", "flat", "--purpose", "files with numbered names")
    first, second = photos.enrol["Barack Obama"]
    shutil.copy(first, tmp_path / "Barack_Obama_0001.jpg")
    assert site.cli("enrol", tmp_path, "-g", "flat").json["enrolled"] == 1
    shutil.copy(second, tmp_path / "Barack_Obama_0002.jpg")
    shutil.copy(photos.enrol["Joe Biden"][0], tmp_path / "Joe_Biden_0001.jpg")
    report = site.cli("enrol", tmp_path, "-g", "flat").json
    assert [(one["photo"], one["state"], one.get("new_subject")) for one in report["report"]] == [
        ("Barack_Obama_0001.jpg", "already", None),
        ("Barack_Obama_0002.jpg", "enrolled", False),
        ("Joe_Biden_0001.jpg", "enrolled", True),
    ]
    assert site.cli("show", "Barack_Obama", "-g", "flat").json["photos"] == 2


def test_somebody_enrolled_is_found(site: Site, gallery: str, photos: Samples) -> None:
    answer = site.cli("identify", photos.probe, "--gallery", gallery).json
    assert keeps("identify", answer)
    (face,) = answer["faces"]
    assert set(face) == {"box", "quality", "liveness", "too_many", "candidates"}
    assert len(face["box"]) == 4
    (candidate,) = face["candidates"]
    assert set(candidate) == {"subject", "subject_id", "band"}
    assert (candidate["subject"], candidate["band"]) == (photos.probe_shows, "strong")


def test_a_stranger_is_nobody(site: Site, photos: Samples) -> None:
    site.cli("gallery", "create", "others", "--purpose", "without the one who asks")
    with site.owner() as line:
        biden = upload(photos.enrol["Joe Biden"][0])
        made = line.post("galleries/others/subjects", data={"reference": "x", "reason": "y"}, files=biden)
    assert made.status_code == 201
    answer = site.cli("identify", photos.probe, "--gallery", "others").json
    assert [face["candidates"] for face in answer["faces"]] == [[]]


def test_two_photos_are_compared(site: Site, photos: Samples) -> None:
    first, second = photos.enrol["Barack Obama"]
    same = site.cli("verify", first, second).json
    assert keeps("verify", same)
    assert (same["same"], same["band"]) == (True, "strong")
    other = site.cli("verify", first, photos.enrol["Joe Biden"][0]).json
    assert (other["same"], other["band"]) == (False, None)


def test_a_photo_is_held_against_a_subject(site: Site, gallery: str, photos: Samples) -> None:
    right = site.cli("verify", photos.probe, "--subject", photos.probe_shows, "--gallery", gallery).json
    assert keeps("verify", right)
    assert right["same"] is True
    wrong = site.cli("verify", photos.probe, "--subject", "Joe Biden", "-g", gallery).json
    assert (wrong["same"], wrong["band"]) == (False, None)


def test_a_subject_is_shown_and_erased(site: Site, photos: Samples, tmp_path: Path) -> None:
    site.cli("gallery", "create", "leavers", "--purpose", "people who leave")
    shutil.copy(photos.enrol["Barack Obama"][0], tmp_path / "Guest.jpg")
    subject = site.cli("enrol", tmp_path, "-g", "leavers").json["report"][0]["subject_id"]
    shown = site.cli("show", "guest", "-g", "leavers").json
    assert keeps("show", shown)
    assert (shown["id"], shown["fields"], shown["photos"]) == (subject, {"reference": "Guest"}, 1)
    rows, keys = len(site.holding().a), len(site.holding().keys)
    gone = site.cli("erase", subject, "-g", "leavers").json
    assert keeps("erase", gone)
    assert gone == {"erased": subject}
    assert site.cli("show", "Guest", "-g", "leavers", code=4).problem == "unknown-subject"
    assert site.cli("erase", subject, "-g", "leavers", code=4).problem == "unknown-subject"
    assert site.cli("identify", photos.probe, "-g", "leavers").json["faces"][0]["candidates"] == []
    site.holding().check_whole()
    assert (len(site.holding().a), len(site.holding().keys)) == (rows - 1, keys - 1)


def test_a_key_is_made_used_and_revoked(site: Site, gallery: str, photos: Samples) -> None:
    made = site.cli("key", "create", "front-door", "--scope", "gallery:probe:identify", "--days", "7").json
    assert keeps("key create", made)
    listed = site.cli("key", "list").json
    assert keeps("key list", listed)
    assert made["token"] not in str(listed)
    with site.caller(made["token"]) as door:
        form = {"reason": "at the door"}
        found = door.post(f"galleries/{gallery}/identify", data=form, files=upload(photos.probe))
        assert found.json()["faces"][0]["candidates"][0]["band"] == "strong"
        denied = door.post(f"galleries/{gallery}/identify", data=form | {"reveal": "true"}, files=upload(photos.probe))
        assert (denied.status_code, denied.json()["type"]) == (403, "urn:moiety:problem:forbidden")
        assert door.get(f"galleries/{gallery}/subjects").status_code == 403
        assert keeps("key revoke", site.cli("key", "revoke", made["id"]).json)
        assert door.post(f"galleries/{gallery}/identify", data=form, files=upload(photos.probe)).status_code == 401


def test_status_names_the_parts(site: Site) -> None:
    said = site.cli("status")
    assert keeps("status", said.json)
    page = f"http://localhost:{site.parts.page_port}/sign"
    parts = dict.fromkeys(("eye", "vault-a", "vault-b", "mint", "witness"), True)
    rest = {name: said.json[name] for name in ("ledger", "cosigned_at")}
    assert said.json == {"ready": True, "parts": parts, "sign_at": page, "damaged": []} | rest
    assert rest["ledger"] in {"never", "cosigned"}


def test_the_consoles_link_works_once(site: Site) -> None:
    link = site.cli("open").json
    assert keeps("open", link)
    with httpx.Client(trust_env=False) as browser:
        entered = browser.get(link["url"])
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert "httponly" in entered.headers["set-cookie"].lower()
        assert browser.get(site.url, headers={"accept": "text/html"}).status_code == 200
    with httpx.Client(trust_env=False) as second:
        assert second.get(link["url"]).status_code == 401


def test_calibration_makes_a_table_that_a_gallery_takes(site: Site, album: Path, tmp_path: Path) -> None:
    said = command("calibrate", album, "--out", tmp_path / "table.json", "--json")
    assert said.code == 0
    assert keeps("calibrate", said.json)
    assert (said.json["people"], said.json["photos"], said.json["impostor_pairs"]) == (3, 4, 5)
    assert (said.json["genuine_pairs"], said.json["faces_missed"]) == (1, 0)
    # Five pairs say nothing about one in ten thousand, and the command says so instead of a number.
    assert said.json["notes"]["0.0001"]
    refused = site.cli(
        "gallery", "create", "own", "--purpose", "own table", "--calibration", tmp_path / "table.json", code=3
    )
    assert refused.problem == "bad-input"


def test_accuracy_is_measured_in_the_open_and_protected(photos: Samples, tmp_path: Path) -> None:
    people = {"A": photos.enrol["Barack Obama"], "B": photos.enrol["Joe Biden"], "C": photos.enrol["Eileen Collins"]}
    for person, paths in people.items():
        (tmp_path / person).mkdir()
        for number, path in enumerate(paths, 1):
            shutil.copy(path, tmp_path / person / f"{person}_{number:04}.jpg")
    shutil.copy(photos.probe, tmp_path / "A" / "A_0003.jpg")
    pairs = tmp_path / "pairs.txt"
    fold = ["A\t1\t2", "A\t2\t3", "A\t1\tB\t1", "B\t1\tC\t1"]
    pairs.write_text("\n".join(["2\t2", *fold, *fold]) + "\n")
    said = command("eval", "lfw", "--images", tmp_path, "--pairs", pairs, "--json")
    assert said.code == 0, said.words
    found = said.json
    assert keeps("eval lfw", found)
    assert (found["pairs"], found["folds"], found["faces_missed"]) == (8, 2, 0)
    assert found["accuracy_plain"] == found["accuracy_protected"] == 1.0


def test_morphs_of_alike_people_are_told_from_honest_photos_by_a_picture_taken_in_person(
    shared_data: Path, tmp_path: Path
) -> None:
    lfw = shared_data / "lfw" / "images"
    several = [path for path in sorted(lfw.iterdir()) if len(list(path.iterdir())) > 1]
    for path in several[:30]:
        (tmp_path / path.name).symlink_to(path)
    said = command("eval", "morphs", "--images", tmp_path, "--json")
    assert said.code == 0, said.words
    found = said.json
    assert keeps("eval morphs", found)
    assert found["people"] >= 20
    assert found["most_alike_of_two_photos"] < 0.97
    # Of a morph half is somebody else: fewer of them pass than of honest photos, by far.
    assert found["morphs_pass"] < 0.2
    assert found["honest_pass"] > found["morphs_pass"] + 0.4


def test_accuracy_on_labelled_faces(shared_data: Path, tmp_path: Path) -> None:
    lines = (shared_data / "lfw" / "pairs.txt").read_text().splitlines()
    folds, size = map(int, lines[0].split())
    picked = [f"{folds}\t10"]
    for fold in range(folds):
        start = 1 + 2 * size * fold
        picked += [*lines[start : start + 10], *lines[start + size : start + size + 10]]
    (tmp_path / "pairs.txt").write_text("\n".join(picked) + "\n")
    images = next(path for path in (shared_data / "lfw").iterdir() if path.is_dir())
    found = command("eval", "lfw", "--images", images, "--pairs", tmp_path / "pairs.txt", "--json").json
    assert (found["pairs"], found["folds"]) == (20 * folds, folds)
    assert found["accuracy_plain"] >= 0.95
    assert abs(found["accuracy_plain"] - found["accuracy_protected"]) <= 1 / found["pairs"]


def test_models_are_listed_and_verified() -> None:
    listed = command("models", "list", "--json")
    assert (listed.code, keeps("models list", listed.json)) == (0, True)
    for model in listed.json["models"]:
        assert model["licence"]
        assert model["source"]
        assert len(model["sha256"]) == 64
    verified = command("models", "verify", "--json")
    assert (verified.code, keeps("models verify", verified.json)) == (0, True)
    assert {one["state"] for one in verified.json["models"]} <= {"good", "missing"}
    assert "good" in {one["state"] for one in verified.json["models"]}


def test_a_benchmark_ends_with_its_numbers() -> None:
    said = command("bench", "match", "--rows", "5000", "--dim", "128", "--batch", "3", "--json")
    assert said.code == 0, said.words
    assert keeps("bench match", said.json)
    assert (said.json["rows"], said.json["dim"], said.json["batch"]) == (5000, 128, 3)
    assert said.json["protected_per_s"] > 0
    assert said.json["different_from_plain"] == 0


def test_a_wrong_command_line_is_exit_two(site: Site, photos: Samples) -> None:
    assert command("identify", photos.probe).code == 2
    assert command("verify", photos.probe, "--data", site.data).code == 2
    assert command("nonsense").code == 2
