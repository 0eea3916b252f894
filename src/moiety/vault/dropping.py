"""What a vault destroys at the word of its own machine: rows and keys that a restore left without their other half."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import BadInput, UnknownGallery
from moiety.foundation.ids import ROW_ID_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moiety.vault.cabinet import Cabinet

_log = logging.getLogger(__name__)


class Dropping:
    """Answers the word `drop`."""

    def __init__(
        self,
        role: str,
        cabinet: Cabinet,
        alone: Callable[..., Awaitable[None]],
        erase_person: Callable[[str, bytes], None],
    ) -> None:
        """Destroy rows of `cabinet` while `alone(gallery, work, …)` keeps everybody else from the gallery."""
        self._role = role
        self._cabinet = cabinet
        self._alone = alone
        self._erase_person = erase_person

    async def drop(self, given: dict[str, Any]) -> dict[str, Any]:
        """Carry out this vault's part of the plan in the file `plan`, which `moiety reconcile` wrote.

        Raises:
            BadInput: it is no plan, or another installation's.

        """
        rows = keys = 0
        tenant, parts = self._read(Path(str(given["plan"])))
        for gallery, row_ids, handles in parts:
            try:
                policy = self._cabinet.policy(gallery)
            except UnknownGallery:
                continue  # the gallery is younger than this vault's backup: nothing of it is here
            if policy.tenant != tenant:
                raise BadInput("This plan is of another installation.")
            await self._alone(gallery, self._destroy, gallery, row_ids, handles)
            rows, keys = rows + len(row_ids), keys + len(handles)
        return {"rows": rows, "keys": keys}

    def _read(self, path: Path) -> tuple[str, list[tuple[str, list[bytes], list[bytes]]]]:
        """Read the tenant, and what concerns this vault: gallery, rows, handles of personal keys."""
        try:
            told = json.loads(path.read_bytes())
            return str(told["tenant"]), [
                (str(gallery), _ids(of[self._role]), _ids(of["people"]) if self._role == "vault-b" else [])
                for gallery, of in told["galleries"].items()
            ]
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise BadInput(f"The file {path.name!r} is no plan of `moiety reconcile`.") from None

    def _destroy(self, gallery: str, row_ids: Sequence[bytes], handles: Sequence[bytes]) -> None:
        """Destroy them; a crash in the middle leaves some, and the plan may be carried out again."""
        if row_ids:
            self._cabinet.erase(gallery, row_ids)
        for handle in handles:
            self._erase_person(gallery, handle)
        about = {"part": self._role, "rows": len(row_ids), "keys": len(handles), "gallery": gallery}
        _log.info("%(part)s: dropped %(rows)d rows and %(keys)d keys of %(gallery)s after a restore", about)


def _ids(raw: Sequence[str]) -> list[bytes]:
    """Read ids in hex."""
    found = [bytes.fromhex(one) for one in raw]
    if any(len(one) != ROW_ID_BYTES for one in found):
        raise ValueError
    return found
