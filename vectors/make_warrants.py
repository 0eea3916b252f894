"""Write vectors/warrants.json: records, digests, signatures, targets, nonces and commitments in their final format.

What devices, passkeys, sessions and keepers sign stands in vectors/warrants_signatures.json.

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
from webauthn.helpers import bytes_to_base64url, encode_cbor

from moiety.vault.endorsed import Endorsed, Entry, Kept, Origin
from moiety.vault.policy import GalleryPolicy, Needs, Standing
from moiety.vault.roster import Device, Keeper, Person, Roster, RosterRole
from moiety.warrants import statement as statements
from moiety.warrants import targets
from moiety.warrants.passkeys import Passkey
from moiety.warrants.proofs import (
    Assertion,
    DeviceSlip,
    SessionGrant,
    by_device,
    by_passkey,
    by_session,
    sign_slip,
)
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, commit_row, face_nonce, row_label
from moiety.warrants.warrant import Act, Warrant, sign_as_service, signed_with, without_picture

if TYPE_CHECKING:
    from moiety.warrants.records import Record

HERE = Path(__file__).parent
TENANT, GALLERY = "ten_0001", "gal_abcdefghijklmnop"
RP_ID, ORIGIN = "sign.example.org", "https://sign.example.org"
UP_UV = 0x05


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


def _told(record: Record) -> dict[str, str]:
    """Give the canonical bytes of a record and their digest."""
    return {"encoded": record.encode().hex(), "digest": record.digest().hex()}


def _assertion(challenge: bytes, key: Ed25519PrivateKey, count: int) -> Assertion:
    """Make a WebAuthn assertion with an Ed25519 passkey: such signatures are the same each time."""
    data = hashlib.sha256(RP_ID.encode()).digest() + bytes([UP_UV]) + count.to_bytes(4, "big")
    told = {"type": "webauthn.get", "challenge": bytes_to_base64url(challenge), "origin": ORIGIN, "crossOrigin": False}
    client = json.dumps(told, separators=(",", ":")).encode()
    return Assertion(data, client, key.sign(data + hashlib.sha256(client).digest()))


def _signed() -> dict[str, Any]:
    """Make a warrant with each kind of signature."""
    device, session, person = (
        Ed25519PrivateKey.from_private_bytes(some(name)) for name in ("device", "session", "ann")
    )
    slip = DeviceSlip(some("image"), "door 7", 1_800_000_000, some("asker"))
    signed_slip = sign_slip(slip, device)
    asked = Warrant(
        act=Act.SEARCH,
        tenant=TENANT,
        gallery=GALLERY,
        policy_version=3,
        purpose="opens the garage, Zufahrt für Gäste",
        case="door 7",
        image_sha256=some("image"),
        box=(1, 20, 300, 4000),
        statement_sha256=some("statement"),
        target=bytes(32),
        issued=1_800_000_000,
        expires=1_800_000_060,
        nonce=face_nonce(some("asker"), 2),
    )
    shown = without_picture(
        Act.REVEAL, (TENANT, GALLERY, 3, asked.purpose), "case 9", some("target"), 1_800_000_000, some("nonce")
    )
    credential, grant = some("credential", 16), SessionGrant(session.public_key().public_bytes_raw(), 1_800_003_600)
    opened = _assertion(grant.digest(), person, 0)
    return {
        "keys": {name: some(name).hex() for name in ("device", "session", "ann")},
        "rp_id": RP_ID,
        "origin": ORIGIN,
        "credential": credential.hex(),
        "passkey": encode_cbor({1: 1, 3: -8, -1: 6, -2: person.public_key().public_bytes_raw()}).hex(),
        "asked": _told(asked),
        "shown": _told(shown),
        "slip": {**_told(slip), "signed": signed_slip.encode().hex(), "face": 2},
        "grant": _told(grant),
        "by_device": signed_with(asked, by_device(signed_slip, 2)).encode().hex(),
        "by_passkey": signed_with(asked, by_passkey(credential, _assertion(asked.digest(), person, 7))).encode().hex(),
        "by_session": signed_with(shown, by_session(shown, grant, credential, opened, session)).encode().hex(),
    }


def _books() -> dict[str, Any]:
    """Make a roster, a policy and a standing policy, signed by a keeper, and an entry of a vault's book."""
    keeper, vault = (Ed25519PrivateKey.from_private_bytes(some(name)) for name in ("keeper", "vault"))
    person = Person("ann", (RosterRole.OPERATOR, RosterRole.REGISTRAR), (Passkey(some("credential", 16), b"cose"),))
    device = Device("camera-7", some("camera"), GALLERY, "door 7", RosterRole.OPERATOR)
    keepers = (Keeper("keeper", keeper.public_key().public_bytes_raw()),)
    policy = GalleryPolicy(
        tenant=TENANT,
        gallery=GALLERY,
        version=3,
        purpose="opens the garage, Zufahrt für Gäste",
        model=some("model"),
        rotation=some("rotation"),
        dim=512,
        thresholds=(6645, 7710, 9339),
        asks=Needs.DEVICE,
        enrols=Needs.OPERATOR,
        erases=Needs.TWO_PERSON,
        reveals=Needs.SERVICE,
        erasures_alone_per_day=50,
        probes_per_hour=20_000,
        templates_per_hour=100_000,
        erasures_per_hour=100_000,
        reveals_per_hour=1_000,
    )
    records: dict[str, Record] = {
        "roster": Roster(TENANT, 2, 1, RP_ID, ORIGIN, keepers, (person,), (device,)),
        "standing": Standing(TENANT, 1, service_opens=1),
        "policy": policy,
    }
    endorsed = {name: Endorsed(record.encode()).by(keeper) for name, record in records.items()}
    entry = Entry(f"gallery-{GALLERY}", Origin.KEEPERS, endorsed["policy"], 2, 1_800_000_000, 0)
    return {
        "keeper_key": some("keeper").hex(),
        "vault_key": some("vault").hex(),
        "records": {
            name: {"fields": record.plain(), **_told(record), "endorsed": endorsed[name].encode().hex()}
            for name, record in records.items()
        },
        "entry": entry.encode().hex(),
        "kept": Kept.of(entry, vault).encode().hex(),
    }


def _write(name: str, made: dict[str, Any]) -> None:
    (HERE / name).write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    _write("warrants.json", vectors())
    _write("warrants_signatures.json", {"signed": _signed(), "books": _books()})
