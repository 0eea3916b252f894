"""`moiety enrol`, `moiety erase`, `moiety show`: subjects come, go and are looked up."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli.commands.asking import find
from moiety.cli.commands.options import Data, GalleryName, Json, Reason, Wait
from moiety.cli.exits import Exit
from moiety.cli.gateway import gate, picture
from moiety.cli.output import progress, result, say
from moiety.cli.waiting import answer, signed, tell
from moiety.foundation.errors import AlreadyThere, BadInput, DuplicatePhoto
from moiety.vision.folders import photos_by_person

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moiety.cli.gateway import Gate

app = typer.Typer()

AT_ONCE = 4


@app.command()
def enrol(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder per person, or NAME_0001.jpg.")],
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = "enrolled at the command line by the owner of the installation",
    *,
    capture: Annotated[str, typer.Option(help="How the photos were taken: `attended`, here, or `sent`.")] = "",
    live: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pictures of the same people taken here, named alike: for `sent`."),
    ] = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Enrol the people whose photos a folder holds; run it again to go on where it stopped."""
    photos = [(person, path) for person, paths in photos_by_person(folder).items() for path in paths]
    taken = {person: paths[0] for person, paths in photos_by_person(live).items()} if live else {}
    with gate(data) as line:
        line.ask("GET", f"galleries/{gallery}")
        with progress("enrolling", len(photos)) as advance:
            report = _enrol_all(_Album(line, gallery, reason, capture, taken, wait=wait), photos, advance)
    counts = Counter(str(one["state"]) for one in report)
    people = {str(one["subject_id"]) for one in report if "subject_id" in one}
    found = {
        "photos": len(photos),
        "enrolled": counts["enrolled"],
        "already": counts["already"],
        "refused": counts["refused"],
        "waiting": counts["waiting"],
        "subjects": len(people),
        "report": report,
    }
    for one in report:
        if one["state"] == "refused":
            say(f"{one['photo']}: {one['detail']}")
    summary = f"{counts['enrolled']} enrolled, {counts['already']} there already, {counts['refused']} refused"
    result(found, as_json=json, lines=[summary])
    if counts["refused"] == len(photos):
        raise BadInput("None of the photos could be enrolled.")
    if counts["waiting"]:
        say(f"{counts['waiting']} photos wait for people's signatures: moiety question list")
        raise SystemExit(int(Exit.WAITS))


@dataclass(frozen=True, slots=True)
class _Album:
    """Where photos go, and why."""

    line: Gate
    gallery: str
    reason: str
    capture: str
    taken: Mapping[str, Path]
    wait: bool


def _enrol_all(to: _Album, photos: Sequence[tuple[str, Path]], advance: Callable[[int], None]) -> list[dict[str, Any]]:
    """Enrol several people at a time; photos of one person one after the other.

    Raises:
        Refusal: a part is down or something else that would refuse every photo alike.

    """
    report: list[dict[str, Any]] = [{} for _ in photos]
    by_person: dict[str, list[int]] = {}
    for index, (person, _) in enumerate(photos):
        by_person.setdefault(person, []).append(index)
    stop = threading.Event()

    def one_person(indices: list[int]) -> None:
        for index in indices:
            if stop.is_set():
                return
            try:
                person, path = photos[index]
                report[index] = {"photo": path.name, **_enrol_one(to, person, path)}
            except BaseException:
                stop.set()
                raise
            advance(1)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(one_person, indices) for indices in by_person.values()]:
            done.result()
    return report


def _enrol_one(to: _Album, person: str, path: Path) -> dict[str, Any]:
    """Enrol one photo and say what came of it."""
    form = {"reference": person, "reason": to.reason} | ({"capture": to.capture} if to.capture else {})
    try:
        files = {"image": picture(path)}
        if person in to.taken:
            files["live"] = picture(to.taken[person])
        asked = to.line.act("POST", f"galleries/{to.gallery}/subjects", data=form, files=files)
        if asked.waits and not to.wait:
            return {"state": "waiting", "question": asked.body["id"]}
        if asked.waits:
            tell(asked.body)
        made = answer(to.line, asked.body) if asked.waits else asked.body
    except DuplicatePhoto as refusal:
        return {"state": "already", "code": refusal.slug, "detail": str(refusal)}
    except (BadInput, AlreadyThere) as refusal:
        if refusal.slug in _ALIKE:
            raise
        return {"state": "refused", "code": refusal.slug, "detail": str(refusal)}
    return {
        "state": "enrolled",
        "subject_id": made["subject_id"],
        "photo_id": made["photo_id"],
        "new_subject": made["new_subject"],
        "quality": made["face"]["quality"],
    }


# These would refuse every photo alike, so the command stops at the first.
_ALIKE = {"model-mismatch"}


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="The subject's name or id.")],
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = "erased at the command line by the owner of the installation",
    *,
    two: Annotated[bool, typer.Option("--two", help="Have two people sign, as above so many erasures a day.")] = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Erase a person: out of every search at once, then gone from both vaults and the gate."""
    with gate(data) as line:
        found = find(line, gallery, subject, reason)
        path, why = f"galleries/{gallery}/subjects/{found}", {"reason": reason, "two": str(two).lower()}
        signed(line, line.act("DELETE", path, params=why), wait=wait, as_json=json)
    result({"erased": found}, as_json=json, lines=[f"erased {found}"])


@app.command()
def show(
    subject: Annotated[str, typer.Argument(help="The subject's name or id.")],
    gallery: GalleryName,
    data: Data = None,
    reason: Reason = "shown at the command line to the owner of the installation",
    fields: Annotated[str, typer.Option(help="Fields to reveal, separated by commas.")] = "reference",
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Reveal fields of a subject one by one; each is signed for, metered at vault B and written into the ledger."""
    names = [name.strip() for name in fields.split(",") if name.strip()]
    with gate(data) as line:
        found = find(line, gallery, subject, reason)
        path = f"galleries/{gallery}/subjects/{found}"
        shown: dict[str, Any] = line.ask("GET", path)
        shown["fields"] = {}
        for name in names:
            made = line.act("POST", f"{path}/reveal", json={"fields": [name], "reason": reason})
            shown["fields"] |= signed(line, made, wait=wait, as_json=json)["fields"]
    lines = [f"{name}: {value}" for name, value in shown["fields"].items()]
    result(shown, as_json=json, lines=[found, *lines])
