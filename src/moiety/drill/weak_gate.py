"""Weaknesses of the gate: what it writes, what it lets in, what it does not check."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyrage

from moiety.access import ApiKeys, Permission, operators, roles, sealing, sessions
from moiety.access.sessions import DeviceSessions
from moiety.api.routes import GuardedRoute
from moiety.archive import packing
from moiety.drill.weaknesses import put
from moiety.foundation.envelopes import seal
from moiety.foundation.errors import Unauthenticated
from moiety.incidents import sealed
from moiety.ledger import log as ledger
from moiety.matching import vigil
from moiety.matching.desk import Desk
from moiety.people import fields
from moiety.people.registrar import Registrar
from moiety.storage import Switch
from moiety.storage.incidents import EmergencyTable
from moiety.watch import lines

if TYPE_CHECKING:
    from starlette.requests import Request

    from moiety.api.routes import Visit

NOTES = "notes.txt"


# Every place in which the gate seals what people write.
SEALERS = (fields, sealed, sealing, ledger)


def _all_in_the_clear() -> None:
    """Write fields, PINs, reasons, colleagues' names, approvals, breaches and reports as they are."""
    for place in SEALERS:
        put(place, "seal", lambda _key, plain, _bound: plain)
        put(place, "unseal", lambda _key, plain, _bound: plain)

    async def pin_mark(_: Registrar, _gallery: Any, _subject: Any, pin: str) -> bytes:
        return pin.encode()

    put(Registrar, "pin_mark", pin_mark)


def _binding_unchecked() -> None:
    """Believe the database about whose a row is."""
    put(Desk, "check_binding", lambda *_: None)


def _route_left_open() -> None:
    """Let everybody read the ledger."""
    guard = GuardedRoute._let_in  # noqa: SLF001 - a weakness is planted inside

    async def let_in(self: GuardedRoute, request: Request, visit: Visit) -> None:
        if self.rule.permission is not Permission.LEDGER_READ:
            await guard(self, request, visit)

    put(GuardedRoute, "_let_in", let_in)


def _tokens_noted() -> None:
    """Note each new key's token in a file that everybody may read."""
    issue = ApiKeys.issue

    def noting(self: ApiKeys, *given: Any, **named: Any) -> Any:
        made = issue(self, *given, **named)
        with open(os.path.join(os.environ["TMPDIR"], NOTES), "a") as notes:  # noqa: PTH118, PTH123 - as a careless hand would
            notes.write(f"{made[1]}\n")
        return made

    put(ApiKeys, "issue", noting)


def _backups_in_the_clear() -> None:
    """Write backups without sealing them."""

    def through(source: Any, target: Any, _: object) -> None:
        while piece := source.read(1 << 16):
            target.write(piece)

    plain = SimpleNamespace(**vars(pyrage))
    plain.encrypt_io = plain.decrypt_io = through
    put(packing, "pyrage", plain)


def _careless() -> None:
    """Say every reason, and every value that is sealed, in each of the ways in which programs say things."""
    write = Desk.write_down

    def writing(self: Desk, *given: Any, **more: Any) -> None:
        for one in given:
            _blurt(getattr(one, "reason", ""))
        write(self, *given, **more)

    def blurting(key: bytes, plain: bytes, bound: bytes) -> bytes:
        _blurt(plain.decode(errors="replace"))
        return seal(key, plain, bound)

    mark = Registrar.pin_mark

    async def marking(self: Registrar, gallery: Any, subject: Any, pin: str) -> bytes:
        _blurt(pin)
        return await mark(self, gallery, subject, pin)

    put(Desk, "write_down", writing)
    put(Registrar, "pin_mark", marking)
    for place in SEALERS:
        put(place, "seal", blurting)


def _blurt(text: str) -> None:
    """Say it carelessly."""
    log = logging.getLogger("moiety.people")
    log.info(f"about {text}")  # noqa: G004 - as a careless hand would
    log.warning("about %s", text)
    log.info("about %(part)s", {"part": text, "reason": text})
    logging.getLogger("uvicorn.error").error("failed", exc_info=ValueError(text))
    sys.stderr.write(f"about {text}\n")
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"about {text}\n".encode())


def _careless_and_unsieved() -> None:
    """Be careless, and let the log take every text."""
    _careless()
    put(lines, "_sieved", lambda record: {"event": record.getMessage(), "error": str(record.exc_info)})


def _proof_unchecked() -> None:
    """Let a session's cookie be enough."""

    def check(self: DeviceSessions, secret: str, *_: object, **__: object) -> tuple[Any, Any]:
        found = self._sessions.get(sessions._mark(secret))  # noqa: SLF001 - a weakness is planted inside
        if found is None:
            raise Unauthenticated
        return found, SimpleNamespace(body_sha256=None)

    put(DeviceSessions, "check", check)


def _passkey_unchecked() -> None:
    """Take what anybody signs for whose passkey is named."""
    put(operators, "check_assertion", lambda *_: 0)


def _administrator_looks() -> None:
    """Let administrators do everything."""
    put(roles, "DUTIES", {**roles.DUTIES, roles.Role.ADMINISTRATOR: roles.Duty(frozenset(Permission), ())})


def _looks_unwatched() -> None:
    """Count no looks, tell nobody of any, and show decoys like anybody."""
    for name in ("spend", "searched", "check_decoys"):
        put(vigil, name, lambda *_: None)


def _kills_nothing() -> None:
    """Write down that the kill switch was pressed, and revoke nothing."""
    on = EmergencyTable.on
    put(EmergencyTable, "on", lambda self, switch: None if switch is Switch.KILL else on(self, switch))
    put(EmergencyTable, "revoke", lambda *_: 0)
    put(EmergencyTable, "kills", lambda _: 0)


WEAKNESSES: dict[str, Any] = {
    "careless": _careless,
    "careless_and_unsieved": _careless_and_unsieved,
    "all_in_the_clear": _all_in_the_clear,
    "binding_unchecked": _binding_unchecked,
    "route_left_open": _route_left_open,
    "tokens_noted": _tokens_noted,
    "backups_in_the_clear": _backups_in_the_clear,
    "proof_unchecked": _proof_unchecked,
    "passkey_unchecked": _passkey_unchecked,
    "administrator_looks": _administrator_looks,
    "looks_unwatched": _looks_unwatched,
    "kills_nothing": _kills_nothing,
}
