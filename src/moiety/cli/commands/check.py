"""`moiety check outside`: what a stranger on the network sees of an installation."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated

import typer

from moiety.cli.commands.options import Json
from moiety.cli.exits import Exit
from moiety.cli.output import result, say
from moiety.foundation.errors import BadInput

app = typer.Typer(no_args_is_help=True, help="Looking at an installation from outside.")


@app.callback()
def check() -> None:
    """Look at an installation from outside."""


@app.command()
def outside(
    host: Annotated[str, typer.Argument(metavar="HOST", help="HOST, HOST:PORT, or https://…; http:// at home.")],
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="The authority of its certificate, if it is your own.")
    ] = None,
    *,
    ports: Annotated[bool, typer.Option(help="Try other ports of the machine as well.")] = True,
    json: Json = False,
) -> None:
    """Look at an installation as a stranger: ports, routes, headers, TLS, open files, media; ask only what is yours.

    It takes some seconds; where something in front limits such tries, as it says (429), it waits and takes minutes.
    """
    from moiety.api.app import MODULES  # noqa: PLC0415 - loads the whole API, other commands do not
    from moiety.incidents.outside import PORTS, Outside  # noqa: PLC0415 - as above

    guarded = [one for module in MODULES for one in module.routes.guarded()]
    try:
        trust = ssl.create_default_context(cafile=str(ca)) if ca else True
    except OSError:
        raise BadInput("The file of the authority cannot be read.") from None
    at = Outside(host, trust)
    say(f"moiety: looking at {at.url} as a stranger; do this to installations of your own alone")
    found = at.look(guarded, PORTS if ports else ())
    holes = [one for one in found if one.hole]
    lines = [f"{'HOLE' if one.hole else 'ok'} {one.what}: {one.said}" for one in found]
    lines.append(f"{len(holes)} of {len(found)} things are not as they should be" if holes else "nothing was found")
    told = [{"what": one.what, "hole": one.hole, "said": one.said} for one in found]
    result({"url": at.url, "holes": len(holes), "found": told}, as_json=json, lines=lines)
    if holes:
        raise typer.Exit(int(Exit.BREACHED))
