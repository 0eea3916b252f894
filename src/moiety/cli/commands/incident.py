"""`moiety incident …`: stop, kill and breaches from the machine, also where the console is out of reach."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer

from moiety.cli import installation
from moiety.cli.books import BookLine
from moiety.cli.commands.operators import line, proposed
from moiety.cli.commands.options import Data, Json, Reason
from moiety.cli.database import open_store
from moiety.cli.gateway import gate, running
from moiety.cli.output import result, say
from moiety.cli.places import Place
from moiety.foundation.clock import SystemClock
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput, Forbidden, PartDown, Refusal, Unavailable
from moiety.storage import Switch
from moiety.vault.book import has_book
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.cli.installation import Installation

app = typer.Typer(no_args_is_help=True, help="Stop, kill, breaches: also where the console is out of reach.")

# A gate that does not answer for so long is passed by.
GATE_SECONDS = 15.0
VAULTS = (Role.VAULT_A, Role.VAULT_B)
PRESSED = "pressed"

Which = Annotated[Switch, typer.Argument(metavar="SWITCH", help="stop or kill.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The incident, inc_….")]
OutFile = Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]


@app.command()
def stop(reason: Reason, data: Data = None, *, json: Json = False) -> None:
    """Halt all matching at once, at the gate and at every vault that is here; two people let it go on."""
    _press(Switch.STOP, reason, data, as_json=json)


@app.command()
def kill(reason: Reason, data: Data = None, *, json: Json = False) -> None:
    """Revoke all sessions, API keys, invitations and keys of devices at once; two people lift it."""
    _press(Switch.KILL, reason, data, as_json=json)


def _press(switch: Switch, reason: str, data: Path | None, *, as_json: bool) -> None:
    """Press at the gate, through its API or in its database, and at the vaults of this machine, whatever fails."""
    made = installation.load(installation.where(data))
    told: dict[str, str] = {}
    if made.part in {None, Role.GATE}:
        told[Role.GATE] = _at_the_gate(made, switch, reason)
    for role in VAULTS:
        if has_book(made.folder(role)):
            told[role] = _at_a_vault(BookLine(made, role), switch)
    failed = {part: how for part, how in told.items() if not how.startswith(PRESSED)}
    result({"switch": switch, "parts": told}, as_json=as_json, lines=[f"{part}: {how}" for part, how in told.items()])
    if failed or not told:
        raise Unavailable("It is not pressed everywhere; see above, and press where it is not.")


def _at_the_gate(made: Installation, switch: Switch, reason: str) -> str:
    """Press at the gate; one that hangs sees what stands in its database with the next request."""
    try:
        found = running(made.data)
        if found is not None:
            with found as to:
                to.ask("POST", f"emergencies/{switch}", json={"reason": reason}, timeout=httpx.Timeout(GATE_SECONDS))
            return PRESSED
    except Unavailable:
        say("moiety: the gate does not answer; writing into its database")
    try:
        _in_the_database(made, switch, reason)
    except Refusal as refusal:
        return f"not pressed: {refusal}"
    return f"{PRESSED}, in the database"


def _in_the_database(made: Installation, switch: Switch, reason: str) -> None:
    """Press without the gate's process."""
    from moiety.incidents.emergencies import press  # noqa: PLC0415 - only the gate's own code, loaded when it is needed
    from moiety.ledger import Ledger  # noqa: PLC0415 - as above

    clock = SystemClock()
    identity = made.identity(Role.GATE, clock)
    store = open_store(Place(made, Role.GATE, identity, made.peers(Role.GATE), {}, clock))
    try:
        press(store, Ledger(store, identity.keys.secret("reasons.key")), switch, "owner", reason)
    finally:
        store.close()


def _at_a_vault(book: BookLine, switch: Switch) -> str:
    try:
        book.press(stop=switch is Switch.STOP, kill=switch is Switch.KILL)
    except Refusal as refusal:
        return f"not pressed: {refusal}"
    return PRESSED


@app.command()
def lift(switch: Which, reason: Reason, data: Data = None, *, json: Json = False) -> None:
    """Propose that a switch is let go, for a colleague to sign; the vaults' keepers let go at the vaults."""
    with line(data) as to:
        try:
            made = to.ask("POST", f"emergencies/{switch}/lift-alone", json={"reason": reason})
        except Forbidden:
            proposed(to.ask("POST", f"emergencies/{switch}/lift", json={"reason": reason}), as_json=json)
            return
    say("Nobody works here yet: the gate lets go at the word of the machine's owner.")
    result(made, as_json=json, lines=[*_standing(made), "at the vaults: moiety vault emergency lift"])


@app.command()
def status(data: Data = None, *, json: Json = False) -> None:
    """Say what is pressed, at the gate and at each vault; which incidents are open; whether reports wait."""
    with gate(data) as to:
        found = to.ask("GET", "emergencies")
        incidents = [one for one in to.ask("GET", "incidents")["incidents"] if one["closed_at"] is None]
        clock, drills = to.ask("GET", "reports/clock"), to.ask("GET", "drills")
    lines = [*_standing(found), *map(_incident, incidents), f"reports from outside: {clock['waiting']} wait"]
    if clock["overdue"]:
        lines.append(f"OVERDUE: {clock['overdue']} reports wait for more than {clock['days']} days; this is public")
    newest = drills["reports"][0]["at"] if drills["reports"] else "never"
    lines.append(f"drills last on record: {newest}{'; OVERDUE' if drills['overdue'] else ''}")
    told = {"emergency": found, "incidents": incidents, "reports": clock, "drills_overdue": drills["overdue"]}
    result(told, as_json=json, lines=lines)


def _standing(found: dict[str, Any]) -> list[str]:
    """Say what is pressed where."""
    lines = [f"gate: {name} {_since(found[name])}" for name in ("stop", "kill")]
    for part, told in found["vaults"].items():
        if told is None:
            lines.append(f"{part}: does not answer")
            continue
        pressed = [name for name, key in (("stop", "stopped"), ("kill", "killed")) if told[key]]
        lines.append(f"{part}: {' and '.join(pressed) or 'nothing'} pressed")
    return lines


def _since(pressed: dict[str, Any] | None) -> str:
    return f"PRESSED by {pressed['pressed_by']} at {pressed['pressed_at']}" if pressed else "not pressed"


def _incident(one: dict[str, Any]) -> str:
    hours, closed = one["seconds_left"] / 3600, one["closed_at"]
    clock = f"closed at {closed}" if closed else f"{hours:.0f} h left" if hours >= 0 else f"{-hours:.0f} h OVERDUE"
    left = [step["step"] for step in one["steps"] if not step["done"]]
    return f"{one['id']}: {clock}; steps left: {', '.join(left) or 'none'}"


@app.command("list")
def list_incidents(data: Data = None, *, json: Json = False) -> None:
    """List the breaches that were opened in the console, with their clocks of 72 hours."""
    with gate(data) as to:
        found = to.ask("GET", "incidents")
    result(found, as_json=json, lines=[*map(_incident, found["incidents"])] or ["no incidents"])


@app.command()
def evidence(incident: Id, file: OutFile, data: Data = None, *, json: Json = False) -> None:
    """Write what the ledger saw in an incident's time to a file, each entry with its proof of inclusion."""
    with gate(data) as to:
        found = to.ask("GET", f"incidents/{incident}/evidence")
    _write(file, jsons.dumps(found, indent=1, sort_keys=True).encode())
    more = "" if found["whole"] else "; the rest is in a copy: moiety ledger export"
    lines = [f"{len(found['entries'])} entries in {file.name}{more}; check: moiety ledger verify --evidence {file}"]
    result({"entries": len(found["entries"]), "whole": found["whole"], "file": str(file)}, as_json=json, lines=lines)


@app.command()
def notice(
    incident: Id,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="authority, subjects, india-board or india-principals.")],
    file: OutFile,
    data: Data = None,
    *,
    pdf: Annotated[bool, typer.Option("--pdf", help="As PDF; else as text.")] = False,
    json: Json = False,
) -> None:
    """Write the draft of a notice to a file; people read, correct and send it."""
    with gate(data) as to:
        try:
            reply = to.http.get(f"/v1/incidents/{incident}/notices/{kind}", params={"form": "pdf" if pdf else "text"})
        except httpx.HTTPError:
            raise PartDown("The gate does not answer.") from None
    if not reply.is_success:
        raise BadInput("There is no such incident or notice.")
    _write(file, reply.content)
    result({"file": str(file), "kind": kind}, as_json=json, lines=[f"the draft is in {file.name}"])


def _write(file: Path, content: bytes) -> None:
    """Write a new file.

    Raises:
        BadInput: it is there, or cannot be written.

    """
    if file.exists():
        raise BadInput(f"The file {file.name!r} exists.")
    try:
        write_durably(file, content)
    except OSError as error:
        raise BadInput(f"The file {file.name!r} cannot be written: {error.strerror}.") from None
