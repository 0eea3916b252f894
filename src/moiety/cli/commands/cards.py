"""`moiety card`: what parts on different machines must know of each other, compared by voice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from moiety.cli import cardfile, installation
from moiety.cli.apart import KNOWS, role_of
from moiety.cli.cardfile import CardFile, Outcome
from moiety.cli.commands.options import Data, Json
from moiety.cli.output import result, say
from moiety.foundation.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Cards: who the parts on other machines are.")


@app.command()
def show(
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the card to this file.")] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Show this part's card, and the words to read to the other operators over the phone."""
    own = cardfile.own(installation.load(installation.where(data)))
    if out:
        own.write(out)
    result(own.about(), as_json=json, lines=_lines(own))


def _lines(one: CardFile) -> list[str]:
    """Write a card for people."""
    return [f"{one.card.role} of {one.tenant}", f"words:       {one.words}", f"fingerprint: {one.card.fingerprint}"]


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Cards that other operators sent.")],
    words: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="The words that the card's operator read to you; asked for without it."),
    ] = None,
    data: Data = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="The part was set up anew with new keys.")] = False,
    json: Json = False,
) -> None:
    """Believe other parts from now on, if their operators read the words that belong to their cards."""
    made = installation.load(installation.where(data))
    sent = [CardFile.read(file) for file in files]
    if words is not None and len(sent) > 1:
        raise BadInput("Words belong to one card: give one file, or leave --words out to be asked for each.")
    outcomes = [cardfile.standing(made, one) for one in sent]
    told = []
    for one, expected in zip(sent, outcomes, strict=True):
        heard = words if words is not None else _ask(one, expected)
        outcome = cardfile.add(made, one, heard, replace=replace)
        say(f"{one.card.role}: {outcome}")
        told.append({**one.about(), "outcome": outcome})
    result({"cards": told}, as_json=json, lines=[line for one in sent for line in _lines(one)])
    if set(outcomes) != {Outcome.KNOWN}:
        say("The part that runs here knows them from its next start.")


def _ask(sent: CardFile, outcome: Outcome) -> str:
    """Ask for the words; they are not shown, so that nobody confirms what he has not heard.

    Raises:
        BadInput: nobody is there to be asked.

    """
    if not sys.stdin.isatty():
        raise BadInput("Give --words, or run this at a terminal.")
    say(f"Call the operator of {sent.card.role} at a number that you know, not one that came with the file.")
    if outcome is Outcome.REPLACED:
        say(f"Another card of {sent.card.role} is known. {cardfile.MEANS}")
    heard: str = typer.prompt(f"The six words of {sent.card.role}", err=True)
    return heard


@app.command("list")
def list_all(data: Data = None, *, json: Json = False) -> None:
    """List whom this part knows, and whose cards are missing."""
    made = installation.load(installation.where(data))
    role = role_of(made)
    peers = made.peers(role)
    known = [CardFile(made.tenant, card) for card in peers]
    missing = [one for one in KNOWS[role] if one not in peers]
    lines = [f"{one.card.role}: {one.words}{' (this part)' if one.card.role is role else ''}" for one in known]
    found = {"part": role, "cards": [one.about() for one in known], "missing": missing}
    result(found, as_json=json, lines=[*lines, *(f"{one}: missing" for one in missing)])
