"""The gate's part of a reconciliation; apart, because only the gate loads its tables."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from moiety.people.reconcile import Reconciler

if TYPE_CHECKING:
    from moiety.cli.places import Place
    from moiety.people.house import House


class Reconciling:
    """Answers the word `reconcile` at the gate."""

    def __init__(self, at: Place, over: House) -> None:
        """Compare what `over` knows with the vaults."""
        self._at = at
        self._reconciler = Reconciler(over.desk, over.settler)

    async def reconcile(self, given: dict[str, Any]) -> dict[str, Any]:
        """Compare; with `apply` drop the gate's leftovers and write the plan for the vaults.

        Raises:
            PartDown: a vault is away.

        """
        apply = bool(given["apply"])
        found = await self._reconciler.reconcile(apply=apply)
        told: dict[str, Any] = {"galleries": [one.told() for one in found], "plan": None}
        if apply and any(one.at_a or one.at_b or one.people for one in found):
            plan = {"tenant": self._at.installation.tenant, "galleries": {one.gallery: one.plan() for one in found}}
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._at.clock.now()))
            path = self._at.installation.run / f"reconcile-{stamp}.json"
            # A crash before this leaves the vaults' leftovers, which the next comparison finds.
            self._at.disk.write(path, json.dumps(plan).encode())
            told["plan"] = str(path)
        return told
