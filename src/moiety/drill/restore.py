"""The restore drill: every kept copy is restored, started and searched for the erased, and for all others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moiety.cli.backup.tombstones import encode
from moiety.drill.ground import ENVIRONMENT, environment
from moiety.drill.leftovers import leftovers
from moiety.drill.restored import Found, Photos, Restored, Site, look
from moiety.drill.scratch import SITE, scratch
from moiety.foundation.errors import BadInput, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from moiety.cli.installation import Installation
    from moiety.drill.kept_copies import Copies, Together

    Buried = Mapping[str, set[bytes]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one drill showed: `obtained` counts what came back of erased people and what did not of others.

    `control` counts what comes back where a start replays no tombstones; `needed` says that it must find somebody.
    """

    name: str
    obtained: int
    control: int
    what: str
    seconds: float
    needed: bool = False

    @property
    def held(self) -> bool:
        """Whether the copies held, and the drill is one."""
        return self.obtained == 0 and (self.control > 0 or not self.needed)


def kept(copies: Copies, live: Installation | None, buried: Buried, *, every: bool) -> Iterator[Shown]:
    """Drill an operator's own copies.

    Raises:
        BadInput: no set of copies of gate, vault A and vault B can be restored together.

    """
    chosen = copies.together(every=every)
    if not chosen:
        raise BadInput(
            "No copies of gate, vault A and vault B that fit can be opened: give --identity for each operator, and "
            "--backups for each folder."
        )
    # After the installation that is here was read: from now on keys lie in the scratch folder alone.
    with environment(ENVIRONMENT), scratch() as folder:
        for together in chosen:
            yield one_set(folder, copies, live, together, buried, None)
    for shut in copies.shut():
        yield Shown(f"{shut.path.name} does not open", 0, 0, "its key was destroyed, or is another operator's", 0.0)


def one_set(
    folder: Path, copies: Copies, live: Installation | None, together: Together, buried: Buried, photos: Photos | None
) -> Shown:
    """Restore one set, start it and look; then restore it once more as a start that forgets nobody would see it."""
    began = time.monotonic()
    with Restored(folder / SITE, copies, live) as restored:
        try:
            made = restored.put(together, encode(together.gate.about.tenant, dict(buried)), replay=True)
            with Site(made) as site:
                found = asyncio.run(look(site, made, buried, photos))
        except Refusal as refusal:
            found = Found()
            found.note(f"it cannot be restored: {refusal}", 0, 1)
        control = _control(restored, together, buried, photos)
    seconds = round(time.monotonic() - began, 1)
    return Shown(together.name, found.undead + found.missing, control, "; ".join(found.words), seconds)


def _control(restored: Restored, together: Together, buried: Buried, photos: Photos | None) -> int:
    """Count what comes back without the tombstones; with photos also by asking for the erased person."""
    made = restored.put(together, encode(together.gate.about.tenant, {}), replay=False)
    count = leftovers(made, buried)
    if photos is None or not count:
        return count
    with Site(made) as site:
        return count + asyncio.run(look(site, made, buried, photos)).undead
