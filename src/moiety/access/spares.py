"""A spare passkey for everybody: with only one for a week, nobody approves, invites or reveals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import SpareNeeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.storage import OperatorPasskey

PASSKEYS_WANTED: Final = 2
GRACE_SECONDS: Final = 7 * 24 * 3600


def enough_until(passkeys: Sequence[OperatorPasskey]) -> float | None:
    """Say until when (seconds since 1970) somebody's passkeys are enough; None if for good, or if there are none."""
    if not passkeys or len(passkeys) >= PASSKEYS_WANTED:
        return None
    return min(one.created_at for one in passkeys) + GRACE_SECONDS


def missing(passkeys: Sequence[OperatorPasskey], now: float) -> bool:
    """Whether a spare passkey is missing, and its week is over."""
    until = enough_until(passkeys)
    return until is not None and until <= now


def check(passkeys: Sequence[OperatorPasskey], now: float) -> None:
    """Do nothing while somebody's passkeys are enough.

    Raises:
        SpareNeeded: a spare one is missing, and its week is over.

    """
    if missing(passkeys, now):
        raise SpareNeeded
