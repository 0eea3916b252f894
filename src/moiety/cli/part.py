"""One part as a process: `python -m moiety.cli.part ROLE --data DIR --fd N --peer ROLE=HOST:PORT …`.

It ends when its standard input ends, so that no part outlives the one that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from moiety.cli import installation
from moiety.cli.starting import addresses
from moiety.foundation import settings
from moiety.foundation.errors import Fault, Refusal
from moiety.watch import drain, kind_of, lines, place, spans
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from moiety.cli.places import Place
    from moiety.wire.identity import Identity
    from moiety.witness.web import Web

_log = logging.getLogger(__name__)

EXIT_FAULT = 70
RENEW_CHECK_SECONDS = 6 * 3600.0


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="moiety.cli.part")
    parser.add_argument("role", type=Role)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True, help="a socket that listens already")
    parser.add_argument("--page-fd", type=int, help="the socket of the witness's signing page, which listens already")
    parser.add_argument("--peer", action="append", default=[], help="ROLE=HOST:PORT")
    return parser.parse_args()


async def until_signal() -> None:
    """Return when a signal tells this process to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


async def _until_told() -> None:
    """Return when standard input ends or a signal comes."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())
    told = asyncio.create_task(until_signal())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    told.cancel()


async def run(
    at: Place,
    listener: socket.socket,
    ready: Callable[[], None],
    told: Awaitable[None],
    page: socket.socket | None = None,
) -> None:
    """Serve a part until `told` returns; `ready` is called once it serves. `page` is where the signing page listens.

    Raises:
        Fault, Refusal: it cannot start.

    """
    lines.on_loop(asyncio.get_running_loop())
    renewing = asyncio.create_task(_renew_daily(at.identity))
    stop = asyncio.ensure_future(told)
    try:
        if at.role is Role.GATE:
            await _run_gate(at, listener, ready, stop)
        else:
            from moiety.cli import parts  # noqa: PLC0415 - the engines load after the arguments are known to be good

            server = await parts.serve(at, listener)
            web = await _open_page(page) if at.role is Role.WITNESS else None
            ready()
            await stop
            if web:
                await web.close()
            await server.close()
    finally:
        renewing.cancel()
        stop.cancel()


async def _open_page(page: socket.socket | None) -> Web:
    """Serve the witness's signing page; one part alone opens its socket itself.

    Raises:
        BadInput: its port is taken, or a setting is no origin.

    """
    from moiety.cli import signing_page  # noqa: PLC0415 - only the witness serves pages
    from moiety.witness.web import Web  # noqa: PLC0415 - as above

    door = page or signing_page.door(settings.number("MOIETY_PORT"))
    web = Web(signing_page.site(door.getsockname()[1]))
    await web.start(door)
    return web


async def _run_gate(at: Place, listener: socket.socket, ready: Callable[[], None], stop: asyncio.Future[None]) -> None:
    """Serve the gate."""
    from moiety.cli import gate  # noqa: PLC0415 - only the gate loads the web framework

    hosts = [name.strip() for name in settings.setting("MOIETY_HOSTS").split(",") if name.strip()]
    serving = asyncio.create_task(gate.serve(at, listener, hosts, ready))
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def _renew_daily(identity: Identity) -> None:
    """Renew the certificate that this part shows before it ends, however long the part runs."""
    while True:
        await asyncio.sleep(RENEW_CHECK_SECONDS)
        try:
            if identity.renew():
                _log.info("%(part)s: shows a new certificate", {"part": identity.role})
        except OSError as error:
            about = {"part": identity.role, "error": kind_of(error), "at": place(error)}
            _log.error("%(part)s: cannot renew its certificate: %(error)s at %(at)s", about)


@contextlib.contextmanager
def prepared(role: Role) -> Iterator[None]:
    """Do what each part's process does first: no core dumps; log lines alone on standard error; perhaps spans.

    Raises:
        BadInput: a setting is not one of those allowed.

    """
    # A part that crashes must not leave what it holds in a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    level, traces = settings.setting("MOIETY_LOG"), settings.setting("MOIETY_TRACES")
    with drain.drained() as stream:
        lines.begin(level, stream)
        if traces:
            spans.send_to(role, traces)
        try:
            yield
        finally:
            spans.end()


async def _run(arguments: argparse.Namespace) -> None:
    """Serve the part of the command line until it is told to stop."""
    listener = socket.socket(fileno=arguments.fd)
    from moiety.cli import places  # noqa: PLC0415 - after the arguments are known to be good

    at = places.place(installation.load(arguments.data), arguments.role, addresses(arguments.peer))
    page = None if arguments.page_fd is None else socket.socket(fileno=arguments.page_fd)

    def ready() -> None:
        print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line

    await run(at, listener, ready, _until_told(), page)


def main() -> int:
    """Run one part; returns its exit code."""
    arguments = _arguments()
    try:
        with prepared(arguments.role):
            asyncio.run(_run(arguments))
    except (Fault, Refusal) as error:
        print(f"failed {error}", flush=True)  # noqa: T201 - the supervisor shows this line
        return EXIT_FAULT
    return 0


if __name__ == "__main__":
    sys.exit(main())
