"""Drafts: what keepers write, read and sign before a vault takes it. A draft is a JSON file that people can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import BadInput, Unverified
from moiety.vault.emergency import Emergency
from moiety.vault.endorsed import Endorsed, Endorsement
from moiety.vault.policy import GalleryPolicy, Standing
from moiety.vault.roster import Roster

if TYPE_CHECKING:
    from pathlib import Path

    Draft = Roster | Standing | GalleryPolicy | Emergency

KINDS: dict[str, type[Roster | Standing | GalleryPolicy | Emergency]] = {
    "roster": Roster,
    "standing": Standing,
    "policy": GalleryPolicy,
    "emergency": Emergency,
}
FORMAT = "draft/1"


def kind_of(record: Draft) -> str:
    """Give the word for a record's kind."""
    return next(kind for kind, made in KINDS.items() if isinstance(record, made))


def write_draft(path: Path, record: Draft, endorsed: Endorsed | None = None) -> None:
    """Write a draft with the signatures that it has.

    Raises:
        BadInput: the file cannot be written.

    """
    signatures = [one.plain() for one in (endorsed.endorsements if endorsed else ())]
    told = {"moiety": FORMAT, "kind": kind_of(record), "record": record.plain(), "signatures": signatures}
    try:
        write_durably(path, json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n")
    except OSError as error:
        raise BadInput(f"The draft {path.name!r} cannot be written: {error.strerror}.") from None


def read_draft(path: Path, kind: str) -> tuple[Draft, Endorsed]:
    """Read a draft of one kind and its signatures.

    Raises:
        BadInput: it cannot be read, is of another kind, or cannot stand.

    """
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        form, found, signatures = told["moiety"], told["kind"], list(told["signatures"])
    except OSError as error:
        raise BadInput(f"The draft {path.name!r} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadInput(f"The file {path.name!r} is no draft.") from None
    if (form, found) != (FORMAT, kind):
        raise BadInput(f"The file {path.name!r} is no draft of a {kind}.")
    record = KINDS[kind].from_plain(told.get("record"))
    try:
        record.check()
    except Unverified as error:
        raise BadInput(str(error)) from None
    return record, Endorsed(record.encode(), tuple(Endorsement.from_plain(one) for one in signatures))
