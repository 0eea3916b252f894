"""`moiety person …` as a user runs it: why somebody is kept, where, until when, and who is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functional.test_cli_transcripts import keeps

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Site

pytestmark = pytest.mark.slow


def test_a_person_without_a_face_has_every_right_at_the_command_line(site: Site, tmp_path: Path) -> None:
    site.cli("gallery", "create", "desk", "--purpose", "people at the command line")
    subject = site.cli("person", "add", "Ada King", "-g", "desk", "--field", "phone=555-0142").json["subject_id"]
    record = site.cli("person", "record", "Ada King", "-g", "desk").json
    assert keeps("person record", record)
    assert (record["subject_id"], record["fields"]) == (subject, ["phone", "reference"])
    found = site.cli("person", "find", "Ada King").json
    assert keeps("person find", found)
    assert [one["subject_id"] for one in found["records"]] == [subject]
    card = site.cli("person", "present", "Ada King", "-g", "desk").json
    assert keeps("person present", card)
    assert card == {"same": True, "subject_id": subject}
    out = tmp_path / "ada.json"
    assert keeps("person portable", site.cli("person", "portable", "Ada King", "-g", "desk", "--out", out).json)
    assert "555-0142" in out.read_text()
    told = site.cli("person", "told", "-g", "desk").json
    assert keeps("person told", told)
    ends = site.cli("person", "contact", "Ada King", "-g", "desk").json
    assert keeps("person contact", ends)
    assert site.cli("person", "contact", "Ada King", "-g", "desk", "--over").json["expires_at"] < ends["expires_at"]
