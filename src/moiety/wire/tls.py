"""What TLS tells: why a handshake failed, in words for both ends, and whether bytes still come.

`SSLContext.sslobject_class` is how Python lets a context make connections of a class of one's own.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

from moiety.watch import declare

_log = logging.getLogger(__name__)

# OpenSSL, x509_vfy.h: why a certificate was not accepted.
_NOT_YET_VALID, _EXPIRED = 9, 10
ENDED = "its certificate has ended: that part renews it at its start and daily, unless its clock or ours is wrong"
NOT_YET = "its certificate is not valid yet: one of the two clocks is wrong"
STRANGER = "its certificate is not of the key on its card: compare the cards (`moiety card list`)"
# What the other end says of ours (RFC 8446, section 6.2), by OpenSSL's names of the alerts.
_ALERTS = {
    "CERTIFICATE_EXPIRED": "our certificate has ended in its eyes: a clock is wrong, or ours was not renewed",
    "BAD_CERTIFICATE": "our certificate is not valid in its eyes: a clock is wrong",
    "UNKNOWN_CA": "it does not know our card, or knows an old one: it must add the new one (`moiety card add`)",
    "CERTIFICATE_UNKNOWN": "it does not accept our certificate",
}


declare("why", {ENDED, NOT_YET, STRANGER, *_ALERTS.values()})


def why(error: BaseException) -> str | None:
    """Say in words for people why a link was refused; None where certificates have nothing to do with it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return {_EXPIRED: ENDED, _NOT_YET_VALID: NOT_YET}.get(error.verify_code, STRANGER)
    if isinstance(error, ssl.SSLError):
        named = str(error.reason).partition("ALERT_")[2]
        return _ALERTS.get(named)
    return None


class Context(ssl.SSLContext):
    """A context of one part; a connecting one makes one connection and remembers why it failed."""

    refused: ssl.SSLError | None = None


class WatchedTls(ssl.SSLObject):
    """A TLS connection that counts what it reads, and notes which certificate was not accepted, and why."""

    heard = 0
    _refused: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Shake hands; a certificate that is not accepted is noted in this part's log and told to the other end."""
        if self._refused:
            raise self._refused
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            _log.warning("no link to a part: %(why)s", {"why": why(error)})
            self._refused = error
            if isinstance(self.context, Context) and not self.server_side:
                self.context.refused = error
            # asyncio sends what is pending, here the alert that says why, only for a handshake that goes on.
            raise ssl.SSLWantReadError from error
        except ssl.SSLError as error:
            told = why(error)
            if told:
                _log.warning("no link to a part: %(why)s", {"why": told})
            raise

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - the name is the standard library's
        """Read, and count."""
        got: Any = super().read(len, buffer)
        self.heard += got if buffer is not None else memoryview(got).nbytes
        return got
