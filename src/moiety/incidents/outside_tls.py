"""What a stranger sees of an installation's TLS: whom the certificate names, until when, which versions are taken."""

from __future__ import annotations

import socket
import ssl
import warnings
from datetime import UTC, datetime
from typing import Final

from moiety.foundation.errors import PartDown
from moiety.incidents.findings import Finding

SECONDS: Final = 5.0
DAYS_LEFT: Final = 14
# openssl-verify(1), and X509_V_ERR_… in openssl/x509_vfy.h.
_WHY: Final = {
    9: "The certificate is of a day to come.",
    10: "The certificate has ended.",
    18: "The certificate is signed by nobody but itself.",
    19: "The certificate is signed by nobody whom this machine knows.",
    20: "The certificate is signed by nobody whom this machine knows.",
    62: "The certificate is for another name.",
    64: "The certificate is for another address.",
}
OLD_ONLY: Final = "Only TLS before 1.2 is spoken, which browsers refuse; nothing else was looked at."
NONE: Final = "No TLS is spoken there: everybody on the way can read, and nothing else was looked at."


def look_at_tls(host: str, port: int, verify: ssl.SSLContext | bool) -> tuple[list[Finding], bool]:  # noqa: FBT001 - as httpx has it
    """Look at certificate and versions; says too whether TLS of today is spoken, so that pages can be asked for.

    Raises:
        PartDown: nothing answers there.

    """
    old = _takes_old(host, port)
    taken = Finding("tls", old, "TLS before 1.2 is taken." if old else "TLS before 1.2 is refused.")
    context = verify if isinstance(verify, ssl.SSLContext) else ssl.create_default_context()
    try:
        version, ends = _spoken(host, port, context)
    except ssl.SSLCertVerificationError as error:
        said = _WHY.get(error.verify_code, "The certificate does not hold.")
        return [Finding("tls", hole=True, said=said), taken], True
    except (ssl.SSLError, ConnectionError):
        return [Finding("tls", hole=True, said=OLD_ONLY if old else NONE)], False
    except OSError:
        raise PartDown(f"Nothing answers at {host}:{port}.") from None
    left = (datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) - datetime.now(UTC)).days
    return [Finding("tls", left < DAYS_LEFT, f"{version}; the certificate holds for {left} more days."), taken], True


def _spoken(host: str, port: int, context: ssl.SSLContext) -> tuple[str, str]:
    """Shake hands; gives the version, and when the certificate ends."""
    with (
        socket.create_connection((host, port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as sock,
    ):
        shown = sock.getpeercert() or {}
        return str(sock.version()), str(shown["notAfter"])


def _takes_old(host: str, port: int) -> bool:
    """Whether TLS 1.0 or 1.1 is taken.

    Raises:
        PartDown: nothing answers there.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # At its own level this machine's OpenSSL would speak neither, and find that the other does not.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        with socket.create_connection((host, port), SECONDS) as plain:
            return _shakes_hands(context, plain)
    except OSError:
        raise PartDown(f"Nothing answers at {host}:{port}.") from None


def _shakes_hands(context: ssl.SSLContext, plain: socket.socket) -> bool:
    """Whether a connection becomes one of TLS."""
    try:
        with context.wrap_socket(plain):
            return True
    except OSError:
        return False
