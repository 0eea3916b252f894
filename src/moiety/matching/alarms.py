"""Alarms: a gallery whose vaults failed a question with a known answer answers no other."""

from __future__ import annotations

from moiety.foundation.errors import CanaryFailed


class Alarms:
    """The galleries in alarm. In memory: after a restart of the gate the canaries are asked at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ringing: set[str] = set()

    def ring(self, gallery: str) -> None:
        """Stop a gallery's answers."""
        self._ringing.add(gallery)

    def calm(self, gallery: str) -> None:
        """Let a gallery answer again."""
        self._ringing.discard(gallery)

    def rings(self, gallery: str) -> bool:
        """Say whether a gallery is in alarm."""
        return gallery in self._ringing

    def check(self, gallery: str) -> None:
        """Let a question pass.

        Raises:
            CanaryFailed: the gallery is in alarm.

        """
        if gallery in self._ringing:
            raise CanaryFailed
