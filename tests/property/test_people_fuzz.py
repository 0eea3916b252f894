"""Ten thousand texts into every form and field of people's records: no fault, no echo, no formula."""

from __future__ import annotations

import asyncio
import csv
import io
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_in_process import WHY, Api, api_over
from api_people import STAFF, entered, later, made
from moiety.access import Allowance
from moiety.api import Limits
from moiety.foundation.errors import Refusal
from moiety.people.fields import check_given
from moiety.people.masks import DOTS, masked
from moiety.people.redaction import Redaction
from moiety.people.rules import is_minor
from moiety.people.sheets import as_csv

if TYPE_CHECKING:
    from pathlib import Path

INPUTS: Final = 10_000
# So many texts in one example: drawing them is what takes the time.
EACH: Final = 50
SECONDS_MAX: Final = 240
MARK: Final = "Quokka7731"
NASTY: Final = (
    "' OR 1=1 --",
    "'; DROP TABLE subject; --",
    '" UNION SELECT * FROM api_key --',
    "{{7*7}}",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+HYPERLINK(0)",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\0",
    "a\0b",
    "../../etc/passwd",
    "%00%0d%0aSet-Cookie: a=b",
    "\r\nX-Header: 1",
    "\u202eevil\u202c",
    "\ufeff",
    "\ud800",
    "\U0001d56c\U0001d589\U0001d586",
    "🧑\u200d🦰",
    "A" * 5_000,
    "é" * 4_001,
    "\u0301" * 300,
    "null",
    "NaN",
    "-0",
    "1e999",
    "[]",
    "{}",
)
SCRIPTS: Final = (
    (0x41, 0x5A), (0xC0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x556), (0x5D0, 0x5EA), (0x620, 0x64A),
    (0x904, 0x939), (0x985, 0x9B9), (0xB85, 0xBB9), (0xC05, 0xC39), (0xE01, 0xE2E), (0x10D0, 0x10FA), (0x1200, 0x1248),
    (0x1780, 0x17B3), (0x3041, 0x3096), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x10400, 0x1044F), (0x1F600, 0x1F64F),
)  # fmt: skip


def drawn(draw: random.Random) -> str:
    """Draw a name of one script, what attackers send, or a name with that behind it."""
    low, high = draw.choice(SCRIPTS)
    name = "".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 60)))
    return draw.choice((name, draw.choice(NASTY), name + draw.choice(NASTY)))


@settings(max_examples=INPUTS // EACH, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False), st.text(max_size=80))
def test_ten_thousand_texts_are_kept_masked_and_written_as_they_are(draw: random.Random, odd: str) -> None:
    """Each text goes through every rule that a field meets before and after the vaults."""
    own = random.Random(draw.getrandbits(64))  # noqa: S311 - the drawn one is slow for so many
    for text in [odd, *(drawn(own) for _ in range(EACH - 1))]:
        _through(text, drawn(own))


def _through(first: str, second: str) -> None:
    """Check, mask, redact and write."""
    for fields in ({"note": first, "victim_name": second}, {first: second}, {"birth_date": first}):
        with suppress(Refusal):
            check_given(fields)
            is_minor(fields, 1_800_000_000.0)
    shown = masked(first)
    assert shown == DOTS or shown.count(DOTS) >= 1
    assert len(shown) <= 4 * (len(DOTS) + 6)
    redaction = Redaction({"victim_name": first, "note": second})
    assert redaction.of("victim_name", first) != first
    sheet = as_csv((first,), [(second,)])
    rows = csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline=""))
    for cell in [cell for row in rows for cell in row]:
        assert cell.lstrip(" \u00a0\u200b\ufeff")[:1] not in tuple("=+-@\t\r\n|%"), cell


def _bodies(api: Api, subject: str, text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Put a text into each place of each form about people, one place at a time."""
    one = f"{STAFF}/subjects/{subject}"
    rule = {"consent": False, "notice": "n", "basis": "consent", "controller": "c", "keep_days": 9} | WHY
    person = {"reference": "r", "pin": "12345", "guardian": {"name": "a", "relation": "b", "reason": "c"}} | WHY
    release = {"notice": "2026-11", "ends_at": later(api, 9), "signed_by": "a", "png": "YQ"} | WHY
    forms: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{STAFF}/rules", rule),
        ("POST", f"{STAFF}/people", person),
        ("POST", f"{STAFF}/present", {"reference": "r", "pin": "1234", "case": "d"} | WHY),
        ("POST", "/v1/people/find", {"reference": "r", "case": "d"} | WHY),
        ("POST", f"{one}/consents", release),
        ("POST", f"{one}/rectify", {"fields": {"note": "x"}, "case": "d"} | WHY),
        ("POST", f"{one}/contact", {"case": "d"} | WHY),
        ("POST", f"{one}/object", {"case": "d"} | WHY),
        ("POST", f"{one}/merge", {"into": "sub_aaaaaaaaaaaaaaaa"} | WHY),
        ("POST", f"{one}/split", {"into": "sub_aaaaaaaaaaaaaaaa", "photos": ["pho_aaaaaaaaaaaaaaaa"]} | WHY),
        ("POST", f"{one}/holds", {"review_at": "2026-12-01T00:00:00Z", "approval": "apr_aaaaaaaaaaaaaaaa"} | WHY),
        ("PUT", f"{STAFF}/deployment", {"assessment": "a", "review_at": "2026-12-01T00:00:00Z", "case": "d"} | WHY),
        ("POST", f"{STAFF}/thresholds", {"report": "r", "case": "d"} | WHY),
        ("POST", f"{STAFF}/decoys", {"reference": "r", "fields": {"note": "x"}} | WHY),
        ("POST", f"{STAFF}/follow-ups/fol_a/done", dict(WHY)),
    ]
    filled: list[tuple[str, str, dict[str, Any]]] = []
    for method, path, body in forms:
        filled.extend((method, path, body | {name: text}) for name in body)
        filled.append((method, path, body | {text[:60]: text}))
    filled.append(("POST", f"{one}/rectify", {"fields": {text[:40]: "x"}} | WHY))
    filled.append(("POST", f"{one}/rectify", {"fields": {"note": text}} | WHY))
    return filled


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS_MAX)
async def test_ten_thousand_requests_with_nasty_texts_are_answered_and_repeat_nothing(tmp_path: Path) -> None:
    """Runs until ten thousand were asked or the time is over, and says how many: at least a tenth of them."""
    fast = Allowance(per_minute=10_000_000, burst=100_000)
    draw = random.Random(7)  # noqa: S311 - a test's own choice
    asked, until = 0, time.monotonic() + SECONDS_MAX
    async with api_over(tmp_path, Limits(owner_rate=fast)) as api, api.owner as owner:
        await made(owner, consent=False)
        subject = await entered(owner, "r0")
        while asked < INPUTS and time.monotonic() < until:
            text = MARK + drawn(draw)
            some = draw.sample(_bodies(api, subject, text.encode(errors="ignore").decode()), 20)
            replies = await asyncio.gather(*(owner.request(how, path, json=body) for how, path, body in some))
            asked += len(replies)
            for reply, (_, path, _) in zip(replies, some, strict=True):
                assert reply.status_code < 500 or reply.status_code == 503, (path, reply.text)
                shown = path.endswith("/rules") and reply.status_code == 200
                assert shown or MARK not in reply.text, path
        assert api.faults == []
        lone = await owner.post(
            f"{STAFF}/people",
            content=b'{"reference": "\\ud800", "reason": "a test"}',
            headers={"content-type": "application/json"},
        )
        assert lone.status_code == 422
    assert asked >= INPUTS // 10
