"""`moiety serve`: one part on a machine of its own."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from moiety.cli import installation, part
from moiety.cli.apart import Where, must_be_complete, role_of
from moiety.cli.commands.options import Data, Json
from moiety.cli.output import result
from moiety.cli.starting import listen as listen_at
from moiety.cli.starting import take_lock
from moiety.foundation.errors import BadInput
from moiety.wire.kinds import Role

app = typer.Typer()


@app.command()
def serve(
    role: Annotated[Role | None, typer.Argument(metavar="ROLE", help="Which part this machine is, to be sure.")] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen, instead of what serve.json says.")
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=HOST:PORT", help="Where a part is, instead of what serve.json says; repeat it."),
    ] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Run the one part that this machine's folder holds, until interrupted."""
    made = installation.load(installation.where(data))
    mine = role_of(made)
    if role not in {None, mine}:
        raise BadInput(f"This folder holds {mine}, not {role}.")
    where = Where.load(made).but(listen, peer or [])
    must_be_complete(made, mine, where)
    from moiety.cli import places  # noqa: PLC0415 - only this command loads the kernel

    with part.prepared(mine), take_lock(made.run):
        listener = listen_at(where.listen)
        host, port = listener.getsockname()[:2]

        def ready() -> None:
            found = {"ready": True, "role": mine, "host": host, "port": port}
            result(found, as_json=json, lines=[f"{mine} is ready at {host} port {port}"])

        asyncio.run(part.run(places.place(made, mine, where.peers), listener, ready, part.until_signal()))
