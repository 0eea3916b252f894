"""What every column of the gate's tables holds: one of a closed list of classes, none of them plain personal text.

A table with a column that is not named here fails `tests/contract/test_house_classes.py`. There is no class for plain
personal text: such a value goes through `people.fields` and lies here as ciphertext, with a blind index if it is to be
found again exactly.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Holds(StrEnum):
    """What a column holds."""

    ID = "id"  # drawn at random by foundation.ids
    STATE = "state"  # one of the few words that a CHECK constraint names
    TIME = "time"
    COUNT = "count"  # counts, sizes, versions, rates: numbers about no person
    CIPHERTEXT = "ciphertext"  # AES-256-GCM, or a key wrapped by another
    BLIND = "blind index"  # a keyed hash, under the gate's key and again under vault B's
    HASH = (
        "hash"  # of a file, an entry, a secret of 256 random bits; or a keyed mark of a photo or of a provider's name
    )
    CODE = "code"  # a short word of ours or of the operator's, whose form is checked before it is written
    FLAG = "flag"  # yes or no, as 1 or 0
    SIGNATURE = "signature"  # public keys, signatures, and what an authenticator or a ledger's tree was signed with
    WORDS = "words"  # the operator's words about a gallery as a whole


_NAMED: Final[dict[Holds, dict[str, str]]] = {
    Holds.ID: {
        "gallery": "id rotation_id",
        "subject": "id gallery_id",
        "canary": "gallery_id subject_id",
        "subject_field": "subject_id gallery_id",
        "template": "photo_id gallery_id subject_id row_id",
        "intent": "id gallery_id subject_id row_ids",
        "api_key": "id made_by",
        "ledger_entry": "gallery_id subject_id",
        "ledger_about": "about_id",
        "ledger_day": "gallery_id",
        "operator": "id",
        "passkey": "credential operator_id",
        "operator_subject": "operator_id",
        "own_template": "subject_id",
        "release_wait": "subject_id gallery_id",
        "own_end": "subject_id gallery_id",
        "way_in": "operator_id",
        "approval": "id proposer approver signer",
        "gallery_rule": "gallery_id",
        "subject_record": "subject_id gallery_id",
        "consent": "id subject_id",
        "hold": "id gallery_id subject_id proposed_by approved_by release_by released_by",
        "receipt": "id subject_id gallery_id",
        "follow_up": "id gallery_id subject_id recipient done_by",
        "emergency": "id pressed_by lifted_by",
        "incident": "id opened_by galleries",
        "report": "id answered_by",
        "drill_report": "id",
        "alert": "id actor gallery_id subject_id seen_by",
        "account_lock": "actor alert_id",
        "spent": "actor",
        "decoy": "subject_id",
        "failed_try": "subject_id",
        "look": "gallery_id",
        "deployment": "gallery_id",
    },
    Holds.STATE: {"gallery": "state", "subject": "state", "subject_field": "klass", "template": "state capture"}
    | {"intent": "kind state", "operator": "state", "approval": "state", "subject_record": "stopped_for"}
    | {"consent": "kind", "hold": "state", "follow_up": "cause", "alert": "kind", "spent": "meter"}
    | {"emergency": "kind", "failed_try": "way"},
    Holds.TIME: {
        "gallery": "created_at",
        "subject": "created_at expires_at",
        "subject_field": "created_at",
        "template": "created_at",
        "intent": "created_at",
        "api_key": "created_at expires_at revoked_at last_used_at",
        "ledger_entry": "at_us",
        "ledger_day": "day first_us last_us",
        "ledger_cosigned": "at",
        "operator": "created_at disabled_at",
        "passkey": "created_at",
        "operator_subject": "created_at",
        "own_template": "created_at",
        "release_wait": "asked_at declined_at",
        "own_end": "ends_at clock_at",
        "way_in": "expires_at",
        "approval": "created_at expires_at decided_at",
        "subject_record": "last_contact_at stopped_at",
        "consent": "given_at ends_at withdrawn_at",
        "hold": "created_at review_at",
        "follow_up": "created_at done_at",
        "emergency": "pressed_at lifted_at",
        "incident": "opened_at aware_at began_at ended_at closed_at",
        "report": "received_at answered_at",
        "drill_report": "at",
        "alert": "created_at last_at seen_at",
        "account_lock": "since",
        "decoy": "planted_at",
        "failed_try": "last_at",
        "deployment": "review_at",
    },
    Holds.COUNT: {
        "gallery": "dim fmr_target thresholds retention_days policy_version next_seq",
        "canary": "number",
        "template": "seq",
        "ledger_entry": "seq",
        "ledger_about": "seq",
        "ledger_day": "times first_seq last_seq",
        "ledger_hash": "level number",
        "ledger_cosigned": "id size",
        "passkey": "counter",
        "gallery_rule": "keep_days",
        "follow_up": "seq",
        "drill_report": "drills failed",
        "alert": "times",
        "spent": "hour count",
        "failed_try": "failed",
        "look": "came settled",
    },
    Holds.CIPHERTEXT: {
        "subject_field": "wrapped_key ciphertext",
        "template": "binding",
        "ledger_entry": "reason_sealed",
        "operator": "name_sealed",
        "approval": "content_sealed",
        "incident": "content_sealed",
        "report": "content_sealed answer_sealed",
        "look": "looks_sealed",
    },
    Holds.BLIND: {"subject_field": "blind"},
    Holds.HASH: {
        "gallery": "model_sha256",
        "template": "photo_mark",
        "api_key": "secret_hash",
        "ledger_entry": "prev_hash hash",
        "ledger_hash": "hash",
        "operator_subject": "mark",
        "own_template": "digest",
        "way_in": "code_sha256",
        "approval": "digest",
        "consent": "release_sha256",
        "report": "secret_sha256",
    },
    Holds.CODE: {
        "gallery": "model_name bands",
        "subject_field": "name",
        "api_key": "name scopes",
        "ledger_entry": "kind act actor detail",
        "ledger_day": "kind act actor band",
        "operator": "roles",
        "approval": "kind",
        "gallery_rule": "notice basis source",
        "subject_record": "basis source",
        "consent": "notice",
        "receipt": "document",
        "follow_up": "act",
        "incident": "lost done",
        "drill_report": "document",
        "deployment": "assessment",
    },
    Holds.FLAG: {"gallery_rule": "consent keep_photos", "subject_record": "minor", "consent": "by_guardian"}
    | {"deployment": "police two_to_search"},
    Holds.SIGNATURE: {
        "ledger_cosigned": "note",
        "passkey": "public_key",
        "approval": "signature",
        "receipt": "signature",
        "drill_report": "signature",
    },
    Holds.WORDS: {
        "gallery": "name purpose",
        "gallery_rule": "controller",
        "subject_record": "purpose controller",
        "consent": "purpose",
        "ledger_entry": "purpose",
        "ledger_day": "purpose",
    },
}

CLASSES: Final[dict[str, Holds]] = {
    f"{table}.{column}": holds
    for holds, tables in _NAMED.items()
    for table, columns in tables.items()
    for column in columns.split()
}
