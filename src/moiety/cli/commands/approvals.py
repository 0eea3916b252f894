"""`moiety approval …`: acts that two people stand behind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moiety.cli.commands.operators import line, link
from moiety.cli.commands.options import Data, Json
from moiety.cli.files import signature, write_new
from moiety.cli.output import result, say

app = typer.Typer(
    no_args_is_help=True, help="Acts that two people stand behind: proposed, signed by another, done once."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The approval, apr_….")]


@app.command("list")
def list_approvals(data: Data = None, *, json: Json = False) -> None:
    """List the newest hundred, with who stands behind them."""
    with line(data) as to:
        found = to.ask("GET", "approvals")
    lines = [
        f"{one['id']}: {one['kind']}, {one['state']}, proposed by {one['proposer_name'] or one['proposer']}"
        for one in found["approvals"]
    ]
    result(found, as_json=json, lines=lines or ["Nothing was proposed yet."])


@app.command()
def material(
    name: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for whoever is to sign.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Write what is to be signed to a file that the signing page opens."""
    with line(data) as to:
        seen = to.ask("GET", f"approvals/{name}")
        content = to.ask("GET", f"approvals/{name}/material")
    write_new(file, content)
    say(f"Open it at {seen['sign_at']}, then: moiety approval sign {name} SIGNATURE")
    result({"id": name, "file": str(file), "sign_at": seen["sign_at"]}, as_json=json, lines=[str(file)])


@app.command()
def sign(
    name: Id,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The text that the signing page gave.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Hand in a colleague's signature that was made at the signing page."""
    given = signature(file)
    with line(data) as to:
        found = to.ask("POST", f"approvals/{name}/signatures", json={one: given[one] for one in ("signer", "value")})
    result(found, as_json=json, lines=[f"{name}: {found['state']}"])


@app.command()
def confirm(name: Id, data: Data = None, *, json: Json = False) -> None:
    """Approve as the owner of this machine, while nobody else who works here could."""
    with line(data) as to:
        found = to.ask("POST", f"approvals/{name}/confirm")
    result(found, as_json=json, lines=[f"{name}: {found['state']}"])


@app.command("carry-out")
def carry_out(name: Id, data: Data = None, *, json: Json = False) -> None:
    """Do what was proposed here and approved by a colleague; it is done once."""
    with line(data) as to:
        found = to.ask("POST", f"approvals/{name}/carry-out")
        given = dict(found["result"])
        if "way" in given:
            given["url"] = link(to, f"/join#{given.pop('way')}")
    lines = [given[key] for key in ("url", "token") if key in given] or [f"{name}: done"]
    result({"approval": found["approval"], "result": given}, as_json=json, lines=lines)


@app.command()
def end(name: Id, data: Data = None, *, json: Json = False) -> None:
    """Withdraw what was proposed here, or refuse what somebody else proposed."""
    with line(data) as to:
        found = to.ask("DELETE", f"approvals/{name}")
    result(found, as_json=json, lines=[f"{name}: {found['state']}"])
