"""What a drill sets on the vaults' own machines before it begins: policies and people, signed by the keeper."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moiety.cli.keeping import keeper_key
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import GalleryPolicy
from moiety.vault.roster import Device, Person, Roster, RosterRole
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.drill.authenticator import SoftwareAuthenticator
    from moiety.drill.ground import Ground

VAULTS = (Role.VAULT_A, Role.VAULT_B)


async def _put(ground: Ground, kind: str, record: Roster | GalleryPolicy) -> None:
    """Sign a record as the keeper and put it into both vaults' books."""
    endorsed = Endorsed(record.encode()).by(keeper_key(ground.made.keys))
    given = {"endorsed": endorsed.encode().hex()}
    await asyncio.gather(*(_line(ground, role).ask(f"{kind}-put", given) for role in VAULTS))


def _line(ground: Ground, role: Role) -> LocalClient:
    """Give a vault's local socket."""
    return LocalClient(ground.made.folder(role) / NAME, role)


async def _book(ground: Ground) -> dict[str, Any]:
    """Read vault A's book; B's is the same."""
    return await _line(ground, Role.VAULT_A).ask("book-show")


async def set_policy(ground: Ground, gallery: str, **changes: Any) -> GalleryPolicy:
    """Put the next version of a gallery's policy into force."""
    told = (await _book(ground))["policies"]
    known = next(one["policy"] for one in told if one["policy"]["gallery"] == gallery)
    before = GalleryPolicy.from_plain(known)
    after = replace(before, version=before.version + 1, **changes)
    await _put(ground, "policy", after)
    return after


async def seat(
    ground: Ground,
    people: dict[str, SoftwareAuthenticator],
    page: SoftwareAuthenticator | None,
    devices: Sequence[Device] = (),
) -> None:
    """Put people, who sign on the page of `page`, and devices on the roster, in the place of all who are there."""
    before = Roster.from_plain((await _book(ground))["roster"])
    both: Sequence[RosterRole] = (RosterRole.OPERATOR, RosterRole.REGISTRAR)
    seated = tuple(Person(name, tuple(both), (key.passkey,)) for name, key in people.items())
    after = replace(before, version=before.version + 1, people=seated, devices=tuple(devices))
    if page:
        after = replace(after, rp_id=page.rp_id, origin=page.origin)
    await _put(ground, "roster", after)
