"""Signatures and times of warrants and statements: one good signature of a known key, over every field, in force."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from moiety.foundation.errors import Unverified
from moiety.warrants import statement as statements
from moiety.warrants.statement import Made, Pad, Statement
from moiety.warrants.warrant import (
    LIFE_SECONDS_MAX,
    NOTHING,
    SKEW_SECONDS,
    Act,
    Scheme,
    Signature,
    SignedWarrant,
    Warrant,
    in_force,
    sign_as_service,
    signed_by_service,
    without_picture,
)

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC, OTHER_PUBLIC = (key.public_key().public_bytes_raw() for key in (KEY, OTHER))
NOW = 1_800_000_000
WARRANT = Warrant(
    Act.SEARCH, "ten", "gal", 1, "doors", "case", b"i" * 32, (1, 2, 3, 4), b"s" * 32, NOTHING, NOW, NOW + 60, b"n" * 32
)
STATEMENT = Statement(
    Made.PROBE, "ten", "gal", b"i" * 32, (1, 2, 3, 4), b"m" * 32, b"r" * 32, Pad.LIVE, b"", 1, b"c" * 32, b"n" * 32, NOW
)
ALTERED: dict[type, Any] = {int: 77, str: "other", bytes: b"o" * 32, tuple: (1, 2, 3, 5)}
ENUMS = {"act": Act.VERIFY, "made": Made.TEMPLATE, "pad": Pad.ATTACK}


def altered(record: Any, name: str) -> Any:
    value = ENUMS.get(name) or ALTERED[type(getattr(record, name))]
    assert getattr(record, name) != value
    return replace(record, **{name: value})


def test_a_known_service_is_the_signer() -> None:
    assert signed_by_service(sign_as_service(WARRANT, KEY), [OTHER_PUBLIC, PUBLIC]) == PUBLIC


def test_an_unknown_signer_is_refused() -> None:
    with pytest.raises(Unverified):
        signed_by_service(sign_as_service(WARRANT, OTHER), [PUBLIC])
    with pytest.raises(Unverified):
        signed_by_service(sign_as_service(WARRANT, KEY), [])


def test_none_or_two_signatures_are_refused_even_if_each_is_good() -> None:
    (good,) = sign_as_service(WARRANT, KEY).signatures
    (second,) = sign_as_service(WARRANT, OTHER).signatures
    for signatures in ((), (good, good), (good, second)):
        with pytest.raises(Unverified):
            signed_by_service(SignedWarrant(WARRANT, signatures), [PUBLIC, OTHER_PUBLIC])


def test_a_signature_in_anothers_name_is_refused() -> None:
    (theirs,) = sign_as_service(WARRANT, OTHER).signatures
    forged = Signature(Scheme.SERVICE, PUBLIC, theirs.value)
    with pytest.raises(Unverified):
        signed_by_service(SignedWarrant(WARRANT, (forged,)), [PUBLIC, OTHER_PUBLIC])


@pytest.mark.parametrize("value", [b"", bytes(63), bytes(64), bytes(65)], ids=len)
def test_a_signature_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(Unverified):
        signed_by_service(SignedWarrant(WARRANT, (Signature(Scheme.SERVICE, PUBLIC, value),)), [PUBLIC])


def test_a_signer_that_is_no_key_is_refused_even_if_it_stands_on_the_roster() -> None:
    with pytest.raises(Unverified):
        signed_by_service(SignedWarrant(WARRANT, (Signature(Scheme.SERVICE, b"short", bytes(64)),)), [b"short"])


@pytest.mark.parametrize("name", [field.name for field in fields(Warrant)])
def test_a_warrant_is_signed_in_every_field(name: str) -> None:
    (signature,) = sign_as_service(WARRANT, KEY).signatures
    with pytest.raises(Unverified):
        signed_by_service(SignedWarrant(altered(WARRANT, name), (signature,)), [PUBLIC])


@pytest.mark.parametrize("name", [field.name for field in fields(Statement)])
def test_a_statement_is_signed_in_every_field(name: str) -> None:
    signature = statements.sign(STATEMENT, KEY)
    statements.verify(STATEMENT, signature, PUBLIC)
    with pytest.raises(Unverified):
        statements.verify(altered(STATEMENT, name), signature, PUBLIC)


def test_a_statement_of_another_eye_is_refused() -> None:
    for signature, key in ((statements.sign(STATEMENT, OTHER), PUBLIC), (bytes(64), PUBLIC), (b"", b"")):
        with pytest.raises(Unverified):
            statements.verify(STATEMENT, signature, key)


def test_a_signed_warrant_is_not_a_signed_statement() -> None:
    """Both are Ed25519 over SHA-256 of a record; the domain keeps one from standing for the other."""
    assert WARRANT.digest() != STATEMENT.digest()
    assert WARRANT.encode()[4:20] == b"moiety/warrant/1"
    assert STATEMENT.encode()[4:22] == b"moiety/statement/1"


# ---- times ----


@pytest.mark.parametrize("now", [NOW - SKEW_SECONDS, NOW, NOW + 60, NOW + 60 + SKEW_SECONDS])
def test_in_force_with_two_minutes_of_skew(now: int) -> None:
    in_force(WARRANT, now)


@pytest.mark.parametrize("now", [NOW - SKEW_SECONDS - 1, NOW + 60 + SKEW_SECONDS + 1, 0, NOW + 10**6])
def test_not_yet_or_no_longer_in_force(now: int) -> None:
    with pytest.raises(Unverified):
        in_force(WARRANT, now)


def test_the_allowed_skew_is_two_minutes() -> None:
    assert SKEW_SECONDS == 120


@pytest.mark.parametrize(
    ("life", "stands"), [(0, True), (LIFE_SECONDS_MAX, True), (LIFE_SECONDS_MAX + 1, False), (-1, False)]
)
def test_a_warrant_lives_ten_minutes_at_most(life: int, stands: bool) -> None:  # noqa: FBT001 - a table of cases
    warrant = replace(WARRANT, expires=NOW + life)
    if stands:
        in_force(warrant, NOW)
    else:
        with pytest.raises(Unverified):
            in_force(warrant, NOW)


def test_a_warrant_without_a_picture_names_none() -> None:
    made = without_picture(Act.ERASE, ("ten", "gal", 2, "doors"), "case", b"t" * 32, NOW + 0.7, b"n" * 32)
    assert (made.image_sha256, made.statement_sha256, made.box) == (NOTHING, NOTHING, (0, 0, 0, 0))
    assert (made.issued, made.expires, made.target) == (NOW, NOW + 60, b"t" * 32)
    in_force(made, NOW)
