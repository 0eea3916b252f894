"""The gate's process: the API and the console over HTTP, and its lines to eye and vaults."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from moiety.access import ApiKeys
from moiety.access.provider import Organisation
from moiety.access.sessions import Span
from moiety.api import Access, create_app
from moiety.cli.backup.reconciling_gate import Reconciling
from moiety.cli.backup.reviving_gate import revive_gate
from moiety.cli.database import open_store
from moiety.cli.signing_page import sign_at
from moiety.cli.standing import Standing, local_server
from moiety.console import attach
from moiety.foundation import settings
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput, Fault, Refusal
from moiety.incidents.outlived import Outlived
from moiety.ledger import Ledger
from moiety.ledger.checkpointing import told_of
from moiety.matching.desk import Desk, Secrets
from moiety.matching.links import Links
from moiety.people.house import House
from moiety.tlog.names import witness_key
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from moiety.cli.places import Place

_log = logging.getLogger(__name__)

TIDY_SECONDS = 30.0
# Who listens everywhere is reached at home.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is compared, not bound
FIRST_TIDY_SECONDS = 0.5
FIRST_TEND_SECONDS = 10.0


def house(at: Place) -> House:
    """Wire the gate's services."""
    keys = at.identity.keys
    store = open_store(at)
    lines = (Role.EYE, Role.VAULT_A, Role.VAULT_B, Role.MINT, Role.WITNESS)
    links = Links(*(at.client(role) for role in lines if role in at.addresses))
    tenant = at.installation.tenant
    desk = Desk(
        tenant=tenant,
        store=store,
        ledger=Ledger(store, keys.secret("reasons.key")),
        links=links,
        secrets=Secrets(at.identity.signing, keys.secret("binding.key"), keys.secret("blind.key")),
        clock=at.clock,
        witness=witness_key(tenant, at.public(Role.WITNESS)) if Role.WITNESS in at.peers else None,
    )
    return House.over(desk)


async def tidy(over: House, outlived: Outlived) -> None:
    """Settle what a crash left and erase whose time is over, again and again."""
    pause = FIRST_TIDY_SECONDS
    while True:
        await asyncio.sleep(pause)
        try:
            settled = await over.settle()
            # Before the sweep: a decoy whose end is near stays.
            await over.registry.decoys.tend()
            erased = await over.retention.sweep()
            await asyncio.to_thread(outlived.sweep)
            await over.awaiting.ask()
            pause = TIDY_SECONDS
            if settled or erased:
                told = {"settled": settled, "erased": erased}
                _log.info("gate: settled %(settled)d unfinished acts, erased %(erased)d expired subjects", told)
        except Refusal as refusal:
            _log.warning("gate: cannot settle now: %(slug)s", {"slug": refusal.slug})
            pause = min(2 * pause, TIDY_SECONDS)


async def _tend(over: House) -> None:
    """Plant canaries and ask for them, soon after the start and then at the pace of the setting."""
    each = settings.number("MOIETY_CANARIES")
    pause = FIRST_TEND_SECONDS
    while each:
        await asyncio.sleep(pause)
        await over.canaries.tend(each)
        pause = 60.0 * settings.number("MOIETY_CANARY_MINUTES")


def _organisation() -> Organisation | None:
    """Say whose provider tells who signs in, if there is one.

    Raises:
        BadInput: the settings are incomplete, the file cannot be read, or others than its owner may read it.

    """
    issuer, kept = settings.setting("MOIETY_OIDC_ISSUER"), settings.folder("MOIETY_OIDC_SECRET_FILE")
    if not issuer:
        return None
    try:
        if kept is None or kept.stat().st_mode & 0o077:
            raise BadInput("MOIETY_OIDC_SECRET_FILE names a file that its owner alone may read (chmod 600).")
        secret = kept.read_text().strip()
    except (OSError, ValueError):
        raise BadInput("The file that MOIETY_OIDC_SECRET_FILE names cannot be read.") from None
    needed = settings.setting("MOIETY_OIDC") == "needed"
    return Organisation(issuer, settings.setting("MOIETY_OIDC_CLIENT_ID"), secret, needed=needed)


def _span() -> Span:
    """Say how long people's sessions live.

    Raises:
        BadInput: the settings allow more than 12 hours, or a rest longer than that.

    """
    hours, minutes = settings.number("MOIETY_SESSION_HOURS"), settings.number("MOIETY_SESSION_IDLE_MINUTES")
    return Span(hours * 3600.0, minutes * 60.0)


async def _cosign(over: House) -> None:
    """Have the witness sign the ledger at the pace of the setting."""
    minutes = settings.number("MOIETY_COSIGN_MINUTES")
    if minutes > 0 and over.desk.witness and over.desk.links.witness:
        await over.checkpointing.run(60.0 * minutes)


def announce(path: Path, listener: socket.socket, token: str) -> None:
    """Tell the owner's commands how to reach this gate; the token dies with the process."""
    host, port = listener.getsockname()[:2]
    told = {"host": _ANYWHERE.get(host, host), "port": port, "pid": os.getpid(), "token": token}
    # A crash leaves the file of a gate that is gone; the next start replaces it.
    write_durably(path, json.dumps(told).encode())


def _goes_on(works: dict[str, asyncio.Task[None]], name: str) -> bool:
    """Say whether lasting work is not over; tending and cosigning end by themselves where the settings want none."""
    task = works.get(name)
    return task is None or not task.done() or (not task.cancelled() and task.exception() is None)


def _stop(server: uvicorn.Server, fault: Fault) -> None:
    """End the process: going on would be wrong."""
    _log.critical("gate: %(why)s", {"why": fault})
    server.should_exit = True


async def serve(at: Place, listener: socket.socket, hosts: list[str], ready: Callable[[], None]) -> None:
    """Serve HTTP on `listener` until told to stop; `ready` is called once it serves."""
    over = house(at)
    outlived = Outlived(over.desk)
    await revive_gate(at, over.desk)
    token = secrets.token_urlsafe(32)
    store = over.desk.store
    access = Access(ApiKeys(store, at.clock), token, [*hosts, listener.getsockname()[0]])
    works: dict[str, asyncio.Task[None]] = {}
    app = create_app(
        over,
        access,
        on_fault=lambda fault: _stop(server, fault),
        sign_at=sign_at(),
        background={name: partial(_goes_on, works, name) for name in ("tidy", "tend", "cosign", "emergency")},
        span=_span(),
        own=lambda: standing.figures(),  # noqa: PLW0108 - it is made below, and needs the application
        organisation=_organisation(),
    )
    attach(app)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False))
    told = at.installation.run / "gate.json"
    announce(told, listener, token)
    standing = Standing(at, lambda: {"ledger": told_of(over.checkpointing.standing())})
    local = local_server(at, standing, {"reconcile": Reconciling(at, over).reconcile})
    await local.start()
    lasting = {
        "tidy": tidy(over, outlived),
        "tend": _tend(over),
        "cosign": _cosign(over),
        "emergency": app.state.gate.incidents.emergencies.run(),
    }
    works |= {name: asyncio.create_task(work) for name, work in lasting.items()}
    # What was loaded stays: looking for garbage in all of it took a fifth of a second in the middle of an answer.
    gc.collect()
    gc.freeze()
    ready()
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in works.values():
            task.cancel()
        await local.close()
        await standing.close()
        await over.parked.close()
        await asyncio.gather(*works.values(), return_exceptions=True)
        told.unlink(missing_ok=True)
        store.close()
