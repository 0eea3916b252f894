"""Every claim of docs/threat-model.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_claim_names_tests_that_exist() -> None:
    claims = [line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ")]
    claims = [line for line in claims if not line.startswith("| Claim")]
    assert len(claims) >= 12
    for line in claims:
        named = re.findall(r"`(tests/[^`]+)`", line)
        assert named, line
        assert [path for path in named if not (ROOT / path).exists()] == []
