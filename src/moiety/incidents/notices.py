"""Drafts of the notices that a breach asks for. People read, correct and send them; nothing is sent from here.

To an authority: GDPR, article 33 (3). To the people concerned: article 34 (2). In India: Digital Personal Data
Protection Act 2023, section 8 (6), and rule 7 of its Rules of 2025, to the Board and to each Data Principal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput
from moiety.incidents.breaches import CLOCK_S
from moiety.incidents.losses import NAMES, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.incidents.affected import Affected
    from moiety.incidents.breaches import Opened

MISSING: Final = "[to be filled in]"
TITLES: Final = {
    "authority": "Notification of a personal data breach to the supervisory authority",
    "subjects": "A breach of your personal data",
    "india-board": "Intimation of a personal data breach to the Data Protection Board of India",
    "india-principals": "Intimation of a personal data breach to a Data Principal",
}
LAWS: Final = {
    "authority": "Regulation (EU) 2016/679, article 33 (3)",
    "subjects": "Regulation (EU) 2016/679, article 34 (2)",
    "india-board": "Digital Personal Data Protection Act 2023, section 8 (6); Rules 2025, rule 7 (2)",
    "india-principals": "Digital Personal Data Protection Act 2023, section 8 (6); Rules 2025, rule 7 (1)",
}
ADVICE: Final = (
    "Be careful with calls and messages that know things about you. Ask us to erase your record, or to put a card in "
    "the place of your face; we do both without asking why. If you use your face elsewhere to be let in, ask there for "
    "another way beside it."
)


def draft(kind: str, one: Opened, found: Affected) -> str:
    """Write one draft as plain text.

    Raises:
        BadInput: there is no such notice.

    """
    if kind not in TITLES:
        raise BadInput(f"There is no such notice; there are: {', '.join(TITLES)}.")
    parts = _to_people(one, found) if kind in {"subjects", "india-principals"} else _to_office(one, found, kind)
    head = f"{TITLES[kind]}\n{LAWS[kind]}\n\nDRAFT, to be read and corrected. Incident {one.incident.id}."
    return "\n\n".join([head, *(f"{title}\n{text}" for title, text in parts)]) + "\n"


def _to_office(one: Opened, found: Affected, kind: str) -> Iterator[tuple[str, str]]:
    """Write what an authority has to know."""
    story, incident = one.story, one.incident
    yield "1. Nature of the breach", f"{story.happened}\n{_lost(one)}"
    yield "2. When", _times(one)
    yield "3. People and records concerned (approximate)", _extent(found)
    yield "4. Contact for more information", f"{story.controller or MISSING}\n{story.contact or MISSING}"
    yield "5. Likely consequences", "\n".join([*found.words, *([story.consequences] if story.consequences else [])])
    yield "6. Measures taken and proposed", story.measures or MISSING
    yield "7. People concerned are told", _telling(found)
    if kind == "india-board":
        yield "8. Findings about who caused it, and what keeps it from happening again", story.closing or MISSING
        yield "9. Intimations given to Data Principals", MISSING
    if incident.opened_at - incident.aware_at > CLOCK_S:
        yield "Reasons for the delay (article 33 (1))", MISSING


def _to_people(one: Opened, found: Affected) -> Iterator[tuple[str, str]]:
    """Write what the people concerned have to know, in plain words."""
    story = one.story
    yield "What happened", story.happened
    yield "When", _times(one)
    fields = ", ".join(found.field_names) or "none"
    faces = "templates of your face" if found.photos else "no face"
    yield "What is concerned", f"We keep {faces}; written down about people are: {fields}.\n{_lost(one)}"
    yield "What this can mean for you", "\n".join(found.words + ((story.consequences,) if story.consequences else ()))
    yield "What we have done", story.measures or MISSING
    yield "What you can do", ADVICE
    yield "Whom you can ask", f"{story.controller or MISSING}\n{story.contact or MISSING}"


def _lost(one: Opened) -> str:
    names = [NAMES[lost] for lost in parse(one.incident.lost)]
    return f"Lost: {'; '.join(names)}." if names else "What was lost is not known yet."


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _times(one: Opened) -> str:
    incident = one.incident
    return (
        f"Between {_moment(incident.began_at)} and {_moment(incident.ended_at)}. We became aware of it at "
        f"{_moment(incident.aware_at)}; the 72 hours end at {_moment(one.due_at)}."
    )


def _extent(found: Affected) -> str:
    fields = ", ".join(f"{name} ({count})" for name, count in found.field_names.items()) or "none"
    places = "; ".join(f"{one.gallery.name} ({one.gallery.purpose}): {one.held.people}" for one in found.galleries)
    acts = sum(one.times for one in found.acts)
    return (
        f"People: {found.people}. Templates of photos: {found.photos}. Fields, and of how many people: {fields}.\n"
        f"By gallery and purpose: {places or 'none'}.\n"
        f"Acts in the ledger in that time: {acts}, of them disclosures: {found.disclosed}."
    )


def _telling(found: Affected) -> str:
    if found.high_risk:
        return "Yes: the risk for them is likely to be high (article 34 (1))."
    return (
        "Not planned: what was lost cannot be read or used without what was not lost (article 34 (3) (a)). "
        "Check this against what is known."
    )
