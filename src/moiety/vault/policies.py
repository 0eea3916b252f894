"""A vault's policies at work: the book, and the cabinet's copy beside its rows, kept in step."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import BadInput, Fault
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import GalleryPolicy
from moiety.watch import declare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from moiety.vault.book import Book
    from moiety.vault.cabinet import Cabinet
    from moiety.vault.emergency import Emergency
    from moiety.vault.endorsed import Entry
    from moiety.vault.policy import Standing
    from moiety.vault.roster import Roster

_log = logging.getLogger(__name__)

# What keepers may put, by the word for it; each gives the version that is in force then.
PUTS: dict[str, Callable[[Book, Endorsed], int]] = {
    "roster": lambda book, endorsed: book.put_roster(endorsed).version,
    "standing": lambda book, endorsed: book.put_standing(endorsed).version,
    "policy": lambda book, endorsed: book.put_policy(endorsed).version,
    "emergency": lambda book, endorsed: book.emergencies.put(endorsed).version,
}

NAMES = {"roster": "roster", "standing": "standing policy", "policy": "gallery policy", "emergency": "emergency"}
declare("what", NAMES.values())


class Policies:
    """Changes of policies at a vault. The service holds the gallery's lock meanwhile."""

    def __init__(self, book: Book, cabinet: Cabinet) -> None:
        """Bring the cabinet into line with the book: after a crash the book may be one version ahead.

        Raises:
            Fault: the book is behind, or lacks a gallery: one of its files is old or gone.

        """
        self.book = book
        self._cabinet = cabinet
        held = {policy.gallery: policy for policy in cabinet.policies}
        for policy in book.policies:
            known = held.pop(policy.gallery, None)
            if known and (known.version > policy.version or (known.version == policy.version and known != policy)):
                raise _behind(policy.gallery)
            if known != policy:
                cabinet.put_policy(policy)
        for gallery in held:
            raise _behind(gallery)

    def open(self, policy: GalleryPolicy) -> bool:
        """Open a gallery on the gate's word; one that a keeper has opened for the same purpose stays as it is.

        False where the standing policy leaves every gallery to the keepers: they are told of the wish.

        Raises:
            Unverified, AlreadyThere: the book does not take it.

        """
        known = {one.gallery for one in self.book.policies}
        if not self.book.standing.service_opens and policy.gallery not in known:
            self.book.wish(policy)
            return False
        self.book.open_gallery(policy)
        self._cabinet.put_policy(self.book.entry(policy.gallery)[1])
        return True

    def drop(self, gallery: str) -> None:
        """Take back an empty gallery that the gate opened.

        Raises:
            Forbidden: a keeper has signed for it.
            AlreadyThere: it has rows.

        """
        self.book.must_be_services(gallery)
        self._cabinet.drop_policy(gallery)
        self.book.drop_gallery(gallery)

    def put(self, endorsed: Endorsed) -> GalleryPolicy:
        """Put a policy that keepers signed into force; repeated, it ends what a full disk cut short.

        Raises:
            Refusal: the book does not take it.

        """
        policy = GalleryPolicy.decode(endorsed.body)
        if not self._is_ahead(policy):
            policy = self.book.put_policy(endorsed)
        self._cabinet.put_policy(policy)
        return policy

    def _is_ahead(self, policy: GalleryPolicy) -> bool:
        """Whether the book has this policy in force already, and the cabinet has not."""
        held = {one.gallery: one for one in self._cabinet.policies}
        return policy in self.book.policies and held.get(policy.gallery) != policy


def _behind(gallery: str) -> Fault:
    """Say that the book does not fit the journal."""
    return Fault(
        f"The policy of the gallery {gallery} in this vault's book is missing or older than the one its journal knows. "
        "Put the file back from the newest backup of this vault, then start again."
    )


class BookWords:
    """What commands on the vault's own machine may ask of its book while it runs."""

    def __init__(self, half: str, policies: Policies, alone: Callable[..., Awaitable[GalleryPolicy]]) -> None:
        """Change policies while `alone(gallery, work, …)` keeps everybody else from the gallery."""
        self._half = half
        self._policies = policies
        self._alone = alone

    def words(self) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """Map each word to what answers it."""
        return {
            "book-show": self._show,
            "roster-put": self._put_roster,
            "standing-put": self._put_standing,
            "policy-put": self._put_policy,
            "emergency-put": self._put_emergency,
            "emergency-press": self._press,
        }

    async def _show(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give the whole book."""
        return tell_book(self._policies.book)

    async def _put_roster(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the next roster."""
        endorsed = read_endorsed(given.get("endorsed"))
        return self._done(NAMES["roster"], await asyncio.to_thread(self._policies.book.put_roster, endorsed))

    async def _put_standing(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the next standing policy."""
        endorsed = read_endorsed(given.get("endorsed"))
        return self._done(NAMES["standing"], await asyncio.to_thread(self._policies.book.put_standing, endorsed))

    async def _put_emergency(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the next version of the emergency, which lets go."""
        endorsed = read_endorsed(given.get("endorsed"))
        return self._done(NAMES["emergency"], await asyncio.to_thread(self._policies.book.emergencies.put, endorsed))

    async def _press(self, given: dict[str, Any]) -> dict[str, Any]:
        """Press stop or kill; nobody's signature is asked for."""
        return await press(self._half, self._policies.book, given)

    async def _put_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take the next policy of a gallery."""
        endorsed = read_endorsed(given.get("endorsed"))
        gallery = GalleryPolicy.decode(endorsed.body).gallery
        return self._done(NAMES["policy"], await self._alone(gallery, self._policies.put, endorsed))

    def _done(self, what: str, record: Roster | Standing | GalleryPolicy | Emergency) -> dict[str, Any]:
        """Write it into the vault's own log and tell the version."""
        about = {"half": self._half, "what": what, "version": record.version}
        _log.info("vault-%(half)s: keepers put %(what)s version %(version)d into force", about)
        return {"version": record.version}


async def press(half: str, book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Press what is given as true, `stop` and `kill`; tells what is pressed then, also where nothing was given."""
    before = book.emergencies.now
    stop, kill = given.get("stop") is True, given.get("kill") is True
    now = await asyncio.to_thread(book.emergencies.press, stop=stop, kill=kill) if stop or kill else before
    if now != before:
        _log.critical("vault-%(half)s: an emergency switch was pressed", {"half": half})
    return {"stopped": bool(now.stopped), "killed": bool(now.killed), "version": now.version}


def read_endorsed(told: object) -> Endorsed:
    """Read what a keeper's command sends: the canonical bytes of an endorsed record in hex.

    Raises:
        BadInput: it is none.

    """
    try:
        return Endorsed.decode(bytes.fromhex(str(told)))
    except ValueError:
        raise BadInput("This is no signed draft.") from None


def tell_book(book: Book) -> dict[str, Any]:
    """Give everything in a book, for people and for drafts."""
    return {
        "roster": book.roster.plain(),
        "standing": book.standing.plain(),
        "emergency": book.emergencies.now.plain(),
        "wishes": [policy.plain() for policy in book.wishes],
        "policies": [_tell(*book.entry(policy.gallery)) for policy in book.policies],
    }


def _tell(entry: Entry, policy: GalleryPolicy) -> dict[str, Any]:
    """Give a policy and how it came into the book."""
    return {"policy": policy.plain(), "origin": entry.origin, "put_at": entry.put_at}
