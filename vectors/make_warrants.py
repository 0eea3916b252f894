"""Write vectors/warrants.json: records, digests, signatures, targets, nonces and commitments in their final format.

Run it only when the protocol itself changes: `PYTHONPATH=src python vectors/make_warrants.py`. The tests read the file;
they never write it. Bytes are hex. The keys are those of no one.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.warrants import statement as statements
from moiety.warrants import targets
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, commit_row, face_nonce, row_label
from moiety.warrants.warrant import Act, Warrant, sign_as_service

if TYPE_CHECKING:
    from moiety.warrants.records import Record

HERE = Path(__file__).parent
TENANT, GALLERY = "ten_0001", "gal_abcdefghijklmnop"


def some(tag: str, size: int = 32) -> bytes:
    """Return arbitrary but fixed bytes."""
    return hashlib.shake_128(tag.encode()).digest(size)


def _plain(record: Record) -> dict[str, Any]:
    """Give the fields of a record for JSON."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def _statements(eye: Ed25519PrivateKey) -> list[tuple[Statement, dict[str, Any]]]:
    """Make a probe's statement and a template's."""
    made = []
    for kind, row, commitment in (
        (Made.PROBE, b"", commit_probe(some("nonce"), some("salt"), some("probe", 128))),
        (Made.TEMPLATE, some("row id", 16), commit_row(TENANT, GALLERY, some("row id", 16), 1, some("salt"), b"row")),
    ):
        statement = Statement(
            made=kind,
            tenant=TENANT,
            gallery=GALLERY,
            image_sha256=some("image"),
            box=(1, 20, 300, 4000),
            model=some("model"),
            rotation=some("rotation"),
            pad=Pad.UNKNOWN,
            row=row,
            epoch=1,
            commitment=commitment,
            nonce=some("nonce"),
            issued=1_800_000_000,
        )
        told = {
            "fields": _plain(statement),
            "encoded": statement.encode().hex(),
            "digest": statement.digest().hex(),
            "signature": statements.sign(statement, eye).hex(),
        }
        made.append((statement, told))
    return made


def _warrant(statement: Statement, service: Ed25519PrivateKey) -> dict[str, Any]:
    """Make a search warrant for a probe's statement, signed."""
    warrant = Warrant(
        act=Act.SEARCH,
        tenant=TENANT,
        gallery=GALLERY,
        policy_version=3,
        purpose="opens the garage, Zufahrt für Gäste",
        case="door 7",
        image_sha256=statement.image_sha256,
        box=statement.box,
        statement_sha256=statement.digest(),
        target=bytes(32),
        issued=1_800_000_000,
        expires=1_800_000_060,
        nonce=statement.nonce,
    )
    return {
        "fields": _plain(warrant),
        "encoded": warrant.encode().hex(),
        "digest": warrant.digest().hex(),
        "signed": sign_as_service(warrant, service).encode().hex(),
    }


def vectors() -> dict[str, Any]:
    """Make everything."""
    eye, service = (Ed25519PrivateKey.from_private_bytes(some(name)) for name in ("eye", "service"))
    made = _statements(eye)
    rows, person, wrapped = [some("row 1", 16), some("row 2", 16)], some("person", 16), some("wrapped", 60)
    commit = {"nonce": some("nonce"), "salt": some("salt"), "probe": some("probe", 128), "row": some("row", 256)}
    return {
        "eye_key": some("eye").hex(),
        "service_key": some("service").hex(),
        "statements": [told for _, told in made],
        "warrant": _warrant(made[0][0], service),
        "face_nonces": {str(i): face_nonce(some("asker"), i).hex() for i in (0, 1, 255)},
        "face_nonce_of": some("asker").hex(),
        "commit": {name: value.hex() for name, value in commit.items()},
        "commit_probe": commit_probe(commit["nonce"], commit["salt"], commit["probe"]).hex(),
        "commit_row": commit_row(TENANT, GALLERY, rows[0], 2, commit["salt"], commit["row"]).hex(),
        "row_label": row_label(TENANT, GALLERY, rows[0], 2).hex(),
        "sealing_bound": {half: targets.sealing_bound(half, commit["nonce"]).hex() for half in "ab"},
        "targets": {
            "blocks": {"of": [0, 3, 70_000], "target": targets.of_blocks([0, 3, 70_000]).hex()},
            "erasure": {"target": targets.of_erasure(rows, person).hex()},
            "rows_only": {"target": targets.of_erasure(rows, b"").hex()},
            "field": {"target": targets.of_field(person, "sub_1", "name", wrapped).hex()},
            "policy": {"target": targets.of_policy(b"policy").hex()},
            "person": {"handle": targets.person_handle(TENANT, GALLERY, "sub_1").hex()},
        },
        "rows": [row.hex() for row in rows],
        "person": person.hex(),
        "wrapped": wrapped.hex(),
    }


if __name__ == "__main__":
    (HERE / "warrants.json").write_text(json.dumps(vectors(), indent=1) + "\n")
