"""Cards on their way from one operator to another: a file that anybody may see, and words that people compare."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from moiety.cli import files
from moiety.cli.apart import role_of
from moiety.foundation.envelopes import write_durably
from moiety.foundation.errors import AlreadyThere, BadInput, Unverified
from moiety.wire.cards import Card, Peers
from moiety.wire.kinds import Role
from moiety.wire.words import same, spoken

if TYPE_CHECKING:
    from pathlib import Path

    from moiety.cli.installation import Installation

FORM = "moiety/card/1"
_KEYS = {"role", "certificate", "signing", "sealing"}


class Outcome(StrEnum):
    """What became of a card."""

    ADDED = "added"
    KNOWN = "known"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card, and the installation that it is for."""

    tenant: str
    card: Card

    @property
    def words(self) -> str:
        """The words that its operator reads over the phone."""
        return spoken(self.card.fingerprint)

    def about(self) -> dict[str, str]:
        """Give what is on it in short."""
        return {
            "role": self.card.role,
            "tenant": self.tenant,
            "fingerprint": self.card.fingerprint,
            "words": self.words,
        }

    def write(self, path: Path) -> None:
        """Write it for others to read.

        Raises:
            BadInput: it cannot be written there.

        """
        content = json.dumps({"form": FORM, "tenant": self.tenant, **asdict(self.card)}, indent=1) + "\n"
        try:
            write_durably(path, content.encode(), 0o644)
        except OSError as error:
            raise BadInput(f"The file {path.name!r} cannot be written: {error.strerror}.") from None

    @classmethod
    def read(cls, path: Path) -> CardFile:
        """Read what another operator sent.

        Raises:
            BadInput: it is no card, or a damaged one.

        """
        try:
            return cls._parse(files.read(path))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Unverified):
            raise BadInput(f"The file {path.name!r} is no card of a part, or it is damaged.") from None

    @classmethod
    def _parse(cls, raw: bytes) -> CardFile:
        """Read and check a card, or fail in whatever way."""
        found: dict[str, str] = json.loads(raw)
        form, tenant = found.pop("form"), found.pop("tenant")
        if form != FORM or set(found) != _KEYS or not all(isinstance(one, str) for one in (tenant, *found.values())):
            raise ValueError(form)
        card = Card(Role(found["role"]), found["certificate"], found["signing"], found["sealing"])
        card.check()
        return cls(tenant, card)


def own(at: Installation) -> CardFile:
    """Give the card of the part that this folder holds."""
    return CardFile(at.tenant, at.identity(role_of(at)).card())


def _keys(card: Card) -> set[str]:
    """List the public keys on a card."""
    return {card.link.public_bytes_raw().hex(), card.signing, card.sealing}


def standing(at: Installation, sent: CardFile) -> Outcome:
    """Say what adding a card would do, before anybody is asked to compare words.

    Raises:
        BadInput: it is not for this installation, or speaks for this very part, or bears another part's keys.

    """
    role, card = role_of(at), sent.card
    if sent.tenant != at.tenant:
        raise BadInput(f"The card is of the installation {sent.tenant}; this part belongs to {at.tenant}.")
    known = at.peers(role)
    if card.role is role:
        raise BadInput(f"The card is of {role} itself, which this machine is.")
    for other in known:
        if other.role is not card.role and _keys(other) & _keys(card):
            raise BadInput(f"The card of {card.role} bears keys of {other.role}; each part has its own.")
    if card.role not in known:
        return Outcome.ADDED
    return Outcome.KNOWN if known[card.role].fingerprint == card.fingerprint else Outcome.REPLACED


def add(at: Installation, sent: CardFile, heard: str, *, replace: bool) -> Outcome:
    """Store a card, if the words that its operator read are those of the card.

    Raises:
        Unverified: they are not; nothing is stored.
        AlreadyThere: another card of that part is known, and `replace` was not said.
        BadInput: it is not for this part.

    """
    outcome = standing(at, sent)
    if not same(heard, sent.card.fingerprint):
        raise Unverified(
            f"These are not the words of the card of {sent.card.role}: it was not stored. Ask its operator again."
        )
    if outcome is Outcome.REPLACED and not replace:
        raise AlreadyThere(f"Another card of {sent.card.role} is known. {MEANS} If that is so, add --replace.")
    role = role_of(at)
    known = [card for card in at.peers(role) if card.role is not sent.card.role]
    Peers([*known, sent.card]).save(at.folder(role) / "peers.json")
    return outcome


MEANS = (
    "To replace it means that the part was set up anew with new keys: what was sealed to the old ones opens no more, "
    "and whoever holds the old ones is no longer believed."
)
