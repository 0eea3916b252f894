"""`moiety up`, `moiety open`, `moiety status`: the installation as a whole."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
import time
import webbrowser
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli import installation, signing_page
from moiety.cli.apart import role_of
from moiety.cli.commands.options import Data, Json
from moiety.cli.commands.upkeep import excluded_lines
from moiety.cli.gateway import gate, running
from moiety.cli.output import result, say
from moiety.cli.supervisor import Supervisor
from moiety.foundation import settings
from moiety.foundation.errors import PartDown
from moiety.warrants.warrant import SKEW_SECONDS
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer()

STATUS_SECONDS = 20.0
ONE_MACHINE = (
    "All parts run on this machine: the halves protect against stolen disks, backups and passwords, "
    "not against someone who owns the running machine."
)


@app.command()
def up(
    data: Data = None,
    port: Annotated[int | None, typer.Option(help="Port of the gate (or MOIETY_PORT); 0: any free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address of the gate (or MOIETY_HOST).")] = None,
    *,
    json: Json = False,
) -> None:
    """Run all parts of an installation on this machine until interrupted; make a new one in an empty folder."""
    made = installation.create(installation.where(data))
    http_port = settings.number("MOIETY_PORT") if port is None else port
    supervisor = Supervisor(made, host or settings.setting("MOIETY_HOST"), http_port, say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.ask_to_stop())
    with supervisor:
        url = f"http://127.0.0.1:{supervisor.port}/"
        page = signing_page.origin(supervisor.page_port)
        found = {"ready": True, "url": url, "port": supervisor.port, "sign_at": f"{page}/sign"}
        result(found, as_json=json, lines=[f"ready at {url}"])
        say(ONE_MACHINE)
        say(f"People make passkeys and sign at {page}/")
        say("Open the console with: moiety open")
        say("People who shall work here: moiety operator first")
        supervisor.watch()


@app.command("open")
def open_console(
    data: Data = None,
    *,
    browser: Annotated[bool, typer.Option(help="Start the browser.")] = True,
    json: Json = False,
) -> None:
    """Open the console of the running installation, signed in as its owner by a link that works once."""
    link = ticket(data)
    result({"url": link}, as_json=json, lines=[link])
    if browser and not json:
        browse(link)


def browse(link: str) -> None:
    """Start the browser where there is a screen; a text browser would take over the terminal."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(link)


def ticket(data: Data) -> str:
    """Make a link that signs the owner in once, within two minutes.

    Raises:
        PartDown: the installation does not run.

    """
    line = running(installation.where(data))
    if line is None:
        raise PartDown("The installation is not running; start it with `moiety up`, or its gate with `moiety serve`.")
    with line:
        base = str(line.http.base_url).rstrip("/")
        return f"{base}/enter?ticket={line.ask('POST', 'tickets')['ticket']}"


@app.command()
def status(data: Data = None, *, json: Json = False) -> None:
    """Say which parts answer; on a machine with one part: how it is, and whom it reaches."""
    folder = installation.where(data)
    if installation.exists(folder) and (made := installation.load(folder)).part:
        _one_part(made, as_json=json)
        return
    with gate(data) as line:
        reply = line.http.get("/v1/ready")
        found = reply.json()
    parts = found.get("parts", {})
    lines = [f"{part}: {'answers' if up else 'down'}" for part, up in parts.items()]
    if found.get("sign_at"):
        lines.append(f"people sign at {found['sign_at']}")
    lines.append(f"ledger: {stands_in_words(found)}")
    damaged = excluded_lines(folder)
    told = {"ready": reply.is_success, "parts": parts, "sign_at": found.get("sign_at", ""), "damaged": damaged}
    told |= {"ledger": found.get("ledger"), "cosigned_at": found.get("cosigned_at")}
    result(told, as_json=json, lines=[*lines, *damaged, ONE_MACHINE])
    if not reply.is_success:
        raise PartDown("A part of the installation is down.")


def stands_in_words(found: dict[str, Any]) -> str:
    """Say how the ledger stands with the witness, and how old its last signature is."""
    if found.get("ledger") == "refused":
        return "THE WITNESS KNOWS ANOTHER ONE: entries were cut off or written anew"
    if found.get("ledger") == "broken":
        return "DAMAGED: `moiety ledger verify` says where"
    at = found.get("cosigned_at")
    if at is None:
        return "not yet signed by the witness"
    seconds = at if isinstance(at, int) else dt.datetime.fromisoformat(at).timestamp()
    away = "; the witness is away" if found.get("ledger") == "away" else ""
    return f"signed by the witness {max(0, round((time.time() - seconds) / 60))} min ago{away}"


def _one_part(made: installation.Installation, *, as_json: bool) -> None:
    """Say how the part of this machine is.

    Raises:
        PartDown: it does not run, or a part that it needs does not answer.

    """
    role = role_of(made)
    told = LocalClient(made.folder(role) / NAME, role).ask_now("status", seconds=STATUS_SECONDS)
    peers = {name: bool(peer["answers"]) for name, peer in told["peers"].items()}
    ready = all(peers.values())
    parts = {role: True, **peers}
    result({"ready": ready, "parts": parts, "part": told}, as_json=as_json, lines=list(_lines(told)))
    if not ready:
        raise PartDown("A part that this one needs does not answer.")


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """Write for people how a part is."""
    yield f"{told['role']}: runs for {told['uptime_s']:.0f} s, version {told['version']}, process {told['pid']}"
    yield f"certificate: renewed before {told['certificate_ends']}"
    if told["role"] == Role.GATE:
        yield f"ledger: {stands_in_words({**told['ledger'], 'ledger': told['ledger']['state']})}"
    elif "ledger" in told:
        last = told["ledger"]
        yield f"ledger: {last['size']} entries when last signed; losses admitted: {last['losses']}"
    for gallery, one in told.get("galleries", {}).items():
        yield f"gallery {gallery}: epoch {one['epoch']}, {one['rows']} rows"
        for row in one["excluded"]:
            yield f"  row {row} is excluded: a half of it was damaged or altered"
    for name, peer in told["peers"].items():
        off = peer.get("clock_off_s") or 0.0
        clock = f", its clock is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}" if abs(off) >= 1 else ""
        wrong = " (warrants allow two minutes)" if abs(off) > SKEW_SECONDS else ""
        yield f"{name}: answers{clock}{wrong}" if peer["answers"] else f"{name}: {peer['why']}"
