"""Erasures that were begun and that nobody has signed: they are laid out to be signed, again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import TooMany
from moiety.matching.desk import Asker
from moiety.matching.parked import Owner, Waiting

if TYPE_CHECKING:
    from moiety.matching.desk import Desk
    from moiety.matching.parked import Parked
    from moiety.people.erase import Eraser
    from moiety.people.settle import Settler
    from moiety.storage import Gallery, Intent

CLERK: Final = "retention"
WHY: Final = "an erasure that was begun waits for a signature"
AT_ONCE: Final = 8
# The permission that erasing asks for at the API, where its names are made.
ERASE: Final = "gallery:subject:erase"


class Awaiting:
    """Asks for signatures, a few at a time."""

    def __init__(self, desk: Desk, eraser: Eraser, settler: Settler, parked: Parked) -> None:
        """Let `eraser` finish what `settler` cannot, over questions in `parked`."""
        self._desk = desk
        self._eraser = eraser
        self._settler = settler
        self._parked = parked
        self._asked: dict[int, str] = {}

    async def ask(self) -> int:
        """Lay out up to eight erasures; returns how many are laid out.

        Raises:
            PartDown: a vault is away.

        """
        there = {question.id for question in self._parked.list()}
        self._asked = {intent: question for intent, question in self._asked.items() if question in there}
        for intent in await self._settler.unsigned():
            if len(self._asked) < AT_ONCE and intent.id not in self._asked:
                await self._lay_out(intent)
        return len(self._asked)

    async def _lay_out(self, intent: Intent) -> None:
        """Make a question of one."""
        gallery = await asyncio.to_thread(self._gallery, intent)

        async def finish(waiting: Waiting) -> None:
            await self._eraser.finish(gallery, intent, Asker(CLERK, WHY, signing=waiting))

        try:
            made = await self._parked.run(finish, Owner(CLERK, ERASE, gallery.id), Waiting(), gallery.name)
        except TooMany:
            return  # others wait already: later
        if made is not None:
            self._asked[intent.id] = made.id

    def _gallery(self, intent: Intent) -> Gallery:
        with self._desk.store.read() as tx:
            return tx.galleries.get(intent.gallery_id)
