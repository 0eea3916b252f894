"""`moiety vault keeper`: the keys of those who set a vault's policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moiety.cli.commands.options import Json
from moiety.cli.keeping import new_key_file
from moiety.cli.output import result
from moiety.vault.endorsed import fingerprint

app = typer.Typer(no_args_is_help=True, help="Keys of those who set a vault's policies.")


@app.callback()
def keeper() -> None:
    """Keep the group a group while it has one command."""


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the private key.", show_default=False)],
    name: Annotated[str, typer.Option("--name", metavar="N", help="A handle for the keeper.", show_default=False)],
    *,
    json: Json = False,
) -> None:
    """Make a keeper's key; the public half goes on the roster of each vault."""
    public = new_key_file(file).public_key().public_bytes_raw()
    told = {"name": name, "public_key": public.hex(), "fingerprint": fingerprint(public), "file": str(file)}
    lines = [f"public key of {name}: {public.hex()}", f"fingerprint: {told['fingerprint']}"]
    result(told, as_json=json, lines=[*lines, f"the private key is in {file}; keep it off the vaults' machines"])
