"""Stop and kill at a vault: anybody presses, only keepers let go. Kept in the book, under the vault's signature.

book/emergency.kept   the last version; where there is none, nothing was ever pressed
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from moiety.foundation.errors import AlreadyThere, BadInput, Fault, Forbidden, Halted, Unverified
from moiety.vault.endorsed import Endorsed, Entry, Kept, Origin
from moiety.warrants.proofs import SESSION_SECONDS_MAX, SessionProof
from moiety.warrants.records import Record
from moiety.warrants.warrant import SKEW_SECONDS, Act, Scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk
    from moiety.vault.roster import Roster
    from moiety.warrants.warrant import Signature, SignedWarrant

NAME: Final = "emergency"
MATCHING: Final = frozenset({Act.SEARCH, Act.VERIFY})
# Where a vault has two keepers or more, two let go.
LETTING_GO: Final = 2


@dataclass(frozen=True, slots=True)
class Emergency(Record):
    """What is pressed: 1 or 0 for `stopped` (no search, no verification) and `killed` (no device, no session signs).

    `killed_at`, seconds since 1970, is when it was last killed; `dead` are raw keys of devices, refused for good.
    """

    DOMAIN: ClassVar[str] = "moiety/emergency/1"

    tenant: str
    version: int = 0
    stopped: int = 0
    killed: int = 0
    killed_at: int = 0
    dead: tuple[bytes, ...] = ()

    def check(self) -> None:
        """Check that it can stand.

        Raises:
            Unverified: a switch is neither on nor off, or a key is none or there twice.

        """
        keys_fit = all(len(key) == 32 for key in self.dead) and len(set(self.dead)) == len(self.dead)  # noqa: PLR2004 - Ed25519
        if not {self.stopped, self.killed} <= {0, 1} or not keys_fit:
            raise Unverified("A switch is 0 or 1, and a device's key stands there once.")

    def must_follow(self, before: Emergency) -> None:
        """Check that keepers took nothing back that stays for good.

        Raises:
            BadInput: a dead key would live, or the time of a kill would be earlier.

        """
        if not set(before.dead) <= set(self.dead) or self.killed_at < before.killed_at:
            raise BadInput("A device's key that was killed stays dead; enrol the device anew, with another key.")

    def pressed(self, *, stop: bool, kill: bool, roster: Roster, now: int) -> Emergency:
        """Give the next version with switches pressed, itself where nothing would change."""
        made = replace(self, stopped=1) if stop else self
        if kill and not self.killed:
            dead = dict.fromkeys((*self.dead, *(device.key for device in roster.devices)))
            made = replace(made, killed=1, killed_at=max(now, self.killed_at), dead=tuple(dead))
        return self if made == self else replace(made, version=self.version + 1)

    def must_allow(self, act: Act, signed: Sequence[SignedWarrant]) -> None:
        """Let warrants for an act pass.

        Raises:
            Halted: matching is stopped.
            Unverified: a device or session signed that is revoked.

        """
        if self.stopped and act in MATCHING:
            raise Halted
        if self.killed_at and any(self._revoked(signature) for one in signed for signature in one.signatures):
            raise Unverified("A device or session signed that the kill switch has revoked.")

    def _revoked(self, signature: Signature) -> bool:
        """Whether a signature is of a device or session that is dead; a session's age shows in its end alone."""
        if signature.scheme is Scheme.DEVICE:
            return bool(self.killed) or signature.signer in self.dead
        if signature.scheme is not Scheme.SESSION:
            return False
        lives_on = SessionProof.decode(signature.value).expires > self.killed_at + SESSION_SECONDS_MAX + SKEW_SECONDS
        return bool(self.killed) or not lives_on


class Emergencies:
    """The emergency of one vault. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        vault: Ed25519PrivateKey,
        none: Emergency,
        clock: Clock,
        disk: Disk,
        roster: Callable[[], Roster],
    ) -> None:
        """Read it from the book's `folder`; `none` is what stands where nothing was ever pressed.

        Raises:
            Fault: the file is altered.

        """
        self._path = folder / f"{NAME}.kept"
        self._vault = vault
        self._clock = clock
        self._disk = disk
        self._roster = roster
        self._lock = threading.RLock()
        self._now = self._read(none) if self._path.exists() else none

    def _read(self, none: Emergency) -> Emergency:
        """Read the file and check that this vault wrote it."""
        try:
            entry = Kept.decode(self._path.read_bytes()).opened(NAME, self._vault.public_key().public_bytes_raw())
            found = Emergency.decode(entry.endorsed.body)
            found.check()
        except (OSError, Unverified):
            raise _altered() from None
        if found.tenant != none.tenant:
            raise _altered()
        return found

    @property
    def now(self) -> Emergency:
        """What is pressed."""
        return self._now

    def press(self, *, stop: bool, kill: bool) -> Emergency:
        """Press at anybody's word; what is pressed already stays so."""
        with self._lock:
            made = self._now.pressed(stop=stop, kill=kill, roster=self._roster(), now=int(self._clock.now()))
            if made != self._now:
                # A crash leaves it unpressed; the gate presses again until this vault has told it that it is.
                self._write(made, Origin.SERVICE, Endorsed(made.encode()))
            return self._now

    def put(self, endorsed: Endorsed) -> Emergency:
        """Take the next version that keepers signed: this alone lets go.

        Raises:
            BadInput, Unverified: it is malformed, of another installation, or takes back what stays for good.
            AlreadyThere: its version is not the next one.
            Forbidden: too few keepers signed it, two where there are two or more.

        """
        with self._lock:
            record = Emergency.decode(endorsed.body)
            record.check()
            if record.tenant != self._now.tenant:
                raise Unverified("It is of another installation.")
            if record.version != self._now.version + 1:
                raise AlreadyThere(f"Version {self._now.version} of the emergency is in force. Draft it anew.")
            record.must_follow(self._now)
            roster = self._roster()
            try:
                endorsed.must_have_quorum(roster, min(LETTING_GO, len(roster.keepers)))
            except Unverified as error:
                raise Forbidden(str(error)) from None
            # A crash leaves the old version in force or the new one.
            self._write(record, Origin.KEEPERS, endorsed)
            return record

    def _write(self, record: Emergency, origin: Origin, endorsed: Endorsed) -> None:
        """Sign as the vault and write, durably; only then is it in force."""
        entry = Entry(NAME, origin, endorsed, self._roster().version, int(self._clock.now()))
        self._disk.write(self._path, Kept.of(entry, self._vault).encode())
        self._now = record


def _altered() -> Fault:
    return Fault(f"The file book/{NAME}.kept of this vault is altered. Put it back from a backup, then start again.")
