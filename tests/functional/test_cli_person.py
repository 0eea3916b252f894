"""`moiety person …` as a user runs it: why somebody is kept, where, until when, and who is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functional.test_cli_transcripts import keeps

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
