"""`moiety demo`: from nothing to a person found, then a page to try it with."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli import installation
from moiety.cli.commands.options import Json
from moiety.cli.commands.running import ONE_MACHINE, browse, ticket
from moiety.cli.gateway import picture, running
from moiety.cli.output import result, say
from moiety.cli.peek import peek
from moiety.cli.samples import Samples, obtain
from moiety.cli.supervisor import Supervisor
from moiety.foundation import settings
from moiety.foundation.errors import BadInput, PartDown
from moiety.vision.folders import photos_by_person

if TYPE_CHECKING:
    from moiety.cli.gateway import Gate

app = typer.Typer()

GALLERY = "demo"
PURPOSE = "demonstration on this machine"
REASON = "shown in the demonstration"


@app.command()
def demo(
    photos: Annotated[Path | None, typer.Option(help="Your own photos instead: a folder per person.")] = None,
    data: Annotated[Path | None, typer.Option(help="Keep the installation in this new folder.")] = None,
    port: Annotated[int, typer.Option(help="Port of the gate; 0: any free one.")] = 0,
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the first match.")] = False,
    json: Json = False,
) -> None:
    """Start everything on this machine, enrol photos, find a person, show what each part holds, serve the page."""
    begun = time.monotonic()
    samples = _own(photos) if photos else obtain(settings.folder("MOIETY_MODELS"), say)
    folder = data or Path(tempfile.mkdtemp(prefix="moiety-demo-"))
    supervisor = Supervisor(installation.create(folder.absolute()), "127.0.0.1", port, say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.ask_to_stop())
    try:
        with supervisor:
            say(f"six processes run: gate, eye, vault A, vault B, mint, witness ({time.monotonic() - begun:.1f} s)")
            found = _find(folder.absolute(), samples) | {"seconds": round(time.monotonic() - begun, 1)}
            for what, noise in peek(installation.load(folder.absolute())):
                say(f"  {what}\n    {noise}")
            say(ONE_MACHINE)
            if not once:
                link = ticket(folder.absolute())
                browse(link)
                say(f"try it yourself, the link works once: {link}\nCtrl-C ends the demonstration")
            result(found, as_json=json, lines=[_line(found)])
            if not once:
                supervisor.watch()
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> Samples:
    """Take the user's photos and keep one of them back to be found.

    Raises:
        BadInput: nobody has two photos.

    """
    people = photos_by_person(folder)
    for person, paths in people.items():
        if len(paths) > 1:
            return Samples({**people, person: paths[:-1]}, paths[-1], person)
    raise BadInput("One person must have two photos: one is enrolled, the other is found.")


def _find(data: Path, samples: Samples) -> dict[str, Any]:
    """Enrol everybody and ask who the photo shows that was kept back."""
    line = running(data)
    if line is None:
        raise PartDown("The gate does not answer.")
    with line:
        line.ask("POST", "galleries", json={"name": GALLERY, "purpose": PURPOSE})
        enrolled = sum(_enrol(line, person, path) for person, paths in samples.enrol.items() for path in paths)
        say(f"enrolled {enrolled} photos of {len(samples.enrol)} people; asking about one that was not enrolled")
        upload, form = {"image": picture(samples.probe)}, {"reason": REASON, "reveal": "true"}
        faces = line.ask("POST", f"galleries/{GALLERY}/identify", files=upload, data=form)["faces"]
    candidates = faces[0]["candidates"] if faces else []
    return {
        "enrolled": enrolled,
        "people": len(samples.enrol),
        "shows": samples.probe_shows,
        "found": candidates[0].get("subject") if candidates else None,
        "band": candidates[0]["band"] if candidates else None,
    }


def _enrol(line: Gate, person: str, path: Path) -> bool:
    """Enrol one photo; one that is not good enough is named and passed over."""
    form = {"reference": person, "reason": REASON}
    try:
        line.ask("POST", f"galleries/{GALLERY}/subjects", files={"image": picture(path)}, data=form)
    except BadInput as refusal:
        say(f"{path.name}: {refusal}")
        return False
    return True


def _line(found: dict[str, Any]) -> str:
    """Say what was found."""
    if found["found"] is None:
        return "nobody was found"
    return f"found: {found['found']} ({found['band']}) among {found['people']} people, after {found['seconds']} s"
