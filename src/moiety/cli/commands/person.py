"""`moiety person …`: records of people, with or without a face, and what is owed to them."""

from __future__ import annotations

import base64
import json as jsons
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli.commands.asking import find
from moiety.cli.commands.operators import propose, proposed
from moiety.cli.commands.options import Data, GalleryName, Json, Reason, Wait
from moiety.cli.gateway import gate
from moiety.cli.output import result
from moiety.cli.waiting import signed
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput
from moiety.people.holds import hold_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.cli.gateway import Gate

app = typer.Typer(no_args_is_help=True, help="People's records, and their rights.")

OWNER = "asked for at the command line by the owner of the installation"
Person = Annotated[str, typer.Argument(help="The subject's reference or id.")]
Fields = Annotated[list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="A field; may be repeated.")]


def _fields(given: Sequence[str] | None) -> dict[str, str]:
    """Read NAME=VALUE.

    Raises:
        BadInput: one has no equals sign.

    """
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals:
            raise BadInput("A field is written as NAME=VALUE.")
        found[name] = value
    return found


def of_subject(line: Gate, gallery: str, subject: str, reason: str) -> str:
    """Give the path of a subject who is named by reference or id."""
    return f"galleries/{gallery}/subjects/{find(line, gallery, subject, reason)}"


@app.command()
def add(
    reference: Annotated[str, typer.Argument(help="What you call the person: a card's number, a name.")],
    gallery: GalleryName,
    field: Fields = None,
    basis: Annotated[str | None, typer.Option(help="Why it is lawful; else what the gallery says.")] = None,
    source: Annotated[str | None, typer.Option(help="From whom it comes; else what the gallery says.")] = None,
    guardian: Annotated[
        str | None, typer.Option(metavar="NAME,RELATION,WHY", help="Who answers for a person under eighteen, and why.")
    ] = None,
    ends: Annotated[str, typer.Option(metavar="DATE", help="A day on which it ends, earlier than the gallery's.")] = "",
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Enter a person without a photo: every job goes on by the reference alone."""
    body: dict[str, Any] = {"reference": reference, "fields": _fields(field), "reason": reason}
    body |= {"basis": basis, "source": source, "ends_at": moment_of(ends) if ends else None}
    if guardian is not None:
        parts = [part.strip() for part in guardian.split(",", 2)]
        if len(parts) != 3:  # noqa: PLR2004 - name, relation, reason
            raise BadInput("A guardian is written as NAME,RELATION,WHY.")
        body |= {"minor": True, "guardian": dict(zip(("name", "relation", "reason"), parts, strict=True))}
    with gate(data) as line:
        made = line.ask("POST", f"galleries/{gallery}/people", json=body)
    result(made, as_json=json, lines=[f"entered {made['subject_id']}"])


@app.command("list")
def list_all(
    gallery: GalleryName,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Begin behind this subject.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """List people, their references masked."""
    asked = {"reason": reason, "limit": limit} | ({"after": after} if after else {})
    with gate(data) as line:
        found = line.ask("GET", f"galleries/{gallery}/people", params=asked)
    lines = [f"{one['subject_id']}  {one['reference']}  {one['photos']} photos" for one in found["people"]]
    result(found, as_json=json, lines=lines or ["nobody"])


@app.command()
def consent(
    subject: Person,
    gallery: GalleryName,
    release: Annotated[Path, typer.Argument(help="JSON: notice, ends_at, signed_by, and strokes, png or passkey.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Store a consent with its written release, which comes before the face."""
    try:
        told = jsons.loads(release.read_bytes())
    except (OSError, ValueError):
        raise BadInput(f"The file {release.name!r} is no release.") from None
    if not isinstance(told, dict):
        raise BadInput(f"The file {release.name!r} is no release.")
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.ask("POST", f"{path}/consents", json=told | {"reason": reason})
    result(made, as_json=json, lines=[f"consent {made['id']} until {made['ends_at']}"])


@app.command()
def decline(
    subject: Person,
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Note that a person gives no release: they go on by card or PIN, and nobody asks again."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.ask("POST", f"{path}/decline", json={"reason": reason})
    result(made, as_json=json, lines=["goes on without a face"])


@app.command()
def withdraw(
    subject: Person,
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    keep_card: Annotated[bool, typer.Option("--keep-card", help="Erase the face only; card or PIN stay.")] = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Withdraw a consent: nothing is matched any more, and the face, or the whole record, is erased."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.act("POST", f"{path}/withdraw", json={"reason": reason, "keep_card": keep_card})
        done = signed(line, made, wait=wait, as_json=json)
    result(done, as_json=json, lines=[f"erased: {done['erased']}"])


@app.command()
def export(
    subject: Person,
    gallery: GalleryName,
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for access.json and access.pdf.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Write all that is kept about a person, for machines and for reading; others are left out."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.act("POST", f"{path}/access", json={"reason": reason, "pdf": True})
        found = signed(line, made, wait=wait, as_json=json)
    written = {
        "access.json": jsons.dumps(found["document"], ensure_ascii=False, indent=1).encode(),
        "access.pdf": base64.b64decode(found["pdf"]),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in written.items():
            write_durably(out / name, content)
    except OSError as error:
        raise BadInput(f"The folder {out.name!r} cannot be written: {error.strerror}.") from None
    result({"files": sorted(written)}, as_json=json, lines=[str(out / name) for name in sorted(written)])


@app.command()
def rectify(
    subject: Person,
    gallery: GalleryName,
    field: Fields = None,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Put fields right; earlier matches are marked to be asked again, and whoever was told is named."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.ask("POST", f"{path}/rectify", json={"fields": _fields(field), "reason": reason})
    told = ", ".join(made["recipients"]) or "nobody"
    result(made, as_json=json, lines=[f"{made['matches']} matches to be asked again; to be told: {told}"])


@app.command("object")
def object_to(
    subject: Person,
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    overrule: Annotated[
        bool, typer.Option("--overrule", help="Decide against an objection; matching goes on.")
    ] = False,
    json: Json = False,
) -> None:
    """Take an objection: nothing is matched against this person until it is decided."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        line.ask("POST", f"{path}/{'overrule' if overrule else 'object'}", json={"reason": reason})
    state = "goes on" if overrule else "stopped"
    result({"matching": state}, as_json=json, lines=[f"matching {state}"])


@app.command()
def merge(
    subject: Person,
    into: Annotated[str, typer.Argument(help="The record that stays, by reference or id.")],
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Merge a record into another one of the same person."""
    with gate(data) as line:
        path, stays = of_subject(line, gallery, subject, reason), find(line, gallery, into, reason)
        made = line.act("POST", f"{path}/merge", json={"into": stays, "reason": reason})
        done = signed(line, made, wait=wait, as_json=json)
    result(done, as_json=json, lines=[f"merged into {stays}"])


@app.command()
def hold(
    subject: Person,
    gallery: GalleryName,
    review: Annotated[str, typer.Option(metavar="DATE", help="When it is reviewed, such as 2027-06-01.")],
    data: Data = None,
    reason: Reason = OWNER,
    approval: Annotated[str, typer.Option(metavar="ID", help="The approval, once a colleague has signed it.")] = "",
    *,
    json: Json = False,
) -> None:
    """Propose a legal hold; signed by a colleague, it begins with `--approval`."""
    moment = moment_of(review)
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        if not approval:
            of, facts = line.ask("GET", f"galleries/{gallery}")["id"], hold_lines(path.rpartition("/")[2], _at(moment))
            proposed(propose(line, "legal-hold", facts, (of, reason)), as_json=json, shown=True)
            return
        body = {"review_at": moment, "reason": reason, "approval": approval}
        made = line.ask("POST", f"{path}/holds", json=body)
    result(made, as_json=json, lines=[f"{made['id']} holds"])


def moment_of(day: str) -> str:
    """Write a day as the moment at which it begins in UTC; a moment stays as it is."""
    return day if "T" in day else f"{day}T00:00:00+00:00"


def _at(text: str) -> float:
    """Read a moment.

    Raises:
        BadInput: it is none.

    """
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BadInput("A day is written as 2027-06-01.") from None
