"""`moiety person …` as a user runs it: why somebody is kept, where, until when, and who is to be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from functional.test_cli_transcripts import keeps
from harness import command

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def subject(site: Site) -> str:
    """Enter somebody without a photo."""
    site.cli("gallery", "create", "desk", "--purpose", "people at the command line")
    return str(site.cli("person", "add", "Ada King", "-g", "desk", "--field", "phone=555-0142").json["subject_id"])


def test_a_person_is_found_and_presented_by_card(site: Site, subject: str) -> None:
    record = site.cli("person", "record", "Ada King", "-g", "desk").json
    assert keeps("person record", record)
    assert (record["subject_id"], record["fields"]) == (subject, ["phone", "reference"])
    found = site.cli("person", "find", "Ada King").json
    assert keeps("person find", found)
    assert [one["subject_id"] for one in found["records"]] == [subject]
    card = site.cli("person", "present", "Ada King", "-g", "desk").json
    assert keeps("person present", card)
    assert card == {"same": True, "subject_id": subject}


def test_a_person_takes_along_what_they_gave_and_ends_when_the_purpose_is_met(
    site: Site, subject: str, tmp_path: Path
) -> None:
    out = tmp_path / "ada.json"
    assert keeps("person portable", site.cli("person", "portable", subject, "-g", "desk", "--out", out).json)
    assert "555-0142" in out.read_text()
    assert keeps("person told", site.cli("person", "told", "-g", "desk").json)
    ends = site.cli("person", "contact", subject, "-g", "desk").json
    assert keeps("person contact", ends)
    assert site.cli("person", "contact", subject, "-g", "desk", "--over").json["expires_at"] < ends["expires_at"]


@pytest.fixture(scope="module")
def works(site: Site) -> str:
    """Open three galleries with rules, two of one controller; enter somebody whose release is asked for."""
    for name, controller, more in (("works", "Works Ltd", ["--consent"]), ("yard", "Works Ltd", []), ("club", "A", [])):
        site.cli("gallery", "create", name, "--purpose", f"people of the {name}")
        rule = ["--notice", "2026-11", "--basis", "consent", "--controller", controller, "--keep-days", "30"]
        site.cli("gallery", "rules", name, *rule, *more)
    return str(site.cli("person", "add", "Mo Farr", "-g", "works").json["subject_id"])


def test_a_person_declines_once_and_goes_on_by_card(site: Site, works: str) -> None:
    assert site.cli("person", "record", works, "-g", "works").json["awaits_release"]
    said = site.cli("person", "decline", "Mo Farr", "-g", "works").json
    assert keeps("person decline", said)
    assert (said["subject_id"], said["awaits_release"], said["photos"]) == (works, False, 0)
    assert site.cli("person", "decline", works, "-g", "works", code=4).problem == "not-found"
    assert site.cli("person", "present", "Mo Farr", "-g", "works").json["subject_id"] == works
    # Nobody asks where no consent is asked for.
    free = site.cli("person", "add", "Vi Lin", "-g", "yard").json["subject_id"]
    assert site.cli("person", "decline", free, "-g", "yard", code=4).problem == "not-found"


@pytest.mark.usefixtures("works")
def test_a_person_is_shown_and_entered_elsewhere_under_one_controller_only(site: Site) -> None:
    here = site.cli("person", "add", "Ola Berg", "-g", "yard").json["subject_id"]
    nothing = site.cli("person", "elsewhere", "Ola Berg", "-g", "yard").json
    assert keeps("person elsewhere", nothing)
    assert nothing == {"records": []}
    (there,) = site.cli("person", "elsewhere", here, "-g", "yard", "--enter", "works").json["records"]
    assert site.cli("person", "record", "Ola Berg", "-g", "works").json["subject_id"] == there["subject_id"]
    again = site.cli("person", "elsewhere", here, "-g", "yard", "--enter", "works", code=5)
    assert again.problem == "already-there"
    assert site.cli("person", "elsewhere", here, "-g", "yard", "--enter", "club", code=6).problem == "forbidden"
    wrong = {"yard": (6, "forbidden"), "nowhere": (4, "unknown-gallery"), "../yard": (4, "unknown-gallery")}
    for into, (code, problem) in (wrong | {"ü" * 500: (3, "bad-input")}).items():
        said = site.cli("person", "elsewhere", here, "-g", "yard", "--enter", into, code=code)
        assert said.problem == problem, into
    # What is not released there is not shown here.
    assert site.cli("person", "elsewhere", here, "-g", "yard").json == {"records": []}


@pytest.mark.usefixtures("works")
def test_a_record_ends_earlier_from_the_first_day_or_from_today_and_never_later(site: Site) -> None:
    day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    site.cli("person", "add", "Eva Roth", "-g", "yard", "--ends", day)
    assert site.cli("person", "record", "Eva Roth", "-g", "yard").json["own_end"].startswith(day)
    back = site.cli("person", "end", "Eva Roth", "-g", "yard").json
    assert keeps("person end", back)
    assert back["expires_at"] > day
    assert site.cli("person", "end", "Eva Roth", "-g", "yard", code=4).problem == "not-found"
    assert site.cli("person", "end", "Eva Roth", "-g", "yard", "--on", day).json["expires_at"].startswith(day)
    for rubbish in ("1999-01-01", "9999-12-31", "2027-13-45", "2027-06-01T", "١٢"):
        said = site.cli("person", "end", "Eva Roth", "-g", "yard", f"--on={rubbish}", code=3)
        assert said.problem == "bad-input", rubbish
    for rubbish in ("9999-12-31", "tomorrow"):
        assert (
            site.cli("person", "add", "Nobody At All", "-g", "yard", "--ends", rubbish, code=3).problem == "bad-input"
        )
    assert site.cli("person", "find", "Nobody At All").json == {"records": []}
    assert site.cli("person", "record", "Eva Roth", "-g", "yard").json["own_end"].startswith(day)


@pytest.mark.parametrize("act", ["decline", "elsewhere", "end"])
def test_rubbish_finds_nobody(site: Site, works: str, act: str) -> None:
    for subject in ("sub_aaaaaaaaaaaaaaaa", "sub_../../works", "sub_a/b?c=d#e", "\x1b[31mशून्य"):
        said = site.cli("person", act, subject, "-g", "works", code=4)
        assert said.problem in {"unknown-subject", "not-found"}, subject
        assert subject not in said.out + said.words
    assert site.cli("person", act, works, "-g", "..", code=4).problem in {"unknown-gallery", "not-found"}
    for words in ([act, works], [act, works, "-g", "works", "--no-such-option"]):
        assert command("person", *words, "--data", site.data, "--json").code == 2, words
    too_long = site.cli("person", act, "x" * 5000, "-g", "works", code=3)
    assert too_long.problem == "bad-input"
