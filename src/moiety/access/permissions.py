"""Every permission there is, and scopes: a permission, perhaps for one gallery only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from moiety.foundation.errors import BadInput
from moiety.foundation.ids import GalleryId

_GALLERY = re.compile(r"gal_[a-z2-7]{16}")


class Permission(StrEnum):
    """What a route asks for: `scope:resource:action`."""

    GALLERY_CREATE = "gallery:manage:create"
    GALLERY_LIST = "gallery:manage:list"
    PROBE_IDENTIFY = "gallery:probe:identify"
    PROBE_VERIFY = "gallery:probe:verify"
    SUBJECT_ENROL = "gallery:subject:enrol"
    SUBJECT_AMEND = "gallery:subject:amend"
    SUBJECT_READ = "gallery:subject:read"
    SUBJECT_REVEAL = "gallery:subject:reveal"
    SUBJECT_ERASE = "gallery:subject:erase"
    SUBJECT_HOLD = "gallery:subject:hold"
    SUBJECT_RIGHTS = "gallery:subject:rights"
    RULES_SET = "gallery:rules:set"
    PAIR_COMPARE = "pair:probe:compare"
    KEY_MANAGE = "access:key:manage"
    LEDGER_READ = "ledger:entry:read"
    LEDGER_REASON = "ledger:reason:read"
    METRICS_READ = "watch:metrics:read"
    ALERT_READ = "watch:alert:read"
    DECOY_PLANT = "gallery:decoy:plant"
    SELF = "access:self:read"
    OPERATOR_READ = "access:operator:read"
    OPERATOR_MANAGE = "access:operator:manage"
    APPROVAL_READ = "access:approval:read"
    APPROVAL_SIGN = "access:approval:sign"
    STOP_PRESS = "incident:stop:press"
    KILL_PRESS = "incident:kill:press"
    EMERGENCY_LIFT = "incident:emergency:lift"
    INCIDENT_READ = "incident:case:read"
    INCIDENT_MANAGE = "incident:case:manage"
    REPORT_READ = "incident:report:read"
    REPORT_ANSWER = "incident:report:answer"
    DRILL_KEEP = "incident:drill:keep"

    @property
    def narrowable(self) -> bool:
        """Whether it can be given for one gallery: it must speak of a gallery that exists."""
        return self.value.startswith("gallery:") and self is not Permission.GALLERY_CREATE

    @property
    def personal(self) -> bool:
        """Whether only a person may have it, never a program's key: operators, reasons, decoys, incidents."""
        own = {Permission.SELF, Permission.LEDGER_REASON, Permission.ALERT_READ, Permission.DECOY_PLANT}
        if self.value.startswith("incident:"):
            return self not in {Permission.STOP_PRESS, Permission.DRILL_KEEP}
        return self in own or self.value.startswith(("access:operator:", "access:approval:"))


@dataclass(frozen=True, slots=True)
class Scope:
    """A permission for every gallery, or for one."""

    permission: Permission
    gallery_id: GalleryId | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `gallery:probe:identify` or `gallery:probe:identify@gal_…`.

        Raises:
            BadInput: there is no such permission, or it cannot be narrowed so.

        """
        name, at, gallery = text.partition("@")
        try:
            permission = Permission(name)
        except ValueError:
            raise BadInput(f"There is no such scope; there are: {', '.join(Permission)}.") from None
        if not at:
            return cls(permission)
        if not permission.narrowable:
            raise BadInput(f"The scope {permission} cannot be narrowed to a gallery.")
        if not _GALLERY.fullmatch(gallery):
            raise BadInput("A scope is narrowed by a gallery's id, such as @gal_… with 16 letters.")
        return cls(permission, GalleryId(gallery))

    def __str__(self) -> str:
        return self.permission.value if self.gallery_id is None else f"{self.permission}@{self.gallery_id}"

    def covers(self, permission: Permission, gallery_id: GalleryId | None) -> bool:
        """Whether this scope is enough; one gallery's scope is not enough for a question that names no gallery."""
        return self.permission is permission and self.gallery_id in (None, gallery_id)
