"""Any flipped, cut or added byte of what somebody signed is refused: warrants, rosters, policies, books."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from moiety.drill.authenticator import ORIGIN, RP_ID, SoftwareAuthenticator
from moiety.foundation.errors import Unverified
from moiety.vault.endorsed import Endorsed, Entry, Kept, Origin
from moiety.vault.policy import Needs, Standing
from moiety.vault.signers import Believed
from moiety.warrants.records import NO_BOX
from moiety.warrants.warrant import NOTHING, SKEW_SECONDS, Act, SignedWarrant, Warrant, sign_as_service, signed_with
from vault_people import OPERATOR, REGISTRAR, Camera, Signer, both
from vault_samples import GALLERY, KEEPER, TENANT, policy, roster

if TYPE_CHECKING:
    from moiety.warrants.records import Record

NOW = 1_800_000_000
SERVICE, VAULT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ANN = Signer("ann", (OPERATOR, REGISTRAR))
BOB = Signer("bob", (OPERATOR,), SoftwareAuthenticator("Ed25519"))
CAMERA = Camera(GALLERY)
ROSTER = roster(rp_id=RP_ID, origin=ORIGIN, people=(ANN.person, BOB.person), devices=(CAMERA.device,))
BELIEVED = Believed((SERVICE.public_key().public_bytes_raw(),), ROSTER, NOW)


def warrant(act: Act = Act.SEARCH) -> Warrant:
    image = NOTHING if act is Act.REVEAL else b"i" * 32
    return Warrant(
        act, TENANT, GALLERY, 1, "a door", "door 7", image, NO_BOX, NOTHING, b"t" * 32, NOW, NOW + 60, os.urandom(32)
    )


def by_session() -> SignedWarrant:
    asked = warrant(Act.REVEAL)
    return signed_with(asked, BOB.session(NOW + 60).sign(asked))


SIGNED = {
    "service": (sign_as_service(warrant(), SERVICE), Needs.SERVICE),
    "device": (CAMERA.signed(warrant())[0], Needs.DEVICE),
    "ES256 passkey": (ANN.signed(warrant())[0], Needs.OPERATOR),
    "Ed25519 passkey": (BOB.signed(warrant())[0], Needs.OPERATOR),
    "two people": (both(ANN, BOB, warrant())[0], Needs.TWO_PERSON),
    "session": (by_session(), Needs.OPERATOR),
}
RECORDS: dict[str, Record] = {
    "roster": ROSTER,
    "policy": policy(),
    "standing policy": Standing(TENANT, 1, service_opens=1),
}


def spoilt(raw: bytes) -> st.SearchStrategy[bytes]:
    """Give every way of changing a byte, cutting the end off or adding to it."""
    places = st.integers(0, len(raw) - 1)
    changed = st.builds(lambda at, by: raw[:at] + bytes([raw[at] ^ by]) + raw[at + 1 :], places, st.integers(1, 255))
    return st.one_of(changed, places.map(lambda at: raw[:at]), st.binary(min_size=1, max_size=4).map(lambda b: raw + b))


def must_be_refused(kind: str, raw: bytes) -> None:
    """Check that altered bytes are refused; a device signs picture, door, time and nonce, not the rest of a warrant.

    The rest the vault holds against its own policy and the eye's statement; see the guard's tests.
    """
    signed, needs = SIGNED[kind]
    assert raw != signed.encode()
    try:
        altered = SignedWarrant.decode(raw)
        BELIEVED.signers(altered, needs)
    except Unverified:
        return
    bound = [
        (one.signatures, one.warrant.image_sha256, one.warrant.case, one.warrant.nonce) for one in (altered, signed)
    ]
    assert kind == "device"
    assert bound[0] == bound[1]
    assert abs(altered.warrant.issued - NOW) <= SKEW_SECONDS


@pytest.mark.parametrize("kind", SIGNED)
@given(st.data())
def test_a_signed_warrant_holds_as_a_whole(kind: str, data: st.DataObject) -> None:
    signed, needs = SIGNED[kind]
    assert BELIEVED.signers(SignedWarrant.decode(signed.encode()), needs).payers
    must_be_refused(kind, data.draw(spoilt(signed.encode())))


@pytest.mark.parametrize("kind", SIGNED)
def test_each_single_flipped_bit_of_a_signed_warrant_is_refused(kind: str) -> None:
    raw = SIGNED[kind][0].encode()
    for at in range(len(raw)):
        must_be_refused(kind, raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])


@pytest.mark.parametrize("kind", RECORDS)
@given(st.data())
def test_what_keepers_signed_holds_as_a_whole(kind: str, data: st.DataObject) -> None:
    endorsed = Endorsed(RECORDS[kind].encode()).by(KEEPER)
    assert Endorsed.decode(endorsed.encode()).must_have_quorum(ROSTER) == ["keeper"]
    with pytest.raises(Unverified):
        Endorsed.decode(data.draw(spoilt(endorsed.encode()))).must_have_quorum(ROSTER)


@pytest.mark.parametrize("kind", RECORDS)
@given(st.data())
def test_a_file_of_the_book_holds_as_a_whole(kind: str, data: st.DataObject) -> None:
    entry = Entry("name", Origin.KEEPERS, Endorsed(RECORDS[kind].encode()).by(KEEPER), 1, NOW)
    kept, public = Kept.of(entry, VAULT).encode(), VAULT.public_key().public_bytes_raw()
    assert Kept.decode(kept).opened("name", public) == entry
    with pytest.raises(Unverified):
        Kept.decode(kept).opened("another", public)
    with pytest.raises(Unverified):
        Kept.decode(data.draw(spoilt(kept))).opened("name", public)


@pytest.mark.parametrize("kind", RECORDS)
def test_records_go_through_drafts_unchanged(kind: str) -> None:
    record = RECORDS[kind]
    assert type(record).from_plain(record.plain()) == record
    assert type(record).decode(record.encode()) == record


def test_a_signature_of_one_kind_is_none_of_another() -> None:
    """Every pair of scheme and value that do not belong together is refused."""
    for signed, _ in SIGNED.values():
        for other, _ in SIGNED.values():
            for needs in Needs:
                (first, *_), (second, *_) = signed.signatures, other.signatures
                mixed = replace(first, scheme=second.scheme)
                if mixed.scheme is not first.scheme:
                    with pytest.raises(Unverified):
                        BELIEVED.signers(signed_with(signed.warrant, mixed), needs)
