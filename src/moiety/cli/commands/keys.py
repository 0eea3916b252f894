"""`moiety key …`: API keys for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from moiety.cli.commands.options import Data, Json
from moiety.cli.gateway import gate
from moiety.cli.output import result

app = typer.Typer(no_args_is_help=True, help="API keys: scopes, expiry; shown once, kept as a hash.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A label such as door-1; not a person's name.")],
    scope: Annotated[list[str], typer.Option(help="Such as gallery:probe:identify or …@gal_…; may be repeated.")],
    days: Annotated[int, typer.Option(help="After so many days it expires.")] = 90,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Make a key and show its token once."""
    with gate(data) as line:
        made = line.ask("POST", "keys", json={"name": name, "scopes": scope, "days": days})
    result(made, as_json=json, lines=[made["token"]])


@app.command("list")
def list_all(data: Data = None, *, json: Json = False) -> None:
    """List keys; tokens cannot be shown again."""
    with gate(data) as line:
        found = line.ask("GET", "keys")
    result(
        found, as_json=json, lines=[f"{one['id']} {one['name']}: {', '.join(one['scopes'])}" for one in found["keys"]]
    )


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id.")], data: Data = None, *, json: Json = False) -> None:
    """Revoke a key at once, and with it every key that it made, that those made, and so on."""
    with gate(data) as line:
        behind = line.ask("DELETE", f"keys/{key}")["also_revoked"]
    told = f"revoked {key}" + (f", and {len(behind)} that descend from it: {', '.join(behind)}" if behind else "")
    result({"revoked": key, "also_revoked": behind}, as_json=json, lines=[told])
