"""What devices, passkeys, sessions and keepers sign has the bytes of vectors/warrants_signatures.json, made here again.

As for warrants.json, the second implementation is written from the formats alone: length-prefixed parts, a domain
first.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.vault.endorsed import Endorsed, Entry, Kept
from moiety.vault.policy import GalleryPolicy, Needs, Standing
from moiety.vault.roster import Roster
from moiety.vault.signers import Believed
from moiety.warrants.passkeys import Passkey, check_assertion
from moiety.warrants.proofs import DeviceSlip, SessionGrant, by_device, by_session, check_session, sign_slip
from moiety.warrants.records import Record
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import SignedWarrant, Warrant, signed_with

FROZEN = json.loads((Path(__file__).parents[2] / "vectors" / "warrants_signatures.json").read_text())
SIGNED, BOOKS = FROZEN["signed"], FROZEN["books"]
RECORDS: dict[str, type[Roster | Standing | GalleryPolicy]] = {
    "roster": Roster,
    "standing": Standing,
    "policy": GalleryPolicy,
}
NOW = 1_800_000_000


def raw(told: str) -> bytes:
    return bytes.fromhex(told)


def key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(raw(SIGNED["keys"][name]))


def public(of: Ed25519PrivateKey) -> bytes:
    return of.public_key().public_bytes_raw()


def parts(*given: bytes | str | int) -> bytes:
    out = b""
    for part in given:
        content = part.encode() if isinstance(part, str) else part if isinstance(part, bytes) else part.to_bytes(8)
        out += len(content).to_bytes(4) + content
    return out


def warrant(name: str) -> Warrant:
    made = Warrant.decode(raw(SIGNED[name]["encoded"]))
    assert made.digest().hex() == SIGNED[name]["digest"] == hashlib.sha256(raw(SIGNED[name]["encoded"])).hexdigest()
    return made


def signatures(name: str) -> SignedWarrant:
    return SignedWarrant.decode(raw(SIGNED[name]))


def test_a_device_signs_picture_door_time_and_nonce() -> None:
    asked, told = warrant("asked"), SIGNED["slip"]
    slip = DeviceSlip.decode(raw(told["encoded"]))
    by_hand = parts("moiety/device/1", asked.image_sha256, "door 7", NOW, slip.nonce)
    assert raw(told["encoded"]) == by_hand
    signature = key("device").sign(hashlib.sha256(by_hand).digest())
    device = public(key("device"))
    assert raw(told["signed"]) == parts("moiety/signed-slip/1", by_hand, device, signature)
    assert sign_slip(slip, key("device")).encode() == raw(told["signed"])
    assert asked.nonce == face_nonce(slip.nonce, told["face"])
    proof = parts("moiety/device-proof/1", by_hand, told["face"], signature)
    assert raw(SIGNED["by_device"]) == parts(asked.encode(), parts("device", device, proof))
    assert signed_with(asked, by_device(sign_slip(slip, key("device")), 2)) == signatures("by_device")


def test_a_passkey_signs_the_digest_of_the_warrant() -> None:
    asked, credential = warrant("asked"), raw(SIGNED["credential"])
    (signature,) = signatures("by_passkey").signatures
    assert (signature.scheme, signature.signer) == ("passkey", credential)
    client = json.dumps(
        {
            "type": "webauthn.get",
            "challenge": _base64url(asked.digest()),
            "origin": SIGNED["origin"],
            "crossOrigin": False,
        },
        separators=(",", ":"),
    ).encode()
    data = hashlib.sha256(SIGNED["rp_id"].encode()).digest() + b"\x05" + (7).to_bytes(4)
    value = parts("moiety/assertion/1", data, client, key("ann").sign(data + hashlib.sha256(client).digest()))
    assert signature.value == value
    assert raw(SIGNED["by_passkey"]) == parts(asked.encode(), parts("passkey", credential, value))


def test_a_session_signs_what_a_passkey_let_it_sign() -> None:
    shown, session = warrant("shown"), key("session")
    grant = parts("moiety/session/1", public(session), NOW + 3600)
    assert raw(SIGNED["grant"]["encoded"]) == grant
    assert hashlib.sha256(grant).hexdigest() == SIGNED["grant"]["digest"]
    (signature,) = signatures("by_session").signatures
    found, credential, assertion = check_session(signature, shown, NOW)
    assert found == SessionGrant.decode(grant)
    passkey = Passkey(credential, raw(SIGNED["passkey"]))
    assert check_assertion(assertion, passkey, hashlib.sha256(grant).digest(), SIGNED["rp_id"], SIGNED["origin"]) == 0
    proof = parts("moiety/session-proof/1", NOW + 3600, credential, assertion.encode(), session.sign(shown.digest()))
    assert raw(SIGNED["by_session"]) == parts(shown.encode(), parts("session", public(session), proof))
    assert by_session(shown, found, credential, assertion, session) == signature


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def by_hand(record: Record, domain: str) -> bytes:
    """Encode a record from its plain fields; nested ones by their own domains."""

    def piece(value: object) -> bytes | str | int:
        if isinstance(value, Record):
            return by_hand(value, value.DOMAIN)
        if isinstance(value, tuple):
            return parts(*(piece(one) for one in value))
        assert isinstance(value, (bytes, str, int))
        return value

    return parts(domain, *(piece(getattr(record, name)) for name in record.plain()))


@pytest.mark.parametrize(
    ("name", "domain"),
    [("roster", "moiety/roster/1"), ("standing", "moiety/standing/1"), ("policy", "moiety/policy/2")],
)
def test_what_keepers_sign(name: str, domain: str) -> None:
    told = BOOKS["records"][name]
    record = RECORDS[name].from_plain(told["fields"])
    assert record.encode().hex() == told["encoded"] == by_hand(record, domain).hex()
    assert record.digest().hex() == told["digest"]
    assert RECORDS[name].decode(raw(told["encoded"])) == record
    keeper = Ed25519PrivateKey.from_private_bytes(raw(BOOKS["keeper_key"]))
    signature = keeper.sign(record.digest())
    endorsement = parts("moiety/endorsement/1", public(keeper), signature)
    assert raw(told["endorsed"]) == parts("moiety/endorsed/1", record.encode(), parts(endorsement))
    assert Endorsed(record.encode()).by(keeper).encode().hex() == told["endorsed"]


def test_what_a_vault_keeps() -> None:
    vault = Ed25519PrivateKey.from_private_bytes(raw(BOOKS["vault_key"]))
    entry = Entry.decode(raw(BOOKS["entry"]))
    policy = raw(BOOKS["records"]["policy"]["endorsed"])
    assert entry.encode() == parts("moiety/book-entry/1", entry.name, "keepers", policy, 2, NOW, 0)
    assert raw(BOOKS["kept"]) == parts("moiety/book/1", entry.encode(), vault.sign(entry.digest()))
    assert Kept.decode(raw(BOOKS["kept"])).opened(entry.name, public(vault)) == entry


def test_the_frozen_signatures_are_believed_by_the_frozen_roster() -> None:
    roster = Roster.from_plain(BOOKS["records"]["roster"]["fields"])
    person = roster.people[0]
    passkey = Passkey(raw(SIGNED["credential"]), raw(SIGNED["passkey"]))
    ann = type(person)(person.name, person.roles, (passkey,))
    device = roster.devices[0]
    camera = type(device)(device.name, public(key("device")), device.gallery, device.door, device.role)
    believed = Believed((), Roster(**_fields(roster) | {"people": (ann,), "devices": (camera,)}), NOW)
    assert believed.signers(signatures("by_device"), Needs.DEVICE).payers == (camera.key,)
    for name in ("by_passkey", "by_session"):
        assert believed.signers(signatures(name), Needs.OPERATOR).payers == (b"person:ann",)


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.plain()}
