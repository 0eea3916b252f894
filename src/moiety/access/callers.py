"""Who is calling, and what they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moiety.access.permissions import Permission, Scope
from moiety.foundation.errors import Forbidden
from moiety.foundation.ids import GalleryId, KeyId

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified API key, or the owner of the data folder; `key_id` is the actor that the ledger names."""

    key_id: KeyId
    name: str
    scopes: frozenset[Scope]

    def require(self, permission: Permission, gallery_id: GalleryId | None = None) -> None:
        """Do nothing if the caller may.

        Raises:
            Forbidden: no scope covers it, in this gallery or in all if none is named.

        """
        if not any(scope.covers(permission, gallery_id) for scope in self.scopes):
            raise Forbidden(f"The key does not carry the scope {permission} that this needs.")

    def visible(self, permission: Permission, gallery_ids: Iterable[GalleryId]) -> tuple[GalleryId, ...]:
        """Return those galleries for which the caller has the permission; for lists, which show no others.

        Raises:
            Forbidden: the caller has the permission nowhere.

        """
        if not any(scope.permission is permission for scope in self.scopes):
            raise Forbidden(f"The key does not carry the scope {permission} that this needs.")
        return tuple(one for one in gallery_ids if any(scope.covers(permission, one) for scope in self.scopes))


OWNER: Final = Caller(KeyId("owner"), "owner", frozenset(Scope(permission) for permission in Permission))
"""Whoever owns the data folder: may do everything, needs no key."""
