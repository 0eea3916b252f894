"""The witness's signing page: where it listens, where people find it, and which gates may open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.cli.starting import listen
from moiety.foundation import settings
from moiety.witness.pages import Site

if TYPE_CHECKING:
    import socket

ORIGIN = "MOIETY_WITNESS_ORIGIN"
GATES = "MOIETY_GATE_ORIGINS"
HOMES = ("localhost", "127.0.0.1")


def door(gate_port: int) -> socket.socket:
    """Open the page's listening socket, beside a gate at `gate_port` (0: any free one).

    Raises:
        BadInput: the port is taken, or the setting is no number.

    """
    beside = gate_port + 1 if gate_port else 0
    port = settings.number("MOIETY_WITNESS_PORT") if settings.setting("MOIETY_WITNESS_PORT") else beside
    return listen((settings.setting("MOIETY_WITNESS_HOST"), port))


def origin(page_port: int) -> str:
    """Say under which origin people find a page that listens at `page_port`."""
    return settings.setting(ORIGIN) or f"http://localhost:{page_port}"


def gates(gate_port: int) -> str:
    """Name the origins of the gates that may open the page, separated by commas."""
    return settings.setting(GATES) or ",".join(f"http://{home}:{gate_port}" for home in HOMES)


def environment(page_port: int, gate_port: int) -> dict[str, str]:
    """Give the settings by which parts on one machine know the page and the gate."""
    return {ORIGIN: origin(page_port), GATES: gates(gate_port)}


def site(page_port: int) -> Site:
    """Describe the page that is served at `page_port`.

    Raises:
        BadInput: a setting is no origin.

    """
    named = gates(settings.number("MOIETY_PORT")).split(",")
    made = Site(origin(page_port), tuple(one.strip().rstrip("/") for one in named if one.strip()))
    made.check()
    return made


def sign_at() -> str:
    """Give the address on which people sign, as the gate tells it."""
    return f"{origin(settings.number('MOIETY_PORT') + 1)}/sign"
