"""One part as a process: `python -m moiety.cli.part ROLE --data DIR --fd N --peer ROLE=HOST:PORT …`.

It ends when its standard input ends, so that no part outlives the one that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import socket
import sys
from pathlib import Path

from moiety.cli import installation
from moiety.foundation import settings
from moiety.foundation.errors import Fault, Refusal
from moiety.wire.kinds import Role

EXIT_FAULT = 70


def _arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="moiety.cli.part")
    parser.add_argument("role", type=Role)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True, help="a socket that listens already")
    parser.add_argument("--peer", action="append", default=[], help="ROLE=HOST:PORT")
    return parser.parse_args()


def _addresses(peers: list[str]) -> dict[Role, tuple[str, int]]:
    """Read where the other parts are."""
    found = {}
    for peer in peers:
        role, _, address = peer.partition("=")
        host, _, port = address.rpartition(":")
        found[Role(role)] = (host, int(port))
    return found


async def _until_told() -> None:
    """Return when standard input ends or a signal comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read())
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    told.cancel()


async def _run(arguments: argparse.Namespace) -> None:
    """Serve the part until it is told to stop."""
    listener = socket.socket(fileno=arguments.fd)
    from moiety.cli import parts  # noqa: PLC0415 - after the arguments are known to be good

    at = parts.place(installation.load(arguments.data), arguments.role, _addresses(arguments.peer))
    if arguments.role is Role.GATE:
        from moiety.cli import gate  # noqa: PLC0415 - only the gate loads the web framework

        hosts = [name.strip() for name in settings.setting("MOIETY_HOSTS").split(",") if name.strip()]
        serving = asyncio.create_task(gate.serve(at, listener, hosts))
        await asyncio.wait({serving, asyncio.create_task(_until_told())}, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return
    server = await parts.serve(at, listener)
    print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line
    await _until_told()
    await server.close()


def main() -> int:
    """Run one part; returns its exit code."""
    arguments = _arguments()
    # A part that crashes must not leave what it holds in a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    level = settings.setting("MOIETY_LOG").upper()
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_run(arguments))
    except (Fault, Refusal) as error:
        print(f"failed {error}", flush=True)  # noqa: T201 - the supervisor shows this line
        return EXIT_FAULT
    return 0


if __name__ == "__main__":
    sys.exit(main())
