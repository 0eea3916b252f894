"""`moiety receipt …`: what is left of an erasure, and whether it holds."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from moiety.cli.commands.options import Data, GalleryName, Json
from moiety.cli.gateway import gate
from moiety.cli.output import result
from moiety.cli.papers import checked
from moiety.people.receipts import Receipt

app = typer.Typer(no_args_is_help=True, help="Receipts of erasures, which anybody can check.")


@app.command()
def show(
    subject: Annotated[str, typer.Argument(help="The id of the subject who was erased.")],
    gallery: GalleryName,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Show the receipts for a subject of whom nothing else may be left; save one line as a file to hand it out."""
    with gate(data) as line:
        found = line.ask("GET", f"galleries/{gallery}/receipts/{subject}")
    result(found, as_json=json, lines=[_line(one) for one in found["receipts"]] or ["no receipt"])


def _line(receipt: dict[str, Any]) -> str:
    """Write a receipt as one line of JSON."""
    return jsons.dumps(receipt, sort_keys=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A receipt.")],
    card: Annotated[Path | None, typer.Option(metavar="FILE", help="The gate's card, from `moiety gate card`.")] = None,
    *,
    json: Json = False,
) -> None:
    """Check a receipt without any installation; with --card also that this gate signed it."""
    told, signed = checked(file, Receipt, card)
    lines = [f"{told['act']}: {told['subject']} of {told['gallery']} at {told['at']}", signed]
    result(told, as_json=json, lines=lines)
