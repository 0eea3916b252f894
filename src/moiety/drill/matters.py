"""What is written besides faces and fields: releases, guardians, PINs, colleagues, approvals, breaches, reports.

All of it in words that stand nowhere else, by the ways that people use, wrong ones among them.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from moiety.drill.colleague import Browser, administrator, invited
from moiety.foundation.errors import Fault, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moiety.cli.gateway import Gate
    from moiety.drill.ground import Ground

STROKES = [
    [2417, 3391],
    [1193, 3307],
    [1201, 3311],
    [1223, 3319],
    [1237, 3323],
    [1249, 3329],
    [1259, 3331],
    [1277, 3343],
]
# By what it is: each word is written down in one place, or in the way of one refusal.
MARKED = {
    "releases": ("Wexcombe Tarradiddle", "inked-by-the-quillwort-pen", "[2417,3391],[1193,3307]"),
    "consents": ("told-at-the-saltmarsh-counter", "taken-back-at-the-heronry"),
    "guardians": ("Osmanthea Birdlip-Crake", "great-aunt-at-larkspur-house", "kept-while-the-mizzen-school-lasts"),
    "PINs": ("pin-7741-hoopoe", "pin-7714-avocet"),
    "colleagues": ("Thessaly Wimblecourt", "Ambergill Ruddock-Vane"),
    "approvals": ("assessed-in-the-cinderwick-yard", "because-the-tollhouse-asked", "invited-for-the-weir-watch"),
    "breaches": (
        "a-crate-left-at-the-gorsefold-halt",
        "Controller of Pellucid Fen",
        "call-the-dovecote-bell",
        "consequence-brambling-9917",
        "measure-of-the-sluicewright",
        "closed-under-the-rowan-bough",
    ),
    "reports": ("a-hole-behind-the-cygnet-pond", "reach-me-by-stonechat-post", "mended-with-tansy-thread"),
}
NOTICE = "2026-11"
DAYS = 30


def words() -> list[str]:
    """Give every marked word."""
    return [word for kind in MARKED.values() for word in kind]


def kinds(found: Iterable[str]) -> str:
    """Name what words are of, for a report of a drill."""
    names = [kind for kind, marked in MARKED.items() if set(marked) & set(found)]
    return f" ({', '.join(names)})" if names else ""


# ---- about people, by the owner of the machine ----


def _entered(line: Gate, gallery: str) -> None:
    """Let two people in who release their faces: a young one with guardian and PIN, another who takes it back."""
    line.ask("POST", "galleries", json={"name": gallery, "purpose": "a drill of what is written"})
    rule = {"consent": True, "notice": NOTICE, "basis": "consent", "controller": "A drill", "keep_days": DAYS}
    line.ask("PUT", f"galleries/{gallery}/rules", json=rule | {"reason": "a drill"})
    told, back = MARKED["consents"]
    name, relation, why = MARKED["guardians"]
    pin, wrong = MARKED["PINs"]
    guardian = {"name": name, "relation": relation, "reason": why}
    young = {"reference": "drill-ward", "minor": True, "guardian": guardian, "pin": pin, "reason": told}
    signed_by, ink, _ = MARKED["releases"]
    common = {"notice": NOTICE, "ends_at": _day(DAYS - 1), "signed_by": signed_by, "reason": told}
    ward, other = (_enter(line, gallery, one) for one in (young, {"reference": "drill-other", "reason": told}))
    line.ask("POST", f"{ward}/consents", json=common | {"strokes": [STROKES], "by_guardian": True})
    line.ask("POST", f"{other}/consents", json=common | {"png": _drawn(ink)})
    line.ask("POST", f"{other}/withdraw", json={"keep_card": True, "reason": back})
    for tried in (pin, wrong):
        line.ask("POST", f"galleries/{gallery}/present", json={"reference": "drill-ward", "pin": tried, "reason": told})
    line.ask("POST", f"{ward}/access", json={"reason": told})
    refused: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"galleries/{gallery}/people", young | {"minor": False, "reference": "drill-third"}),
        (f"galleries/{gallery}/people", young | {"pin": pin * 3}),
        (f"{ward}/consents", common | {"strokes": [STROKES]}),
        (f"{other}/consents", common | {"png": _drawn(ink)[: len(ink)]}),
    )
    for path, body in refused:
        try:
            line.ask("POST", path, json=body)
        except Refusal:
            continue
        raise Fault("The drill's gate takes what it should refuse; nothing would be proved.")


def _enter(line: Gate, gallery: str, body: dict[str, Any]) -> str:
    """Enter somebody; gives where they are."""
    made = line.ask("POST", f"galleries/{gallery}/people", json=body)
    return f"galleries/{gallery}/subjects/{made['subject_id']}"


def _day(ahead: float) -> str:
    """Give a moment so many days from now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=ahead)).isoformat()


def _drawn(ink: str) -> str:
    """Draw a small picture of a signature that has a word in it."""
    out, notes = io.BytesIO(), PngInfo()
    notes.add_text("Comment", ink)
    Image.new("1", (64, 16)).save(out, "PNG", pnginfo=notes)
    return base64.urlsafe_b64encode(out.getvalue()).rstrip(b"=").decode()


# ---- by people who work here, and by strangers ----


@dataclass(frozen=True)
class Told:
    """The secrets that were told once, and where a breach is written down."""

    secrets: list[str]
    incident: str


@contextmanager
def worked(ground: Ground) -> Iterator[Told]:
    """Enter people who release; then let others work here as long as the block lasts, and write what they write.

    Nobody is looked for meanwhile: the owner of the machine may not.
    """
    with ground.owner() as line:
        _entered(line, ground.name("wards"))
    first, second = MARKED["colleagues"]
    with administrator(ground, first) as (ada, _):
        assessed, because, why = MARKED["approvals"]
        proposal = {"kind": "policy", "facts": [{"name": "assessment", "value": assessed}], "reason": because}
        _done(ada, "POST", "approvals", json=proposal)
        _refused(ada, "POST", "approvals", json=proposal | {"kind": assessed})
        way = invited(ground, ada, "registrar", name=second, reason=why)
        incident = _breach(ada)
        yield Told([way, _reported(ada)], incident)


def _breach(ada: Browser) -> str:
    """Open an incident and close it; gives where it is."""
    happened, controller, contact, consequences, measures, closing = MARKED["breaches"]
    story = {"happened": happened, "controller": controller, "contact": contact}
    story |= {"consequences": consequences, "measures": measures, "began_at": _day(-2), "ended_at": _day(-1)}
    made = _done(ada, "POST", "incidents", json=story | {"aware_at": _day(-0.5)})
    _refused(ada, "POST", "incidents", json=story | {"aware_at": _day(5)})
    path = f"incidents/{made['id']}"
    _done(ada, "PUT", path, json=story)
    _refused(ada, "POST", f"{path}/close", json={"note": closing})
    for one in made["steps"]:
        _done(ada, "POST", f"{path}/steps/{one['step']}")
    _done(ada, "GET", f"{path}/evidence")
    _done(ada, "POST", f"{path}/close", json={"note": closing})
    return path


def _reported(ada: Browser) -> str:
    """Let a stranger report a hole and read the answer; gives the report's secret."""
    text, contact, answer = MARKED["reports"]
    stranger = Browser(ada.url)
    told = {"text": text, "contact": contact}
    try:
        given = _done(stranger, "POST", "reports", json=told)
        _refused(stranger, "POST", "reports", json=told | {"contact": contact * 20})
        _done(ada, "GET", f"reports/{given['number']}")
        _done(ada, "POST", f"reports/{given['number']}/answer", json={"text": answer})
        asked = {"number": given["number"], "secret": given["secret"]}
        if _done(stranger, "POST", "reports/answer", json=asked)["answer"] != answer:
            raise Fault("The drill's report has another answer; nothing would be proved.")
        _refused(stranger, "POST", "reports/answer", json=asked | {"secret": answer})
    finally:
        stranger.http.close()
    return str(given["secret"])


def _done(browser: Browser, method: str, path: str, **body: Any) -> Any:
    """Ask for something and have it.

    Raises:
        Fault: it is refused.

    """
    reply = browser.ask(method, f"/v1/{path}", **body)
    if not reply.is_success:
        raise Fault(f"The drill's gate refuses {method} {path.partition('/')[0]}; nothing would be proved.")
    return reply.json()


def _refused(browser: Browser, method: str, path: str, **body: Any) -> None:
    """Ask for something that is none: that is where words slip into logs.

    Raises:
        Fault: it is given.

    """
    if browser.ask(method, f"/v1/{path}", **body).is_success:
        raise Fault(f"The drill's gate takes any {method} {path.partition('/')[0]}; nothing would be proved.")
