"""How a command reaches the installation it talks to: the gate that runs, or one started for as long as the command."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import httpx

from moiety.cli import files, installation
from moiety.cli.output import say
from moiety.cli.supervisor import Supervisor
from moiety.foundation.errors import BadInput, PartDown, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALL_SECONDS = 120.0
# A gate that is gone refuses at once; this is for one on a busy machine.
HEALTH_SECONDS = 15.0
START_WAIT_SECONDS = 60.0
PROBLEM_PREFIX = "urn:moiety:problem:"


@dataclass(frozen=True, slots=True)
class Made:
    """What the gate answered; where `waits`, the body is a question that people must sign first."""

    body: dict[str, Any]
    waits: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """A line to the gate as the owner of the data folder; a `passing` gate runs for this command only."""

    http: httpx.Client
    passing: bool = False

    def __enter__(self) -> Self:
        """Use the line for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.http.close()

    def ask(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Call `/v1/…` and return the JSON answer; raises as `act`."""
        return self.act(method, path, **arguments).body

    def act(self, method: str, path: str, **arguments: Any) -> Made:
        """Call `/v1/…` and return the JSON answer, or the question that waits for signatures.

        Raises:
            Refusal: what the gate refused with, by its code.
            PartDown: the gate went away.

        """
        try:
            reply = self.http.request(method, f"/v1/{path}", **arguments)
            answer: dict[str, Any] = reply.json() if reply.content else {}
        except httpx.HTTPError:
            raise PartDown("The gate does not answer.") from None
        except ValueError:
            raise PartDown("Something else than the gate answers at its port.") from None
        if reply.is_error:
            slug = str(answer.get("type", "")).removeprefix(PROBLEM_PREFIX)
            raise refusal_of(slug, str(answer.get("detail") or answer.get("title") or "The gate refused."))
        return Made(answer, reply.status_code == httpx.codes.ACCEPTED)


def _told(run: Path) -> dict[str, Any] | None:
    """Read how to reach the gate that runs, if one says so."""
    try:
        found: dict[str, Any] = json.loads((run / "gate.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _open(told: dict[str, Any]) -> Gate:
    """Make a client that shows the owner's token of this run."""
    headers = {"authorization": f"Bearer run_{told['token']}"}
    host = str(told.get("host", "127.0.0.1"))
    base = f"http://{f'[{host}]' if ':' in host else host}:{told['port']}"
    return Gate(httpx.Client(base_url=base, headers=headers, timeout=CALL_SECONDS, trust_env=False))


def _alive(gate: Gate) -> bool:
    """Whether a gate answers there."""
    try:
        return gate.http.get("/v1/health", timeout=HEALTH_SECONDS).is_success
    except httpx.HTTPError:
        return False


def running(data: Path) -> Gate | None:
    """Reach the gate of the installation in `data` if it runs."""
    told = _told(data / "run")
    if told is None:
        return None
    gate = _open(told)
    return gate if _alive(gate) else None


@contextmanager
def gate(data: Path | None, *, make: bool = False) -> Iterator[Gate]:
    """Give the gate of an installation; if it does not run, run it until the block ends.

    Raises:
        BadInput: there is no installation there (with `make`, a new one is made instead).
        PartDown: the parts run on machines of their own, and the gate is not here or does not run.

    """
    folder = installation.where(data)
    found = running(folder)
    if found:
        with found:
            yield found
        return
    made = installation.create(folder) if make else installation.load(folder)
    if made.part:
        raise PartDown(
            f"This folder holds {made.part} alone. Commands for galleries and people run on the gate's machine, while "
            "`moiety serve` runs there."
        )
    say("moiety: the installation is not running; starting it for this command")
    supervisor = Supervisor(made, "127.0.0.1", 0, say)
    try:
        supervisor.start()
    except BadInput:
        # Somebody else is starting it at this moment: wait for theirs.
        yield _wait_for(folder)
        return
    try:
        with _wait_for(folder) as found:
            yield replace(found, passing=True)
    finally:
        supervisor.stop()


def _wait_for(data: Path) -> Gate:
    """Wait until the gate of a starting installation answers."""
    end = time.monotonic() + START_WAIT_SECONDS
    while time.monotonic() < end:
        found = running(data)
        if found:
            return found
        time.sleep(0.1)
    raise PartDown("The installation did not start in time; see its logs folder.")


def picture(path: Path) -> tuple[str, bytes]:
    """Read a picture file for an upload; its name does not travel.

    Raises:
        BadInput: it cannot be read.

    """
    return "picture", files.read(path)
