"""Devices, passkeys and sessions: each signature holds for its own warrant, time and place, and for no other."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from webauthn.helpers import encode_cbor

from moiety.drill.authenticator import ORIGIN, RP_ID, SoftwareAuthenticator
from moiety.foundation.errors import Unverified
from moiety.warrants.passkeys import Passkey, check_assertion, registered
from moiety.warrants.proofs import (
    SESSION_SECONDS_MAX,
    Assertion,
    DeviceProof,
    DeviceSlip,
    SessionGrant,
    by_device,
    by_session,
    check_device,
    check_session,
    sign_slip,
)
from moiety.warrants.statement import face_nonce
from moiety.warrants.warrant import NOTHING, SKEW_SECONDS, Act, Scheme, Signature, Warrant

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000
DEVICE, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
IMAGE, TARGET, NONCE = b"i" * 32, b"t" * 32, b"n" * 32
WARRANT = Warrant(
    Act.SEARCH,
    "ten",
    "gal",
    1,
    "doors",
    "door 7",
    IMAGE,
    (1, 2, 3, 4),
    b"s" * 32,
    NOTHING,
    NOW,
    NOW + 60,
    face_nonce(NONCE, 0),
)
SLIP = DeviceSlip(IMAGE, "door 7", NOW, NONCE)
CHALLENGE = WARRANT.digest()


# ---- devices ----


@pytest.mark.parametrize("face", [0, 1, 255])
def test_a_device_signs_for_every_face_of_its_picture(face: int) -> None:
    warrant = replace(WARRANT, nonce=face_nonce(NONCE, face))
    assert check_device(by_device(sign_slip(SLIP, DEVICE), face), warrant) == SLIP


@pytest.mark.parametrize("act", [Act.ERASE, Act.REVEAL])
def test_where_there_is_no_picture_a_device_signs_the_target(act: Act) -> None:
    warrant = replace(WARRANT, act=act, image_sha256=NOTHING, target=TARGET)
    check_device(by_device(sign_slip(replace(SLIP, what=TARGET), DEVICE)), warrant)
    with pytest.raises(Unverified):
        check_device(by_device(sign_slip(replace(SLIP, what=NOTHING), DEVICE)), warrant)


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": b"j" * 32},
        {"door": "door 8"},
        {"door": ""},
        {"time": NOW + SKEW_SECONDS + 1},
        {"time": NOW - SKEW_SECONDS - 1},
        {"nonce": b"m" * 32},
        {"nonce": WARRANT.nonce},
    ],
    ids=str,
)
def test_a_slip_for_something_else_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unverified):
        check_device(by_device(sign_slip(replace(SLIP, **wrong), DEVICE)), WARRANT)


def test_a_devices_clock_may_be_two_minutes_off() -> None:
    for time in (NOW - SKEW_SECONDS, NOW + SKEW_SECONDS):
        check_device(by_device(sign_slip(replace(SLIP, time=time), DEVICE)), WARRANT)


def test_a_device_that_did_not_sign_is_refused() -> None:
    good = by_device(sign_slip(SLIP, DEVICE))
    theirs = OTHER.public_key().public_bytes_raw()
    forged = DeviceProof(replace(SLIP, time=NOW + 1), 0, DeviceProof.decode(good.value).signature)
    for bad in (
        replace(good, signer=theirs),
        replace(good, signer=b"short"),
        replace(good, value=forged.encode()),
        replace(good, value=DeviceProof(SLIP, 1, DeviceProof.decode(good.value).signature).encode()),
        replace(good, value=good.value[:-1]),
        replace(good, value=b""),
    ):
        with pytest.raises(Unverified):
            check_device(bad, WARRANT)


# ---- passkeys ----


@pytest.fixture(params=["ES256", "Ed25519"])
def key(request: pytest.FixtureRequest) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(request.param)


def test_a_passkey_signs_a_warrant_and_its_counter_is_told(key: SoftwareAuthenticator) -> None:
    passkey = key.passkey
    assert passkey == Passkey(key.credential, key.cose)
    assert check_assertion(key.sign(CHALLENGE), passkey, CHALLENGE, RP_ID, ORIGIN) == 1
    assert check_assertion(key.sign(CHALLENGE), passkey, CHALLENGE, RP_ID, ORIGIN) == 2
    key.counter = None
    assert check_assertion(key.sign(CHALLENGE), passkey, CHALLENGE, RP_ID, ORIGIN) == 0


SPOILT: dict[str, Callable[[SoftwareAuthenticator], Assertion]] = {
    "another challenge": lambda key: key.sign(b"c" * 32),
    "no user verification": lambda key: replace_on(key, verified=False).sign(CHALLENGE),
    "nobody present": lambda key: replace_on(key, present=False).sign(CHALLENGE),
    "another origin": lambda key: replace_on(key, origin="https://evil.example.org").sign(CHALLENGE),
    "the gate's origin": lambda key: replace_on(key, origin="https://gate.example.org").sign(CHALLENGE),
    "another port": lambda key: replace_on(key, origin=f"{ORIGIN}:8443").sign(CHALLENGE),
    "another rp id": lambda key: replace_on(key, rp_id="example.org").sign(CHALLENGE),
    "a registration": lambda key: replace_on(key, kind="webauthn.create").sign(CHALLENGE),
    "inside another page": lambda key: replace_on(key, framed=True).sign(CHALLENGE),
    "another's key": lambda key: replace_on(key, secret=os.urandom(32)).sign(CHALLENGE),
    "no JSON": lambda key: Assertion(key.sign(CHALLENGE).authenticator_data, b"{", b""),
    "no data": lambda key: replace(key.sign(CHALLENGE), authenticator_data=b""),
    "no signature": lambda key: replace(key.sign(CHALLENGE), signature=b""),
    "origin is a list": lambda key: key.sign(CHALLENGE, origin=[ORIGIN]),
    "challenge is a number": lambda key: key.sign(CHALLENGE, challenge=7),
    "client data is a list": lambda key: replace(key.sign(CHALLENGE), client_data=b"[]"),
    "client data is no UTF-8": lambda key: replace(key.sign(CHALLENGE), client_data=b"\xff\xfe"),
}


def replace_on(key: SoftwareAuthenticator, **more: Any) -> SoftwareAuthenticator:
    return replace(key, **more)


@pytest.mark.parametrize("name", SPOILT)
def test_an_assertion_that_does_not_hold_is_refused(key: SoftwareAuthenticator, name: str) -> None:
    with pytest.raises(Unverified):
        check_assertion(SPOILT[name](key), key.passkey, CHALLENGE, RP_ID, ORIGIN)


def test_a_registration_is_for_its_page_and_verified(key: SoftwareAuthenticator) -> None:
    with pytest.raises(Unverified, match="another page"):
        registered(key.register(), "example.org")
    with pytest.raises(Unverified, match="PIN"):
        registered(replace(key, verified=False).register(), RP_ID)
    assertion = key.sign(CHALLENGE)
    for noise in (b"", b"x" * 40, assertion.authenticator_data, key.register()[:-1], key.register() + b"x"):
        with pytest.raises(Unverified):
            registered(noise, RP_ID)


def test_only_common_algorithms_are_taken() -> None:
    rsa = generate_private_key(65537, 2048).public_key().public_numbers()
    modulus, exponent = rsa.n.to_bytes(256), rsa.e.to_bytes(3)
    Passkey(b"c", encode_cbor({1: 3, 3: -257, -1: modulus, -2: exponent})).check()
    for key in (
        encode_cbor({1: 3, 3: -65535, -1: modulus, -2: exponent}),  # RSA with SHA-1
        encode_cbor({1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}),  # not on the curve
        encode_cbor({1: 9}),
        encode_cbor("text"),
        b"\xff",
        b"",
    ):
        with pytest.raises(Unverified):
            Passkey(b"c", key).check()
    for credential in (b"", b"c" * 1024):
        with pytest.raises(Unverified):
            Passkey(credential, SoftwareAuthenticator().cose).check()


# ---- sessions ----

SESSION = Ed25519PrivateKey.generate()
GRANT = SessionGrant(SESSION.public_key().public_bytes_raw(), NOW + 3600)
REVEAL = replace(WARRANT, act=Act.REVEAL, image_sha256=NOTHING, target=TARGET)


def session(grant: SessionGrant = GRANT, key: Ed25519PrivateKey = SESSION, warrant: Warrant = REVEAL) -> Signature:
    person = SoftwareAuthenticator()
    return by_session(warrant, grant, person.credential, person.sign(grant.digest()), key)


def test_a_session_signs_until_it_ends() -> None:
    signature = session()
    assert signature.scheme is Scheme.SESSION
    for now in (NOW, GRANT.expires, GRANT.expires + SKEW_SECONDS, GRANT.expires - SESSION_SECONDS_MAX - SKEW_SECONDS):
        grant, _, assertion = check_session(signature, REVEAL, now)
        assert grant == GRANT
        assert Assertion.decode(assertion.encode()) == assertion
    for now in (GRANT.expires + SKEW_SECONDS + 1, GRANT.expires - SESSION_SECONDS_MAX - SKEW_SECONDS - 1):
        with pytest.raises(Unverified, match="twelve hours"):
            check_session(signature, REVEAL, now)


def test_a_sessions_signature_is_of_its_own_key_and_warrant() -> None:
    for bad in (session(warrant=WARRANT), replace(session(), value=b"x"), replace(session(), signer=b"")):
        with pytest.raises(Unverified):
            check_session(bad, REVEAL, NOW)
    # A key that no passkey granted signs well, but what the passkey would have had to sign is another grant.
    grant, _, _ = check_session(session(key=OTHER), REVEAL, NOW)
    assert grant.key == OTHER.public_key().public_bytes_raw()
    assert grant.digest() != GRANT.digest()
