"""`moiety receipt …`: what is left of an erasure, and whether it holds."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from moiety.cli.cardfile import CardFile
from moiety.cli.commands.options import Data, GalleryName, Json
from moiety.cli.gateway import gate
from moiety.cli.output import result
from moiety.foundation.errors import BadInput, Unverified
from moiety.people.receipts import Receipt
from moiety.wire.kinds import Role

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
    try:
        receipt = Receipt.read(file.read_bytes())
    except OSError as error:
        raise BadInput(f"The file {file.name!r} cannot be read: {error.strerror}.") from None
    told = receipt.verify()
    if card is not None:
        known = CardFile.read(card)
        if known.card.role != Role.GATE or known.card.signing != receipt.key.hex() or known.tenant != told["tenant"]:
            raise Unverified("Another gate signed this receipt than the one of the card.")
    signer = "the gate of the card" if card else f"the key {receipt.key.hex()}"
    lines = [f"{told['act']}: {told['subject']} of {told['gallery']} at {told['at']}", f"signed by {signer}"]
    result(told | {"key": receipt.key.hex(), "card": card is not None}, as_json=json, lines=lines)
