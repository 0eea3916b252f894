"""More of `moiety person …`: why somebody is kept, where else, their card, their time, and whom they do not know of."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from moiety.cli.commands.asking import find
from moiety.cli.commands.options import Data, GalleryName, Json, Reason, Wait
from moiety.cli.commands.person import OWNER, Person, app, moment_of, of_subject
from moiety.cli.commands.person_own import own
from moiety.cli.gateway import gate
from moiety.cli.output import result
from moiety.cli.waiting import signed
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput

app.add_typer(own, name="own-template")


@app.command()
def record(
    subject: Person,
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Show why somebody is kept, and their consents; nothing is revealed."""
    with gate(data) as line:
        found = line.ask("GET", f"{of_subject(line, gallery, subject, reason)}/record")
    ends = found["expires_at"] or "no end on record"
    lines = [f"{found['subject_id']}  {found['basis'] or 'no basis on record'}  until {ends}"]
    lines += [f"consent {one['id']} to notice {one['notice']} until {one['ends_at']}" for one in found["consents"]]
    result(found, as_json=json, lines=lines)


@app.command("find")
def find_everywhere(
    reference: Annotated[str, typer.Argument(help="What all the records call the person.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Find one person's records in all galleries, for somebody who asks for their rights."""
    with gate(data) as line:
        found = line.ask("POST", "people/find", json={"reference": reference, "reason": reason})
    lines = [f"{one['gallery_id']}  {one['subject_id']}" for one in found["records"]]
    result(found, as_json=json, lines=lines or ["nobody"])


@app.command()
def elsewhere(
    subject: Person,
    gallery: GalleryName,
    enter: Annotated[str, typer.Option(metavar="GALLERY", help="Enter the person there too, by the reference.")] = "",
    data: Data = None,
    reason: Reason = OWNER,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Show for what else somebody is enrolled, where consent and rules allow it; or enrol them for one purpose more."""
    with gate(data) as line:
        path, body = f"{of_subject(line, gallery, subject, reason)}/elsewhere", {"reason": reason}
        if enter:
            path, body = f"{path}/enter", body | {"into": enter}
        found = signed(line, line.act("POST", path, json=body), wait=wait, as_json=json)
    records = [found] if enter else found["records"]
    lines = [f"{one['gallery_id']}  {one['subject_id']}" for one in records]
    result({"records": records}, as_json=json, lines=lines or ["nothing else"])


@app.command()
def present(
    reference: Annotated[str, typer.Argument(help="The card's number, or another reference.")],
    gallery: GalleryName,
    pin: Annotated[str | None, typer.Option(help="The PIN, where one was set.", prompt=False)] = None,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Say whether a card, and its PIN where one is set, is somebody's: the way in without a face."""
    body: dict[str, Any] = {"reference": reference, "reason": reason} | ({"pin": pin} if pin else {})
    with gate(data) as line:
        made = line.ask("POST", f"galleries/{gallery}/present", json=body)
    result(made, as_json=json, lines=[f"it is {made['subject_id']}" if made["same"] else "nobody"])


@app.command()
def contact(
    subject: Person,
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    over: Annotated[bool, typer.Option("--over", help="The purpose is met: the record ends by itself, now.")] = False,
    json: Json = False,
) -> None:
    """Note that somebody was heard of: the record's time runs anew, never beyond three years."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.ask("POST", f"{path}/{'over' if over else 'contact'}", json={"reason": reason})
    result(made, as_json=json, lines=[f"until {made['expires_at']}"])


@app.command()
def end(
    subject: Person,
    gallery: GalleryName,
    on: Annotated[
        str, typer.Option(metavar="DATE", help="The day of the end, such as 2027-06-01; else the gallery's.")
    ] = "",
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Let one record end earlier than the gallery would end it, never later; without a day, as the gallery does."""
    ends_at = {"ends_at": moment_of(on)} if on else {}
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.ask("POST", f"{path}/end", json={"reason": reason} | ends_at)
    result(made, as_json=json, lines=[f"until {made['expires_at']}"])


@app.command()
def portable(
    subject: Person,
    gallery: GalleryName,
    out: Annotated[Path, typer.Option(metavar="FILE", help="A file for what the person provided, as JSON.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Write what a person provided, to take along."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        made = line.act("POST", f"{path}/portable", json={"reason": reason})
        found = signed(line, made, wait=wait, as_json=json)
    try:
        write_durably(out, jsons.dumps(found["document"], ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise BadInput(f"The file {out.name!r} cannot be written: {error.strerror}.") from None
    result({"file": out.name}, as_json=json, lines=[str(out)])


@app.command()
def split(
    subject: Person,
    into: Annotated[str, typer.Argument(help="The record of the other person, by reference or id.")],
    gallery: GalleryName,
    photo: Annotated[list[str], typer.Option(metavar="ID", help="A photo that shows the other; may be repeated.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Give photos that show somebody else to that person's record."""
    with gate(data) as line:
        path, other = of_subject(line, gallery, subject, reason), find(line, gallery, into, reason)
        made = line.ask("POST", f"{path}/split", json={"into": other, "photos": photo, "reason": reason})
    result(made, as_json=json, lines=[f"{len(photo)} photos are of {other} now"])


@app.command()
def told(
    gallery: GalleryName,
    done: Annotated[str | None, typer.Option(metavar="ID", help="Say that the recipient has read this one.")] = None,
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """List earlier answers that recipients have to look at again."""
    with gate(data) as line:
        if done is not None:
            line.ask("POST", f"galleries/{gallery}/follow-ups/{done}/done", json={"reason": reason})
        found = line.ask("GET", f"galleries/{gallery}/follow-ups")
    lines = [f"{one['id']}  {one['recipient']}  entry {one['entry']}  {one['cause']}" for one in found["follow_ups"]]
    result(found, as_json=json, lines=lines or ["nobody has to be told anything"])
