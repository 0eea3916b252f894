"""Who is calling, and what they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access.permissions import Permission, Scope
from moiety.foundation.errors import Forbidden, SpareNeeded
from moiety.foundation.ids import GalleryId, KeyId

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified API key, an operator, or the owner of the data folder; the ledger names `key_id` as the actor.

    `session` is a mark of an operator's session, by which vault B tells two of them apart. Where an operator's spare
    passkey is `spare_missing`, nothing is revealed to them.
    """

    key_id: KeyId
    name: str
    scopes: frozenset[Scope]
    why_not: str = "The key does not carry the scope {} that this needs."
    session: str = ""
    spare_missing: bool = False

    def require(self, permission: Permission, gallery_id: GalleryId | None = None) -> None:
        """Do nothing if the caller may.

        Raises:
            Forbidden: no scope covers it, in this gallery or in all if none is named.
            SpareNeeded: it reveals something, and there was only one passkey for too long.

        """
        if not self.may(permission, gallery_id):
            raise Forbidden(self.why_not.format(permission))
        if self.spare_missing and permission is Permission.SUBJECT_REVEAL:
            raise SpareNeeded

    def may(self, permission: Permission, gallery_id: GalleryId | None = None) -> bool:
        """Whether some scope covers it, in this gallery or in all if none is named."""
        return any(scope.covers(permission, gallery_id) for scope in self.scopes)

    def visible(self, permission: Permission, gallery_ids: Iterable[GalleryId]) -> tuple[GalleryId, ...]:
        """Return those galleries for which the caller has the permission; for lists, which show no others.

        Raises:
            Forbidden: the caller has the permission nowhere.

        """
        if not any(scope.permission is permission for scope in self.scopes):
            raise Forbidden(self.why_not.format(permission))
        return tuple(one for one in gallery_ids if any(scope.covers(permission, one) for scope in self.scopes))


OWNER: Final = Caller(KeyId("owner"), "owner", frozenset(Scope(permission) for permission in Permission))
"""Whoever owns the data folder, before anybody works here: may do everything, needs no key."""

LOOKING: Final = frozenset(
    {
        Permission.PROBE_IDENTIFY,
        Permission.PROBE_VERIFY,
        Permission.PAIR_COMPARE,
        Permission.SUBJECT_READ,
        Permission.SUBJECT_REVEAL,
        Permission.SUBJECT_RIGHTS,
        Permission.LEDGER_REASON,
    }
)
"""What looks for people or at them."""

OWNER_BESIDE_OPERATORS: Final = Caller(
    OWNER.key_id,
    OWNER.name,
    frozenset(Scope(permission) for permission in Permission if permission not in LOOKING),
    "People work here now: looking for people and reading about them ({}) needs one of them, with a passkey.",
)
"""Whoever owns the data folder, once there are operators: looks for nobody and reads about nobody."""
