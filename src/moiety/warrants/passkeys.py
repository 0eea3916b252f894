"""Passkeys: what a registration tells of one, and whether an assertion is its owner's (W3C WebAuthn, Level 3).

The relying party is the witness's origin, never the gate's: rp id and origin are pinned by each vault's own roster. The
library `webauthn` is loaded when the first passkey is looked at: it takes a third of a second, and most commands need
none.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from moiety.foundation.errors import Unverified
from moiety.warrants.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moiety.warrants.proofs import Assertion

# COSE (RFC 9053): EdDSA, ES256, RS256.
ALGORITHMS = (-8, -7, -257)
CREDENTIAL_BYTES_MAX = 1023


@contextmanager
def _read(complaint: str) -> Iterator[None]:
    """Turn whatever the library raises over bytes that are none of what they should be into one refusal.

    Raises:
        Unverified: with this complaint.

    """
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - see above

    try:
        yield
    except (WebAuthnException, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, KeyError, IndexError):
        raise Unverified(complaint) from None


@dataclass(frozen=True, slots=True)
class Passkey(Record):
    """One passkey as a roster keeps it: credential id, and public key in COSE form (RFC 9052)."""

    DOMAIN: ClassVar[str] = "moiety/passkey/1"

    credential: bytes
    key: bytes

    def check(self) -> None:
        """Check that assertions can be verified with it.

        Raises:
            Unverified: the key is malformed or of an algorithm other than Ed25519, ES256 and RS256.

        """
        from webauthn.helpers import (  # noqa: PLC0415 - see above
            decode_credential_public_key,
            decoded_public_key_to_cryptography,
        )

        with _read("A passkey's public key cannot be read."):
            decoded = decode_credential_public_key(self.key)
            decoded_public_key_to_cryptography(decoded)
        if decoded.alg not in ALGORITHMS or not 1 <= len(self.credential) <= CREDENTIAL_BYTES_MAX:
            raise Unverified("A passkey needs Ed25519, ES256 or RS256 and a credential id of at most 1023 bytes.")


def registered(authenticator_data: bytes, rp_id: str) -> Passkey:
    """Read a new passkey from a registration's authenticator data (`getAuthenticatorData()` in the browser).

    Raises:
        Unverified: it was made for another rp id, without user verification, or cannot be read.

    """
    from webauthn.helpers import parse_authenticator_data  # noqa: PLC0415 - see above

    none = "This is not the authenticator data of a registration."
    with _read(none):
        data = parse_authenticator_data(authenticator_data)
    if data.attested_credential_data is None:
        raise Unverified(none)
    if data.rp_id_hash != hashlib.sha256(rp_id.encode()).digest():
        raise Unverified(f"This passkey was made for another page than {rp_id}.")
    if not data.flags.uv:
        raise Unverified("This passkey was made without a PIN, finger or face; vaults require one.")
    made = Passkey(data.attested_credential_data.credential_id, data.attested_credential_data.credential_public_key)
    made.check()
    return made


def check_assertion(assertion: Assertion, passkey: Passkey, challenge: bytes, rp_id: str, origin: str) -> int:
    """Check an assertion over `challenge` and give its signature counter; the caller compares it with the last one.

    Raises:
        Unverified: challenge, rp id, origin, user verification or signature do not hold (section 7.2 of the standard).

    """
    from webauthn import verify_authentication_response  # noqa: PLC0415 - see above
    from webauthn.helpers import bytes_to_base64url, parse_client_data_json  # noqa: PLC0415 - see above
    from webauthn.helpers.structs import (  # noqa: PLC0415 - see above
        AuthenticationCredential,
        AuthenticatorAssertionResponse,
    )

    named = AuthenticationCredential(
        id=bytes_to_base64url(passkey.credential),
        raw_id=passkey.credential,
        response=AuthenticatorAssertionResponse(
            assertion.client_data, assertion.authenticator_data, assertion.signature
        ),
    )
    with _read("A passkey's assertion does not hold."):
        verified = verify_authentication_response(
            credential=named,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=origin,
            credential_public_key=passkey.key,
            # The counter is compared by the vault, in the transaction that keeps it.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        framed = parse_client_data_json(assertion.client_data).cross_origin
    if framed:
        raise Unverified("A passkey's assertion was made inside another site's page.")
    return verified.new_sign_count
