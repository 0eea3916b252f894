"""`moiety <part> init`: one part of an installation begins on a machine of its own, with keys that never leave it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from moiety.cli import cardfile, installation, keeping
from moiety.cli.apart import Where
from moiety.cli.commands.options import Data, Json
from moiety.cli.commands.vault import app as vault_app
from moiety.cli.output import result, say
from moiety.foundation.clock import SystemClock
from moiety.vault.book import has_book
from moiety.wire.cards import Peers
from moiety.wire.kinds import Role

mint_app = typer.Typer(no_args_is_help=True, help="The mint, on its own machine.")
eye_app = typer.Typer(no_args_is_help=True, help="The eye, on its own machine.")
witness_app = typer.Typer(no_args_is_help=True, help="The witness, on its own machine.")
gate_app = typer.Typer(no_args_is_help=True, help="The gate, on its own machine.")

Tenant = Annotated[
    str | None, typer.Option(metavar="TENANT", help="As the first part's init printed it; the first draws it.")
]
Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where this part listens.")]
Peer = Annotated[
    list[str] | None, typer.Option(metavar="ROLE=HOST:PORT", help="Where a part is that this one asks; repeat it.")
]


class HalfName(StrEnum):
    """Which half of every template a vault holds."""

    A = "a"
    B = "b"


def _begin(
    role: Role, data: Path | None, tenant: str | None, listen: str, peers: list[str] | None
) -> installation.Installation:
    """Make the folder, the keys and the file of addresses; the part has begun when `_done` has run."""
    where = Where.read(listen, peers or [])
    made = installation.begin(installation.where(data), role, tenant)
    where.save(made)
    return made


def _done(made: installation.Installation, *, as_json: bool) -> None:
    """Write the list of cards, which ends the beginning, and say what to read to the others."""
    own = cardfile.own(made)
    # A crash before this leaves a folder that the same command goes on with.
    Peers([own.card]).save(made.folder(own.card.role) / "peers.json")
    found = own.about()
    lines = [f"tenant: {made.tenant}", f"words:  {own.words}"]
    result(found, as_json=as_json, lines=[f"{own.card.role} has begun", *lines])
    say(
        "Keep a copy of the key folder apart from the data. Next: moiety card show --out FILE, for the other operators."
    )


@vault_app.command("init")
def vault_init(
    half: Annotated[HalfName, typer.Option(help="Which half of every template it holds.")],
    listen: Listen,
    peer: Peer = None,
    tenant: Tenant = None,
    keeper_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key of the first keeper; without it one is made in the key folder."),
    ] = None,
    data: Data = None,
    *,
    service: Annotated[
        bool, typer.Option("--service", help="Let the gate open galleries by itself: for evaluation only.")
    ] = False,
    json: Json = False,
) -> None:
    """Begin a vault on this machine: folder, keys, and a book of policies with one keeper."""
    role = Role.VAULT_A if half is HalfName.A else Role.VAULT_B
    key = keeping.read_key_file(keeper_key) if keeper_key else None
    made = _begin(role, data, tenant, listen, peer)
    if not has_book(made.folder(role)):
        keeper = keeping.KEEPER, key or keeping.keeper_key(made.keys)
        keeping.begin_book(made, role, keeper, SystemClock(), service_opens=service)
    _done(made, as_json=json)


@mint_app.command("init")
def mint_init(listen: Listen, tenant: Tenant = None, data: Data = None, *, json: Json = False) -> None:
    """Begin the mint on this machine: folder and keys."""
    _done(_begin(Role.MINT, data, tenant, listen, None), as_json=json)


@eye_app.command("init")
def eye_init(listen: Listen, tenant: Tenant = None, data: Data = None, *, json: Json = False) -> None:
    """Begin the eye on this machine: folder and keys."""
    _done(_begin(Role.EYE, data, tenant, listen, None), as_json=json)


@witness_app.command("init")
def witness_init(listen: Listen, tenant: Tenant = None, data: Data = None, *, json: Json = False) -> None:
    """Begin the witness on this machine: folder and keys."""
    _done(_begin(Role.WITNESS, data, tenant, listen, None), as_json=json)


@gate_app.command("init")
def gate_init(
    listen: Listen = "127.0.0.1:8080",
    peer: Peer = None,
    tenant: Tenant = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Begin the gate on this machine: folder and keys; it listens for HTTP."""
    _done(_begin(Role.GATE, data, tenant, listen, peer), as_json=json)
