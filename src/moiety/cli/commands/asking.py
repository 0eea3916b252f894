"""`moiety identify`, `moiety verify`: who is this, and is it the same person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from moiety.cli.commands.options import Case, Data, Face, GalleryName, Json, Reason, Wait
from moiety.cli.gateway import Gate, gate, picture
from moiety.cli.output import result, say
from moiety.cli.waiting import signed
from moiety.foundation.errors import UnknownSubject

app = typer.Typer()


@app.command()
def identify(
    image: Annotated[Path, typer.Argument(help="A photo.")],
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = "identified at the command line by the owner of the installation",
    case: Case = "",
    number: Face = 0,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Find out who of a gallery is in a photo; below the threshold it says none."""
    upload = {"image": picture(image)}
    form = {"reason": reason, "reveal": "true", "case": case, "face": str(number)}
    with gate(data) as line:
        made = line.act("POST", f"galleries/{gallery}/identify", data=form, files=upload)
        answer = signed(line, made, wait=wait, as_json=json)
    faces: list[dict[str, Any]] = answer["faces"]
    for face in faces:
        for candidate in face["candidates"]:
            candidate["subject"] = candidate.get("subject") or candidate["subject_id"]
    if not faces:
        say("No face was found in the picture.")
        answer["code"] = "no-face"
    result(answer, as_json=json, lines=[_line(number, face) for number, face in enumerate(faces, 1)])


def _line(number: int, face: dict[str, Any]) -> str:
    """Say in one line who a face is."""
    x, y, w, h = face["box"]
    where = f"face {number} at {x},{y} ({w}x{h}): "
    if face.get("too_many"):
        return where + "too many candidates; the gallery's threshold is too low for its size"
    found = [f"{candidate['subject']} ({candidate['band']})" for candidate in face["candidates"]]
    return where + (", ".join(found) or "none")


@app.command()
def verify(
    first: Annotated[Path, typer.Argument(help="A photo.")],
    second: Annotated[Path | None, typer.Argument(help="Another photo to compare with.")] = None,
    subject: Annotated[str | None, typer.Option(help="Compare with this subject instead: its name or id.")] = None,
    gallery: Annotated[str | None, typer.Option("--gallery", "-g", help="Gallery of the subject.")] = None,
    data: Data = None,
    reason: Reason = "verified at the command line by the owner of the installation",
    case: Case = "",
    number: Face = 0,
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Say whether two photos show the same person, or whether a photo shows a subject of a gallery."""
    if (second is None) == (subject is None) or (subject is None) != (gallery is None):
        raise typer.BadParameter("Give two photos, or one photo with --subject and --gallery.")
    with gate(data, make=True) as line:
        if second is not None:
            uploads = {"first": picture(first), "second": picture(second)}
            answer = line.ask("POST", "compare", data={"reason": reason}, files=uploads)
        else:
            found = find(line, str(gallery), str(subject), reason)
            path = f"galleries/{gallery}/subjects/{found}/verify"
            form = {"reason": reason, "case": case, "face": str(number)}
            made = line.act("POST", path, data=form, files={"image": picture(first)})
            answer = signed(line, made, wait=wait, as_json=json)
    words = f"the same person ({answer['band']})" if answer["same"] else "not the same person, as far as can be told"
    result(answer, as_json=json, lines=[words])


def find(line: Gate, gallery: str, subject: str, reason: str) -> str:
    """Turn a subject's name or id into its id.

    Raises:
        UnknownSubject: the gallery has no such subject.

    """
    if subject.startswith("sub_"):
        return subject
    found = line.ask("POST", f"galleries/{gallery}/find", json={"reference": subject, "reason": reason})["subject_id"]
    if found is None:
        raise UnknownSubject
    return str(found)
