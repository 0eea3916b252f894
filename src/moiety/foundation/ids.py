"""Random identifiers: nothing about a person, a time or an order can be read from one."""

from __future__ import annotations

import base64
import os
from typing import NewType

GalleryId = NewType("GalleryId", str)
SubjectId = NewType("SubjectId", str)
PhotoId = NewType("PhotoId", str)
KeyId = NewType("KeyId", str)
OperatorId = NewType("OperatorId", str)
ApprovalId = NewType("ApprovalId", str)
RowId = NewType("RowId", bytes)

ROW_ID_BYTES = 16


def _token(prefix: str) -> str:
    """Prefix and 80 random bits in lower-case base32 (16 letters)."""
    return f"{prefix}_{base64.b32encode(os.urandom(10)).decode().lower()}"


def new_id(prefix: str) -> str:
    """Draw an id with a prefix of its own, such as `con_…` for a consent."""
    return _token(prefix)


def new_gallery_id() -> GalleryId:
    """Draw an id such as `gal_…`."""
    return GalleryId(_token("gal"))


def new_subject_id() -> SubjectId:
    """Draw an id such as `sub_…`."""
    return SubjectId(_token("sub"))


def new_photo_id() -> PhotoId:
    """Draw an id such as `pho_…`."""
    return PhotoId(_token("pho"))


def new_key_id() -> KeyId:
    """Draw an id such as `key_…`."""
    return KeyId(_token("key"))


def new_operator_id() -> OperatorId:
    """Draw an id such as `opr_…`."""
    return OperatorId(_token("opr"))


def new_approval_id() -> ApprovalId:
    """Draw an id such as `apr_…`."""
    return ApprovalId(_token("apr"))


def new_row_id() -> RowId:
    """Draw 16 random bytes, unlike any id at the gate."""
    return RowId(os.urandom(ROW_ID_BYTES))
