"""docs/safeguards.md, written from the tests that show each safeguard: `make safeguards`, or this file run by itself.

A test shows line 7 when its name begins with `test_req_07_`; `test_req_18_and_28_…` shows two. What it shows is the
first line of its docstring, or else the words of its name.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "safeguards.md"
NAMED: Final = re.compile(r"test_req_(\d\d(?:_and_\d\d)*)_(\w+)")
CASEWORK, SITES, LIVE, MEASURED = (
    "comes with casework",
    "comes with sites",
    "comes with cameras",
    "comes with evaluation",
)

# What a lawful operator must be able to show, in our words; a text instead of "" says when what is not here comes.
SECTIONS: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "Enrolment and consent": {
        1: ("Private enrolment stores notice, purpose, term and written release first", ""),
        2: ("Every job can be done without biometrics", ""),
        3: ("Declining or withdrawing changes no other access; withdrawing erases", ""),
        4: ("Attendance is by card or PIN; a face needs a recorded necessity", SITES),
        5: ("For 1:1 the template can stay with the person", ""),
        6: ("Enrolment refuses poor pictures and flags morphs; a photo that was sent needs one taken here", ""),
        7: ("Under eighteen: a guardian and an authorised reason", ""),
        8: ("Workers are told before use at the workplace", SITES),
    },
    "Purpose and basis": {
        9: ("Every record says purpose, basis, controller, source, end; else it is refused", ""),
        10: ("Police status is mandatory", ""),
        11: ("No search across purposes", ""),
        12: ("Nothing goes live without an impact assessment and a day of review", ""),
    },
    "Search and watch orders": {
        13: ("A search needs a case, an offence or a named missing person", CASEWORK),
        14: ("Search in past footage needs authorisation or runs out after 48 hours", CASEWORK),
        15: ("Live identification is off until it is authorised for purpose, area and time", LIVE),
        16: ("Watch lists are per operation, capped, sourced, reviewed, destroyed", CASEWORK),
        17: ("The acquitted and expunged leave galleries by themselves", CASEWORK),
        18: ("A probe is never enrolled by itself", ""),
        19: ("The list of candidates is bounded; below the threshold it says none", ""),
        20: ("Thresholds are signed; lowering one needs two people and a report", ""),
        21: ("No search solely for protest, religion, politics or immigration", CASEWORK),
    },
    "Human review": {
        22: ("No lead without two trained reviewers, the second blind", CASEWORK),
        23: ("One account, device or session gives no two verdicts", CASEWORK),
        24: ("Outcomes include exclusion and inconclusive; bands wait for the notes", CASEWORK),
        25: ("Every export says that it is a lead only, with error rates", CASEWORK),
        26: ("Arrest or line-up needs independent evidence", CASEWORK),
        27: ("A stop button halts matching and survives a restart", ""),
    },
    "Retention and erasure": {
        28: ("What does not match vanishes when the request ends", ""),
        29: ("Alerts live a day, video a month at most", LIVE),
        30: ("Records end when their purpose is met, or three years after the last contact", ""),
        31: ("Erasure reaches index, cache, thumbnails, replicas, and backups by their keys", ""),
        32: ("Restores replay deletions", ""),
        33: ("A legal hold needs two people and a day of review", ""),
    },
    "Rights": {
        34: ("An access export holds images, sources, searches, disclosures, logic", ""),
        35: ("Rectification re-runs affected matches and tells recipients", ""),
        36: ("The export can be read by machines", ""),
        37: ("No adverse decision on a score; contesting reaches a human", ""),
        38: ("Minors, victims and tip-givers are left out of others' exports", ""),
    },
    "Logs": {
        39: ("Six kinds of act are written with reason, time, identity, recipient", ""),
        40: ("Recognition logs hold time, gallery, matched input, verifiers", ""),
        41: ("An outside anchor exposes edit, reorder, truncation", ""),
        42: ("Logs are kept as long as they must be; erased content is never in them", ""),
        43: ("An independent auditor sees every reason and searches no face", ""),
    },
    "Security": {
        44: ("Sign-in that nobody can phish; no shared accounts", ""),
        45: ("Templates, images and personal data are encrypted, keys outside the database", ""),
        46: ("Templates are revocable, and unlinkable across tenants", ""),
        47: ("1:1: error rates, failed tries, then a wait", ""),
        48: ("Liveness is reported per kind of attack", MEASURED),
        49: ("Every route, bucket and port denies by default", ""),
    },
    "Transparency": {
        50: ("A public register", CASEWORK),
        51: ("Signs or a notice before live capture", LIVE),
        52: ("The annual report is generated from the ledger", ""),
    },
    "Accuracy and bias": {
        53: ("Error rates at the size and threshold in use", MEASURED),
        54: ("Rates per group with intervals; a gap fails the gate", MEASURED),
        55: ("A new model or threshold measures both again", MEASURED),
    },
    "Incident": {
        56: ("Breach wizard: 72 hours, who is affected", ""),
        57: ("The kill switch revokes sessions, tokens and device keys within a minute", ""),
        58: ("Canary records alarm when they are read", ""),
    },
}
OWED: Final = frozenset(number for lines in SECTIONS.values() for number, (_, later) in lines.items() if not later)


@dataclass(frozen=True, slots=True)
class Shown:
    """What one test shows, and where it is."""

    words: str
    path: str


def tests_in(path: Path) -> Iterator[tuple[int, Shown]]:
    """Give the lines that tests of a file show."""
    for node in ast.walk(ast.parse(path.read_text())):
        named = NAMED.fullmatch(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        if named is None or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        said = (ast.get_docstring(node) or named[2].replace("_", " ")).partition("\n")[0].rstrip(".")
        shown = Shown(said[0].upper() + said[1:], path.relative_to(ROOT).as_posix())
        for number in named[1].split("_and_"):
            yield int(number), shown


def found() -> dict[int, list[Shown]]:
    """Collect what the tests show, by line."""
    lines: defaultdict[int, list[Shown]] = defaultdict(list)
    for path in sorted((ROOT / "tests").glob("*/test_*.py")):
        for number, shown in tests_in(path):
            lines[number].append(shown)
    return dict(lines)


def written() -> str:
    """Write the page."""
    shown = found()
    out = [
        "# Safeguards",
        "",
        "What a lawful operator must be able to show, line by line, and the test that shows it. `make safeguards`",
        "writes it from the tests themselves; a test fails when this page is not what they say. What is not here",
        "yet says with what it comes.",
    ]
    for section, lines in SECTIONS.items():
        out += ["", f"## {section}", "", "| | Safeguard | What the test shows | Test |", "|---|---|---|---|"]
        for number, (words, later) in lines.items():
            tests = shown.get(number, [])
            if not tests:
                out.append(f"| {number} | {words} | {later or 'no test yet'} | |")
            for index, test in enumerate(tests):
                start = f"| {number} | {words}" if index == 0 else "| |"
                out.append(f"{start} | {test.words} | `{test.path}` |")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written())
