"""Weaknesses of the gate: what it writes, what it lets in, what it does not check."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyrage

from moiety.access import ApiKeys, Permission
from moiety.api.routes import GuardedRoute
from moiety.archive import packing
from moiety.drill.weaknesses import put
from moiety.matching.desk import Desk
from moiety.people import fields

if TYPE_CHECKING:
    from starlette.requests import Request

    from moiety.api.routes import Visit

NOTES = "notes.txt"


def _fields_in_the_clear() -> None:
    """Write the values of fields as they are."""
    put(fields, "seal", lambda _key, plain, _bound: plain)
    put(fields, "unseal", lambda _key, plain, _bound: plain)


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


WEAKNESSES: dict[str, Any] = {
    "fields_in_the_clear": _fields_in_the_clear,
    "binding_unchecked": _binding_unchecked,
    "route_left_open": _route_left_open,
    "tokens_noted": _tokens_noted,
    "backups_in_the_clear": _backups_in_the_clear,
}
