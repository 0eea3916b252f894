"""A vault's book: roster, standing policy and a policy per gallery, signed by keepers, checked at each start.

book/roster-000001.kept   every version of the roster: each is signed by a quorum of the version before
book/standing.kept        what the gate's service key may do by itself
book/emergency.kept       whether stop or kill is pressed (`emergency`)
book/gallery-<id>.kept    the policy of a gallery
book/wish-<id>.policy     a first policy that the gate asks keepers for; nobody has signed it, and it is not in force

The first roster is the root of trust. Every file carries the vault's own signature too, so that a thief of a keeper's
key gets nothing into the book past the vault, and old files of a keeper who has left still stand.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import AlreadyThere, BadInput, Fault, Forbidden, UnknownGallery, Unverified
from moiety.vault.emergency import Emergencies, Emergency
from moiety.vault.endorsed import Endorsed, Entry, Kept, Origin
from moiety.vault.policy import FIRST_VERSION, THRESHOLD_PAUSE_SECONDS, GalleryPolicy, Standing, check_gallery_id
from moiety.vault.roster import Roster

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk

    Checked = TypeVar("Checked", Roster, Standing, GalleryPolicy)

FOLDER = "book"
STANDING = "standing"
_GALLERY = "gallery-"
_WISH = "wish-"
WISHES_MAX = 64


def roster_name(version: int) -> str:
    """Name the entry of a version of the roster."""
    return f"roster-{version:06}"


def gallery_name(gallery: str) -> str:
    """Name the entry of a gallery's policy."""
    return f"{_GALLERY}{gallery}"


def has_book(folder: Path) -> bool:
    """Whether a vault's folder has a book that was begun to the end."""
    return (folder / FOLDER / f"{roster_name(FIRST_VERSION)}.kept").exists()


class Book:
    """The book of one vault. Safe to use from several threads."""

    def __init__(
        self, folder: Path, tenant: str, vault: Ed25519PrivateKey, clock: Clock, disk: Disk = SYSTEM_DISK
    ) -> None:
        """Read and check the book in `folder / 'book'`; `vault` is the vault's signing key.

        Raises:
            Fault: there is none, or a file in it is altered, missing, or signed by a key that may not.

        """
        self._folder = folder / FOLDER
        self._tenant = tenant
        self._vault = vault
        self._public = vault.public_key().public_bytes_raw()
        self._clock = clock
        self._disk = disk
        self._lock = threading.RLock()
        self._rosters = self._load_rosters()
        none = Emergency(tenant)
        self.emergencies = Emergencies(self._folder, vault, none, clock, disk, lambda: self.roster)
        self._standing_entry, self._standing = self._load(STANDING, Standing)
        self._policies: dict[str, tuple[Entry, GalleryPolicy]] = {}
        for path in sorted(self._folder.glob(f"{_GALLERY}*.kept")):
            entry, policy = self._load(path.stem, GalleryPolicy)
            if path.stem != gallery_name(policy.gallery):
                raise self._fault(path.stem)
            self._policies[policy.gallery] = entry, policy

    # ---- reading ----

    @property
    def roster(self) -> Roster:
        """The roster in force."""
        return self._rosters[-1]

    @property
    def standing(self) -> Standing:
        """The standing policy in force."""
        return self._standing

    @property
    def policies(self) -> list[GalleryPolicy]:
        """All galleries' policies in force."""
        with self._lock:
            return [policy for _, policy in self._policies.values()]

    def entry(self, gallery: str) -> tuple[Entry, GalleryPolicy]:
        """Give a gallery's policy and how it came into the book.

        Raises:
            UnknownGallery: there is none.

        """
        with self._lock:
            if gallery not in self._policies:
                raise UnknownGallery
            return self._policies[gallery]

    def _load_rosters(self) -> list[Roster]:
        """Read every version of the roster; each is signed by a quorum of the version before, the first by its own."""
        paths = sorted(self._folder.glob("roster-*.kept"))
        if not paths:
            raise Fault(
                f"This vault has no roster in {self._folder.parent.name}/{FOLDER}; "
                "make one with `moiety vault init`, or put the folder back from a backup."
            )
        rosters: list[Roster] = []
        for version, path in enumerate(paths, FIRST_VERSION):
            entry = self._read(path.stem)
            try:
                roster = _checked(Roster, entry.endorsed, self._tenant)
                entry.endorsed.must_have_quorum(rosters[-1] if rosters else roster)
            except Unverified:
                raise self._fault(path.stem) from None
            if path.stem != roster_name(version) or roster.version != version:
                raise self._fault(path.stem)
            rosters.append(roster)
        return rosters

    def _load(self, name: str, kind: type[Checked]) -> tuple[Entry, Checked]:
        """Read a standing policy or a gallery's."""
        entry = self._read(name)
        try:
            record = _checked(kind, entry.endorsed, self._tenant)
            if not 1 <= entry.roster_version <= len(self._rosters):
                raise self._fault(name)
            if entry.origin is Origin.KEEPERS:
                entry.endorsed.must_have_quorum(self._rosters[entry.roster_version - 1])
        except Unverified:
            raise self._fault(name) from None
        return entry, record

    def _read(self, name: str) -> Entry:
        """Read one file and check that this vault wrote it."""
        try:
            return Kept.decode((self._folder / f"{name}.kept").read_bytes()).opened(name, self._public)
        except (OSError, Unverified):
            raise self._fault(name) from None

    def _fault(self, name: str) -> Fault:
        """Say which file is not as it must be."""
        return Fault(
            f"{self._folder.parent.name}/{FOLDER}/{name}.kept is missing, altered, or signed by a key that may not. "
            "Put this file back from a backup of this vault, then start again."
        )

    # ---- what keepers put ----

    def put_roster(self, endorsed: Endorsed) -> Roster:
        """Take the next version of the roster, signed by a quorum of the one in force.

        Raises:
            BadInput, Unverified: it is malformed, or skips a version.
            AlreadyThere: its version is not newer.
            Forbidden: too few keepers signed it, or another key did.

        """
        with self._lock:
            roster = self._next(Roster, endorsed, self.roster.version)
            self._must_be_signed(endorsed)
            # A crash leaves the old version in force or the new one.
            self._write(self._new_entry(roster_name(roster.version), Origin.KEEPERS, endorsed))
            self._rosters.append(roster)
            return roster

    def put_standing(self, endorsed: Endorsed) -> Standing:
        """Take the next version of the standing policy.

        Raises:
            BadInput, Unverified, AlreadyThere, Forbidden: as for a roster.

        """
        with self._lock:
            standing = self._next(Standing, endorsed, self._standing.version)
            self._must_be_signed(endorsed)
            entry = self._new_entry(STANDING, Origin.KEEPERS, endorsed)
            # A crash leaves the old version in force or the new one.
            self._write(entry)
            self._standing_entry, self._standing = entry, standing
            return standing

    def put_policy(self, endorsed: Endorsed) -> GalleryPolicy:
        """Take a gallery's first policy or its next version.

        Raises:
            BadInput, Unverified: it is malformed, skips a version, or changes what cannot change.
            AlreadyThere: its version is not newer.
            Forbidden: too few keepers signed it (two must where a threshold is lowered), another key did, or a
                threshold changed less than a week ago.

        """
        with self._lock:
            policy = _checked(GalleryPolicy, endorsed, self._tenant)
            known = self._policies.get(policy.gallery)
            _must_be_next("policy", policy.version, known[1].version if known else 0)
            thresholds_at = 0
            if known is None:
                self._must_be_signed(endorsed)
            else:
                thresholds_at = self._must_follow(endorsed, policy, *known)
            entry = self._new_entry(gallery_name(policy.gallery), Origin.KEEPERS, endorsed, thresholds_at)
            # A crash leaves the old version in force or the new one; the next start brings the journal into line.
            self._write(entry)
            self._policies[policy.gallery] = entry, policy
            self._disk.remove(self._wish_path(policy.gallery))
            return policy

    def _must_follow(self, endorsed: Endorsed, policy: GalleryPolicy, entry: Entry, before: GalleryPolicy) -> int:
        """Check a change of a policy; gives when its thresholds last changed."""
        policy.must_follow(before)
        self._must_be_signed(endorsed, 2 if policy.lowers(before) else 0)
        if policy.thresholds == before.thresholds:
            return entry.thresholds_at
        now = int(self._clock.now())
        if entry.thresholds_at and now - entry.thresholds_at < THRESHOLD_PAUSE_SECONDS:
            raise Forbidden("A threshold changes at most once a week, and this one did so less than a week ago.")
        return now

    # ---- what the gate may do by itself ----

    def open_gallery(self, policy: GalleryPolicy) -> bool:
        """Take the first policy of a new gallery on the service's word; false when the gallery is open already.

        Raises:
            Unverified: the standing policy does not allow it.
            AlreadyThere: the gallery has another policy.

        """
        with self._lock:
            policy.check()
            known = self._policies.get(policy.gallery)
            if known and known[0].origin is Origin.KEEPERS and known[1].identity() == policy.identity():
                return False
            if known:
                if known[1] != policy:
                    raise AlreadyThere("Another policy is in force for this gallery.")
                return False
            if policy.tenant != self._tenant:
                raise Unverified("The policy is of another tenant.")
            self._standing.must_allow(policy)
            entry = self._new_entry(gallery_name(policy.gallery), Origin.SERVICE, Endorsed(policy.encode()))
            # A crash leaves no policy or this one; the gate asks again or drops the gallery.
            self._write(entry)
            self._policies[policy.gallery] = entry, policy
            return True

    def wish(self, policy: GalleryPolicy) -> None:
        """Keep the first policy that the gate asks for, until keepers sign it or another one for that gallery.

        Raises:
            Unverified: it cannot stand, or too many wait already.

        """
        with self._lock:
            policy.check()
            if policy.tenant != self._tenant or policy.version != FIRST_VERSION:
                raise Unverified("The gate may only ask for a new gallery's first policy.")
            waiting = {one.gallery for one in self.wishes} - {policy.gallery}
            if len(waiting) >= WISHES_MAX:
                raise Unverified("Too many galleries wait for the keepers of this vault.")
            # A crash leaves it or not; the gate asks again.
            self._disk.write(self._wish_path(policy.gallery), policy.encode())

    @property
    def wishes(self) -> list[GalleryPolicy]:
        """What the gate asks keepers for; a file that cannot be read is passed over, for it carries no weight."""
        found = []
        for path in sorted(self._folder.glob(f"{_WISH}*.policy")):
            with contextlib.suppress(Unverified, OSError):
                policy = GalleryPolicy.decode(path.read_bytes())
                policy.check()
                if path == self._wish_path(policy.gallery) and policy.gallery not in self._policies:
                    found.append(policy)
        return found

    def _wish_path(self, gallery: str) -> Path:
        """Where a wish lies."""
        return self._folder / f"{_WISH}{gallery}.policy"

    def must_be_services(self, gallery: str) -> None:
        """Check that the gate may drop a gallery: it opened it, and no keeper has signed for it since.

        Raises:
            Forbidden: a keeper has.

        """
        with self._lock:
            known = self._policies.get(gallery)
            if known and known[0].origin is not Origin.SERVICE:
                raise Forbidden("A keeper signed this gallery's policy; the gate cannot drop it.")

    def drop_gallery(self, gallery: str) -> None:
        """Take a gallery's policy out of the book; whoever asks has checked that it may go."""
        with self._lock:
            check_gallery_id(gallery)
            # A crash leaves the policy of an empty gallery, which the gate drops again.
            self._disk.remove(self._folder / f"{gallery_name(gallery)}.kept")
            self._disk.remove(self._wish_path(gallery))
            self._policies.pop(gallery, None)

    # ---- writing ----

    def _next(self, kind: type[Checked], endorsed: Endorsed, version: int) -> Checked:
        """Read what is put and check that it is the next version."""
        record = _checked(kind, endorsed, self._tenant)
        _must_be_next(kind.__name__.lower(), record.version, version)
        return record

    def _must_be_signed(self, endorsed: Endorsed, least: int = 0) -> None:
        """Check the signatures against the roster in force."""
        try:
            endorsed.must_have_quorum(self.roster, least)
        except Unverified as error:
            raise Forbidden(str(error)) from None

    def _new_entry(self, name: str, origin: Origin, endorsed: Endorsed, thresholds_at: int = 0) -> Entry:
        """Put down how something comes into the book."""
        return Entry(name, origin, endorsed, self.roster.version, int(self._clock.now()), thresholds_at)

    def _write(self, entry: Entry) -> None:
        """Sign as the vault and write, durably."""
        self._disk.write(self._folder / f"{entry.name}.kept", Kept.of(entry, self._vault).encode())


def begin(
    folder: Path,
    vault: Ed25519PrivateKey,
    roster: Endorsed,
    standing: Endorsed,
    clock: Clock,
    disk: Disk = SYSTEM_DISK,
) -> None:
    """Begin a new book: the first roster, signed by a quorum of its own keepers, and a standing policy.

    Raises:
        AlreadyThere: there is a book.
        BadInput, Unverified: roster or standing policy cannot stand, or are not signed by enough keepers.

    """
    first = Roster.decode(roster.body)
    made = _checked(Roster, roster, first.tenant), _checked(Standing, standing, first.tenant)
    if {record.version for record in made} != {FIRST_VERSION}:
        raise BadInput("A book begins with the first version of roster and standing policy.")
    for endorsed in (roster, standing):
        endorsed.must_have_quorum(first)
    book = folder / FOLDER
    if has_book(folder):
        raise AlreadyThere("This vault has a book already; change it with `moiety vault roster`.")
    disk.folder(book)
    # The roster is written last: a crash before it leaves no book, and this is done again.
    for name, endorsed in ((STANDING, standing), (roster_name(FIRST_VERSION), roster)):
        entry = Entry(name, Origin.KEEPERS, endorsed, FIRST_VERSION, int(clock.now()))
        disk.write(book / f"{name}.kept", Kept.of(entry, vault).encode())


def _checked(kind: type[Checked], endorsed: Endorsed, tenant: str) -> Checked:
    """Read a record of this installation that can stand."""
    record = kind.decode(endorsed.body)
    record.check()
    if record.tenant != tenant:
        raise Unverified("It is of another installation.")
    return record


def _must_be_next(what: str, version: int, before: int) -> None:
    """Check that a version follows the one in force.

    Raises:
        AlreadyThere: it is not newer.
        BadInput: it skips one.

    """
    if version <= before:
        raise AlreadyThere(f"This {what} has version {version}; version {before} is in force. Draft it anew.")
    if version != before + 1:
        raise BadInput(f"This {what} has version {version}; the next one is version {before + 1}. Draft it anew.")
