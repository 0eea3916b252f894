"""`moiety question`: questions that wait for people's signatures."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

import typer

from moiety.cli.commands.options import Data, Json, Wait
from moiety.cli.files import signature, write_new
from moiety.cli.gateway import Gate, running
from moiety.cli.installation import where
from moiety.cli.output import result, say
from moiety.cli.waiting import answer as answer_of
from moiety.cli.waiting import answered, leaving, tell
from moiety.foundation.errors import PartDown

app = typer.Typer(no_args_is_help=True, help="Questions that wait for people's signatures.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The question, que_….")]


def _line(data: Path | None) -> Gate:
    """Reach the gate that runs; questions live in its memory alone.

    Raises:
        PartDown: it does not run.

    """
    line = running(where(data))
    if line is None:
        raise PartDown("The installation is not running, so no question waits; a restart forgets them.")
    return line


@app.command("list")
def list_questions(data: Data = None, *, json: Json = False) -> None:
    """List the questions that wait, and answers that were not fetched."""
    with _line(data) as line:
        found = line.ask("GET", "questions")
    lines = [
        f"{one['id']}: {one['act']} in {one['gallery']}, {one['state']}, {one['signed']} of {one['wanted']} signed"
        for one in found["questions"]
    ]
    result(found, as_json=json, lines=lines or ["No question waits."])


@app.command()
def material(
    name: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for whoever is to sign.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Write what is to be signed to a file that the signing page opens; it holds the picture."""
    with _line(data) as line:
        question = line.ask("GET", f"questions/{name}")
        content = line.ask("GET", f"questions/{name}/material")
    write_new(file, content)
    say(f"Open it at {question['sign_at']}, then: moiety question sign {name} SIGNATURE")
    result({"id": name, "file": str(file), "sign_at": question["sign_at"]}, as_json=json, lines=[str(file)])


@app.command()
def sign(
    name: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The text that the signing page gave.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Hand in a signature that was made at the signing page."""
    given = signature(file)
    with _line(data) as line:
        found = line.ask("POST", f"questions/{name}/signatures", json=given)
    result({"question": found}, as_json=json, lines=[f"{found['signed']} of {found['wanted']} signed"])


@app.command()
def answer(name: Id, data: Data = None, *, wait: Wait = False, json: Json = False) -> None:
    """Fetch the answer of a question; it is given once, and then forgotten."""
    with _line(data) as line:
        seen = line.ask("GET", f"questions/{name}")
        if seen["state"] == "waiting" and not wait:
            tell(seen)
            raise leaving(seen, as_json=json)
        found = answer_of(line, seen) if wait else answered(seen)
    result({"id": name, "answer": found}, as_json=json, lines=[jsons.dumps(found, ensure_ascii=False, indent=1)])
