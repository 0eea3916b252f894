"""`moiety operator …`: the people who work here, from the machine on which the gate runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli.commands.options import Data, Json
from moiety.cli.gateway import Gate, running
from moiety.cli.installation import where
from moiety.cli.output import result, say
from moiety.foundation.errors import PartDown

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, help="People who work here: invited by two, known by passkeys alone.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The operator, opr_….")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the colleague who approves reads it.")]
Role = Annotated[list[str], typer.Option("--role", help="Such as officer or officer@gal_…; may be repeated.")]


def line(data: Path | None) -> Gate:
    """Reach the gate that runs: sessions and links are of use with it alone.

    Raises:
        PartDown: it does not run.

    """
    found = running(where(data))
    if found is None:
        raise PartDown("The installation is not running; start it with `moiety up`.")
    return found


def link(to: Gate, path: str) -> str:
    """Write the whole address of a page of the gate."""
    return str(to.http.base_url).rstrip("/") + path


def propose(to: Gate, kind: str, facts: dict[str, str], of: tuple[str, str]) -> dict[str, Any]:
    """Lay an act before a second person; `of` is the gallery's id and the reason."""
    lines = [{"name": name, "value": value} for name, value in facts.items()]
    return to.ask("POST", "approvals", json={"kind": kind, "facts": lines, "gallery": of[0], "reason": of[1]})


def proposed(made: dict[str, Any], *, as_json: bool, shown: bool = False) -> None:
    """Tell what a second person has to sign, and what comes then; `shown`: the same command with the approval."""
    then = f"this command again with --approval {made['id']}" if shown else f"moiety approval carry-out {made['id']}"
    say(f"A colleague signs it, with a passkey; then: {then}")
    result(made, as_json=as_json, lines=[made["id"]])


@app.command()
def first(data: Data = None, *, json: Json = False) -> None:
    """Print the link by which the first operator of a new installation makes a passkey; it works once, for a day."""
    with line(data) as to:
        made = to.ask("POST", "operators/first")
        address = link(to, made["path"])
    say("Open it in the browser of the person who shall be the first administrator:")
    result({"operator": made["operator"], "url": address}, as_json=json, lines=[address])


@app.command("list")
def list_operators(data: Data = None, *, json: Json = False) -> None:
    """List who works here or did."""
    with line(data) as to:
        found = to.ask("GET", "operators")
    lines = [
        f"{one['id']} {one['name'] or '(not named yet)'}: {', '.join(one['roles'])}; {one['state']}, "
        f"{one['passkeys']} passkeys, {one['sessions']} signed in"
        for one in found["operators"]
    ]
    result(found, as_json=json, lines=lines or ["Nobody works here yet: moiety operator first"])


@app.command()
def roles(data: Data = None, *, json: Json = False) -> None:
    """List the roles, what each may do and what it can not."""
    with line(data) as to:
        found = to.ask("GET", "roles")
    lines = [f"{one['name']}: can not {'; can not '.join(one['can_not'])}" for one in found["roles"]]
    result(found, as_json=json, lines=lines)


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="The person's name, as colleagues shall see it.")],
    role: Role,
    reason: Why,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Propose that somebody works here; an operator approves it with a passkey."""
    with line(data) as to:
        made = to.ask("POST", "operators", json={"name": name, "roles": role, "reason": reason})
    proposed(made, as_json=json)


@app.command()
def recover(operator: Id, reason: Why, data: Data = None, *, json: Json = False) -> None:
    """Propose that somebody who lost all passkeys makes new ones; an operator approves it with a passkey."""
    with line(data) as to:
        made = to.ask("POST", f"operators/{operator}/recovery", json={"reason": reason})
    proposed(made, as_json=json)


@app.command()
def alerts(data: Data = None, *, json: Json = False) -> None:
    """List what another unit has to look into, and accounts that an alarm locked."""
    with line(data) as to:
        found = to.ask("GET", "alerts")
    lines = [
        f"{one['id']} {one['kind']}: {one['actor_name'] or one['actor']}, {one['times']} times, last {one['last_at']}"
        for one in found["alerts"]
        if one["seen_at"] is None
    ]
    lines += [f"locked since {one['since']}: {one['actor']}" for one in found["locks"]]
    result(found, as_json=json, lines=lines or ["Nothing waits for anybody."])


@app.command()
def unlock(
    actor: Annotated[str, typer.Argument(metavar="ID", help="The operator or key, opr_… or key_….")],
    reason: Why,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Propose that an account or key which an alarm locked opens again; an operator approves it with a passkey."""
    with line(data) as to:
        made = to.ask("POST", f"locks/{actor}/unlock", json={"reason": reason})
    proposed(made, as_json=json)


@app.command("give")
def give_roles(operator: Id, role: Role, reason: Why, data: Data = None, *, json: Json = False) -> None:
    """Propose other roles for somebody, in the place of those before; an operator approves it with a passkey."""
    with line(data) as to:
        made = to.ask("PUT", f"operators/{operator}/roles", json={"roles": role, "reason": reason})
    proposed(made, as_json=json)


@app.command("end-sessions")
def end_sessions(operator: Id, data: Data = None, *, json: Json = False) -> None:
    """End all sessions of somebody at once."""
    with line(data) as to:
        found = to.ask("DELETE", f"operators/{operator}/sessions")
    result(found, as_json=json, lines=[f"ended {found['ended']} sessions"])


@app.command()
def disable(operator: Id, reason: Why, data: Data = None, *, json: Json = False) -> None:
    """Stop somebody for good and at once: sessions, passkeys and links end."""
    with line(data) as to:
        found = to.ask("DELETE", f"operators/{operator}", json={"reason": reason})
    result(found, as_json=json, lines=[f"stopped {operator}"])
