"""API keys: make, list, revoke."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from moiety.access import Caller, KeyInfo, Permission, Scope
from moiety.api.routes import Routes, Visit
from moiety.api.schemas import KeyList, KeyMade, KeyNew, KeyRevoked, KeySeen, moment, moment_or_none
from moiety.api.visits import Here, TheCaller
from moiety.foundation.errors import BadInput, Forbidden
from moiety.foundation.ids import KeyId
from moiety.storage import Transaction

routes = Routes("keys")

DAY_SECONDS: Final = timedelta(days=1).total_seconds()


def _seen(key: KeyInfo) -> KeySeen:
    return KeySeen(
        id=key.id,
        name=key.name,
        scopes=[str(scope) for scope in key.scopes],
        created_at=moment(key.created_at),
        expires_at=moment(key.expires_at),
        revoked_at=moment_or_none(key.revoked_at),
        last_used_at=moment_or_none(key.last_used_at),
        made_by=key.made_by,
    )


def _expiry(new: KeyNew, now: float) -> float:
    """Say when the key expires.

    Raises:
        BadInput: neither or both ways to say it were used.

    """
    if (new.days is None) == (new.expires_at is None):
        raise BadInput("Say when the key expires: either `days` or `expires_at`.")
    return now + new.days * DAY_SECONDS if new.days is not None else _seconds(new)


def _seconds(new: KeyNew) -> float:
    return 0.0 if new.expires_at is None else new.expires_at.timestamp()


def _within(caller: Caller, scopes: list[Scope]) -> None:
    """Check that nobody hands out more than they hold.

    Raises:
        Forbidden: a scope is wider than the caller's own.

    """
    for scope in scopes:
        if not any(own.covers(scope.permission, scope.gallery_id) for own in caller.scopes):
            raise Forbidden(f"The key does not carry the scope {scope.permission}, so it cannot give it to another.")


def _outlives(visit: Visit, caller: Caller, expires_at: float) -> None:
    """Check that a key which makes keys leaves none behind when its own time is over.

    Raises:
        Forbidden: the new key would end later.

    """
    own = next((key.expires_at for key in visit.gate.access.keys.list() if key.id == caller.key_id), expires_at)
    if expires_at > own:
        raise Forbidden("A key makes no other that ends later than itself.")


def _noting(visit: Visit, caller: Caller, act: str) -> Callable[[Transaction, KeyId], None]:
    """Write into the ledger, in the act's own transaction, who made or stopped a key."""

    def note(tx: Transaction, key_id: KeyId) -> None:
        visit.gate.staff.operators.note(tx, act, caller.key_id, key_id)

    return note


@routes.add("POST", "/v1/keys", permission=Permission.KEY_MANAGE, body=KeyNew, status_code=201, summary="Make")
async def make_key(new: KeyNew, visit: Here, caller: TheCaller) -> KeyMade:
    """Make a key; its token is shown this once. A key can give away only scopes that it has itself."""
    _within(caller, [Scope.parse(text) for text in new.scopes])
    keys = visit.gate.access.keys
    expires_at = _expiry(new, visit.gate.house.desk.clock.now())
    await asyncio.to_thread(_outlives, visit, caller, expires_at)
    note = _noting(visit, caller, "key-make")
    key_id, token = await asyncio.to_thread(keys.issue, new.name, new.scopes, expires_at, caller.key_id, note)
    made = next(key for key in await asyncio.to_thread(keys.list) if key.id == key_id)
    return KeyMade(**_seen(made).model_dump(), token=token)


@routes.add("GET", "/v1/keys", permission=Permission.KEY_MANAGE, summary="List")
async def list_keys(visit: Here) -> KeyList:
    """List all keys, expired and revoked ones too."""
    return KeyList(keys=[_seen(key) for key in await asyncio.to_thread(visit.gate.access.keys.list)])


@routes.add("DELETE", "/v1/keys/{key}", permission=Permission.KEY_MANAGE, summary="Revoke")
async def revoke_key(key: str, visit: Here, caller: TheCaller) -> KeyRevoked:
    """Stop a key for good, from the next request on, and with it every key that it made, that those made, and so on."""
    note = _noting(visit, caller, "key-revoke")
    first, *behind = await asyncio.to_thread(visit.gate.access.keys.revoke, KeyId(key), note)
    return KeyRevoked(**_seen(first).model_dump(), also_revoked=[one.id for one in behind])
