"""The bytes of one ledger entry, the same for ever, and what may stand in one."""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from moiety.foundation.envelopes import pack
from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.storage import LedgerEntry

DOMAIN = "moiety/ledger/1"
# RFC 6962, section 2.1: a leaf is hashed behind a zero byte, so that no leaf can pass for an inner node.
_LEAF = b"\x00"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,47}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_NUMBER_MAX = 2**53
PURPOSE_CHARS_MAX = 200


class Kind(StrEnum):
    """The acts of which a record is owed: Directive (EU) 2016/680, article 25 (1)."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"


def check_slug(what: str, value: str) -> str:
    """Return `value` if it is a short lower-case word or id; free text, and so a full name, does not fit.

    Raises:
        BadInput: it is not; the message says which, never the value.

    """
    if not _SLUG.fullmatch(value):
        raise BadInput(f"The ledger takes only a short code or an id as {what}.")
    return value


def check_purpose(purpose: str) -> str:
    """Return the gallery's purpose if it is one printable line of at most 200 characters.

    Raises:
        BadInput: it is not.

    """
    if not 1 <= len(purpose) <= PURPOSE_CHARS_MAX or not purpose.isprintable():
        raise BadInput(f"A purpose is one line of 1 to {PURPOSE_CHARS_MAX} characters.")
    return purpose


def canonical_detail(detail: Mapping[str, object]) -> str:
    """Write numbers, booleans, short codes and ids as JSON with sorted keys and no spaces, in ASCII.

    Raises:
        BadInput: a key or a value is of another kind. Fractions are refused too: no score is ever logged.

    """
    for key, value in detail.items():
        if not _KEY.fullmatch(key):
            raise BadInput("A detail of the ledger has a short lower-case name.")
        if isinstance(value, str):
            check_slug(f"the detail {key!r}", value)
        elif not isinstance(value, int) or abs(value) > _NUMBER_MAX:
            raise BadInput(
                f"The ledger takes only whole numbers, yes or no, short codes and ids as the detail {key!r}."
            )
    return json.dumps(dict(detail), sort_keys=True, separators=(",", ":"))


def _maybe(value: bytes | None) -> bytes:
    """Keep nothing and an empty value apart."""
    return b"" if value is None else b"\x01" + value


def leaf_bytes(entry: LedgerEntry) -> bytes:
    """Return the canonical bytes of an entry: all of it but its hash; a sealed reason stands in by its SHA-256.

    Layout (`moiety.foundation.envelopes.pack`): domain, seq, time in microseconds since 1970 UTC, kind, act, actor,
    purpose, gallery, subject, SHA-256 of the sealed reason (these three behind 0x01, or empty), detail, previous hash.
    """
    gallery = None if entry.gallery_id is None else entry.gallery_id.encode()
    subject = None if entry.subject_id is None else entry.subject_id.encode()
    reason = None if entry.reason_sealed is None else hashlib.sha256(entry.reason_sealed).digest()
    return pack(
        DOMAIN,
        entry.seq,
        entry.at_us,
        entry.kind,
        entry.act,
        entry.actor,
        entry.purpose,
        _maybe(gallery),
        _maybe(subject),
        _maybe(reason),
        entry.detail,
        entry.prev_hash,
    )


def leaf_hash(entry: LedgerEntry) -> bytes:
    """SHA-256(0x00 ‖ leaf), 32 bytes: the leaf hash of RFC 6962, section 2.1."""
    return hashlib.sha256(_LEAF + leaf_bytes(entry)).digest()
