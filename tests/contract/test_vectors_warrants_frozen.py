"""Warrants, statements, targets and commitments have the bytes of vectors/warrants.json, made here a second time.

The second implementation below is written from the shared protocol alone: length-prefixed parts, a domain in front.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.warrants import statement as statements
from moiety.warrants import targets
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, commit_row, face_nonce, row_label
from moiety.warrants.warrant import Act, SignedWarrant, Warrant, sign_as_service, signed_by_service

FROZEN = json.loads((Path(__file__).parents[2] / "vectors" / "warrants.json").read_text())
TENANT, GALLERY = "ten_0001", "gal_abcdefghijklmnop"
HEX_FIELDS = {
    "image_sha256", "model", "rotation", "row", "commitment", "nonce", "statement_sha256", "target",
}  # fmt: skip


def raw(*names: str) -> bytes:
    found: Any = FROZEN
    for name in names:
        found = found[name]
    return bytes.fromhex(found)


def parts(*given: bytes | str | int) -> bytes:
    out = b""
    for part in given:
        content = part.encode() if isinstance(part, str) else part if isinstance(part, bytes) else part.to_bytes(8)
        out += len(content).to_bytes(4) + content
    return out


def sha(*given: bytes | str | int) -> bytes:
    return hashlib.sha256(parts(*given)).digest()


def fields_of(told: dict[str, Any]) -> dict[str, Any]:
    return {
        name: bytes.fromhex(value) if name in HEX_FIELDS else tuple(value) if name == "box" else value
        for name, value in told["fields"].items()
    }


def by_hand(domain: str, told: dict[str, Any]) -> bytes:
    return parts(domain, *(parts(*v) if isinstance(v, tuple) else v for v in fields_of(told).values()))


@pytest.mark.parametrize("index", [0, 1], ids=["probe", "template"])
def test_statements(index: int) -> None:
    told = FROZEN["statements"][index]
    values = fields_of(told)
    statement = Statement(**values | {"made": Made(values["made"]), "pad": Pad(values["pad"])})
    assert statement.encode().hex() == told["encoded"] == by_hand("moiety/statement/1", told).hex()
    assert statement.digest().hex() == told["digest"] == hashlib.sha256(bytes.fromhex(told["encoded"])).hexdigest()
    assert Statement.decode(bytes.fromhex(told["encoded"])) == statement
    eye = Ed25519PrivateKey.from_private_bytes(raw("eye_key"))
    assert statements.sign(statement, eye).hex() == told["signature"]
    statements.verify(statement, bytes.fromhex(told["signature"]), eye.public_key().public_bytes_raw())


def test_the_warrant_and_its_signature() -> None:
    told = FROZEN["warrant"]
    values = fields_of(told)
    warrant = Warrant(**values | {"act": Act(values["act"])})
    assert warrant.encode().hex() == told["encoded"] == by_hand("moiety/warrant/1", told).hex()
    assert warrant.digest().hex() == told["digest"]
    key = Ed25519PrivateKey.from_private_bytes(raw("service_key"))
    public = key.public_key().public_bytes_raw()
    by_hand_signed = parts(warrant.encode(), parts("service", public, key.sign(bytes.fromhex(told["digest"]))))
    assert sign_as_service(warrant, key).encode().hex() == told["signed"] == by_hand_signed.hex()
    assert signed_by_service(SignedWarrant.decode(bytes.fromhex(told["signed"])), [public]) == public


def test_nonces_of_faces() -> None:
    for index, nonce in FROZEN["face_nonces"].items():
        asker = raw("face_nonce_of")
        assert face_nonce(asker, int(index)).hex() == nonce == sha("moiety/nonce/1", asker, int(index)).hex()


def test_commitments_and_the_name_of_a_pad() -> None:
    nonce, salt, probe, row = (raw("commit", name) for name in ("nonce", "salt", "probe", "row"))
    row_id = bytes.fromhex(FROZEN["rows"][0])
    assert commit_probe(nonce, salt, probe) == raw("commit_probe") == sha("moiety/probe/1", nonce, salt, probe)
    at = (TENANT, GALLERY, row_id, 2)
    assert commit_row(*at, salt, row) == raw("commit_row") == sha("moiety/commit/1", *at, salt, row)
    little = [part.encode() if isinstance(part, str) else part for part in ("moiety/row/1", TENANT, GALLERY, row_id)]
    name = b"".join(len(part).to_bytes(4, "little") + part for part in [*little, (2).to_bytes(8, "little")])
    assert row_label(*at) == raw("row_label") == name


def test_what_is_sealed_is_bound_to_its_half_and_nonce() -> None:
    for half in "ab":
        bound = targets.sealing_bound(half, raw("commit", "nonce"))
        assert bound == raw("sealing_bound", half) == parts("moiety/sealed/1", half, raw("commit", "nonce"))


def test_targets() -> None:
    rows, person, wrapped = [bytes.fromhex(row) for row in FROZEN["rows"]], raw("person"), raw("wrapped")
    blocks = FROZEN["targets"]["blocks"]["of"]
    assert targets.of_blocks(blocks) == raw("targets", "blocks", "target") == sha("moiety/target/blocks/1", *blocks)
    erasure = sha("moiety/target/erase/1", person, *rows)
    assert targets.of_erasure(rows, person) == raw("targets", "erasure", "target") == erasure
    assert targets.of_erasure(rows, b"") == raw("targets", "rows_only", "target") != erasure
    field = sha("moiety/target/field/1", person, "sub_1", "name", wrapped)
    assert targets.of_field(person, "sub_1", "name", wrapped) == raw("targets", "field", "target") == field
    policy = sha("moiety/target/policy/1", b"policy")
    assert targets.of_policy(b"policy") == raw("targets", "policy", "target") == policy
    handle = sha("moiety/person/1", TENANT, GALLERY, "sub_1")[:16]
    assert targets.person_handle(TENANT, GALLERY, "sub_1") == raw("targets", "person", "handle") == handle
