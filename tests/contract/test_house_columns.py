"""House rule: nothing about a person stands in the gate's tables in the clear.

Every column that can hold free bytes or text is listed here with the reason why it may. A new one fails until somebody
has written down why it names nobody.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, TypeDecorator

from moiety.foundation.clock import HandClock
from moiety.storage import Store
from moiety.storage.tables import Base

if TYPE_CHECKING:
    from pathlib import Path

RANDOM_ID = "random id, drawn by foundation.ids"
STATE = "one of the few words that the CHECK constraint names"

REASONS = {
    "gallery.id": RANDOM_ID,
    "gallery.name": "the operator's label of a whole gallery, about no one in it",
    "gallery.purpose": "why the gallery exists; one text for everyone in it",
    "gallery.model_name": "the model's public name",
    "gallery.model_sha256": "hash of a public file",
    "gallery.rotation_id": "random id of the rotation, not its seed",
    "gallery.thresholds": "one to three numbers",
    "gallery.bands": "one to three words such as `strong`",
    "gallery.state": STATE,
    "subject.id": RANDOM_ID,
    "subject.gallery_id": RANDOM_ID,
    "subject.state": STATE,
    "canary.gallery_id": RANDOM_ID,
    "canary.subject_id": RANDOM_ID,
    "subject_field.subject_id": RANDOM_ID,
    "subject_field.gallery_id": RANDOM_ID,
    "subject_field.name": "the field's name (`reference`, `note`), the same for everyone; the value is sealed",
    "subject_field.klass": STATE,
    "subject_field.wrapped_key": "a field key, wrapped by the subject's key at vault B",
    "subject_field.ciphertext": "AES-256-GCM",
    "subject_field.blind": "HMAC under the gate's key and again under vault B's",
    "gallery_rule.gallery_id": RANDOM_ID,
    "gallery_rule.notice": "the version of a notice, one short word",
    "gallery_rule.basis": "one of the few words of people.rules.BASES",
    "gallery_rule.controller": "an organisation's name, one for the whole gallery",
    "gallery_rule.source": "one of the few words of people.rules.SOURCES",
    "subject_record.subject_id": RANDOM_ID,
    "subject_record.gallery_id": RANDOM_ID,
    "subject_record.purpose": "the gallery's purpose",
    "subject_record.basis": "one of the few words of people.rules.BASES",
    "subject_record.controller": "the gallery's controller",
    "subject_record.source": "one of the few words of people.rules.SOURCES",
    "subject_record.stopped_for": STATE,
    "consent.id": RANDOM_ID,
    "consent.subject_id": RANDOM_ID,
    "consent.notice": "the version of a notice, one short word",
    "consent.purpose": "the gallery's purpose",
    "consent.kind": STATE,
    "consent.release_sha256": "SHA-256 of the release behind 32 random bytes, which are sealed with it",
    "hold.id": RANDOM_ID,
    "hold.gallery_id": RANDOM_ID,
    "hold.subject_id": RANDOM_ID,
    "hold.state": STATE,
    "hold.proposed_by": "a random id or `owner`",
    "hold.approved_by": "a random id or `owner`",
    "hold.release_by": "a random id or `owner`",
    "hold.released_by": "a random id or `owner`",
    "receipt.id": RANDOM_ID,
    "receipt.subject_id": RANDOM_ID,
    "receipt.gallery_id": RANDOM_ID,
    "receipt.document": "ids, times and counts: people.receipts takes nothing else",
    "receipt.signature": "Ed25519",
    "follow_up.id": RANDOM_ID,
    "follow_up.gallery_id": RANDOM_ID,
    "follow_up.subject_id": RANDOM_ID,
    "follow_up.recipient": "a random id or `owner`, from the ledger",
    "follow_up.act": "a short code, from the ledger",
    "follow_up.cause": STATE,
    "follow_up.done_by": "a random id or `owner`",
    "alert.id": RANDOM_ID,
    "alert.kind": STATE,
    "alert.actor": "a random id or `owner`",
    "alert.gallery_id": RANDOM_ID,
    "alert.subject_id": RANDOM_ID,
    "alert.seen_by": "a random id or `owner`",
    "account_lock.actor": "a random id",
    "account_lock.alert_id": RANDOM_ID,
    "spent.actor": "a random id",
    "spent.meter": STATE,
    "decoy.subject_id": RANDOM_ID,
    "look.gallery_id": RANDOM_ID,
    "look.looks_sealed": "AES-256-GCM",
    "deployment.gallery_id": RANDOM_ID,
    "deployment.assessment": "the reference of a document, one short code",
    "template.photo_id": RANDOM_ID,
    "template.gallery_id": RANDOM_ID,
    "template.subject_id": RANDOM_ID,
    "template.row_id": "16 random bytes",
    "template.binding": "AES-256-GCM",
    "template.photo_mark": "keyed mark of the photo's bytes",
    "template.state": STATE,
    "template.capture": STATE,
    "intent.kind": STATE,
    "intent.gallery_id": RANDOM_ID,
    "intent.subject_id": RANDOM_ID,
    "intent.row_ids": "16 random bytes each",
    "intent.state": STATE,
    "api_key.id": RANDOM_ID,
    "api_key.name": "label of a device or program; access.keys takes one short lower-case word",
    "api_key.secret_hash": "argon2id of 256 random bits",
    "api_key.scopes": "words of access.permissions, random ids of galleries",
    "api_key.made_by": "a random id or `owner`",
    "operator.id": RANDOM_ID,
    "operator.state": STATE,
    "operator.name_sealed": "AES-256-GCM",
    "operator.roles": "words of access.roles, random ids of galleries",
    "passkey.credential": "random id that an authenticator drew",
    "passkey.operator_id": RANDOM_ID,
    "passkey.public_key": "public key of a passkey",
    "release_wait.subject_id": RANDOM_ID,
    "release_wait.gallery_id": RANDOM_ID,
    "own_end.subject_id": RANDOM_ID,
    "own_end.gallery_id": RANDOM_ID,
    "own_template.subject_id": RANDOM_ID,
    "failed_try.subject_id": RANDOM_ID,
    "failed_try.way": STATE,
    "own_template.digest": "SHA-256 of AES-256-GCM under a random nonce",
    "operator_subject.mark": "HMAC-SHA256, under the gate's key, of what a provider calls an operator",
    "operator_subject.operator_id": RANDOM_ID,
    "way_in.code_sha256": "SHA-256 of 256 random bits",
    "way_in.operator_id": RANDOM_ID,
    "approval.id": RANDOM_ID,
    "approval.kind": "one of the few words of access.kinds",
    "approval.state": STATE,
    "approval.proposer": "random id of an operator, or `owner`",
    "approval.content_sealed": "AES-256-GCM",
    "approval.digest": "SHA-256 of content with 128 random bits in it",
    "approval.approver": "random id of an operator, or `owner`",
    "approval.signer": "random id that an authenticator drew",
    "approval.signature": "what an authenticator signed: hashes, a counter, the page's address",
    "emergency.id": RANDOM_ID,
    "emergency.kind": STATE,
    "emergency.pressed_by": "a random id or `owner`",
    "emergency.lifted_by": "a random id or `owner`",
    "incident.id": RANDOM_ID,
    "incident.opened_by": "a random id or `owner`",
    "incident.lost": "some of the few words of incidents.breaches",
    "incident.galleries": RANDOM_ID,
    "incident.done": "some of the few words of incidents.breaches",
    "incident.content_sealed": "AES-256-GCM",
    "report.id": RANDOM_ID,
    "report.secret_sha256": "SHA-256 of random bits that the sender alone was given",
    "report.content_sealed": "AES-256-GCM",
    "report.answered_by": "a random id or `owner`",
    "report.answer_sealed": "AES-256-GCM",
    "drill_report.id": RANDOM_ID,
    "drill_report.document": "names of drills, counts, a version and times",
    "drill_report.signature": "Ed25519",
    "ledger_entry.kind": "one of ledger.leaves.Kind",
    "ledger_entry.act": "a short code, checked by ledger.leaves",
    "ledger_entry.actor": "a random id or `owner`, checked by ledger.leaves",
    "ledger_entry.purpose": "the gallery's purpose",
    "ledger_entry.gallery_id": RANDOM_ID,
    "ledger_entry.subject_id": RANDOM_ID,
    "ledger_entry.reason_sealed": "AES-256-GCM",
    "ledger_entry.detail": "whole numbers, booleans, short codes and ids, checked by ledger.leaves",
    "ledger_entry.prev_hash": "SHA-256",
    "ledger_entry.hash": "SHA-256",
    "ledger_about.about_id": "a random id that an entry of the ledger names, or `owner`",
    "ledger_day.kind": "one of ledger.leaves.Kind",
    "ledger_day.act": "a short code, as the entries' own",
    "ledger_day.actor": "a random id or `owner`, as the entries' own",
    "ledger_day.purpose": "the gallery's purpose",
    "ledger_day.gallery_id": "a random id, or nothing",
    "ledger_day.band": "the name of a band, or nothing",
    "ledger_hash.hash": "SHA-256",
    "ledger_cosigned.note": "a signed checkpoint: origin, size, root hash, signatures",
}


def can_hold_anything(column: Column[object]) -> bool:
    """Whether text or bytes fit in: numbers name nobody."""
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(kind, String | LargeBinary)


def unexplained(metadata: MetaData) -> set[str]:
    """Columns without a reason."""
    columns = (column for table in metadata.tables.values() for column in table.columns if can_hold_anything(column))
    return {f"{column.table.name}.{column.name}" for column in columns} - set(REASONS)


def test_every_column_that_could_name_somebody_has_its_reason() -> None:
    assert unexplained(Base.metadata) == set()


@pytest.mark.parametrize("kind", [String(), LargeBinary(), Base.metadata.tables["gallery"].c.bands.type])
def test_the_rule_catches_a_new_column(kind: String) -> None:
    metadata = MetaData()
    Table("subject", metadata, Column("first_name", kind))
    assert unexplained(metadata) == {"subject.first_name"}


def test_no_reason_outlives_its_column() -> None:
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns}
    assert set(REASONS) - columns == set()


def test_the_real_file_has_no_other_columns(tmp_path: Path) -> None:
    Store(tmp_path / "gate.db", HandClock()).close()
    connection = sqlite3.connect(tmp_path / "gate.db")
    found = {
        f"{table}.{column}"
        for table, column, kind in connection.execute(
            "SELECT m.name, c.name, c.type FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c "
            "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        )
        if kind in {"TEXT", "BLOB", "ANY"} or "CHAR" in kind
    }
    connection.close()
    assert found - {"alembic_version.version_num"} == set(REASONS)
