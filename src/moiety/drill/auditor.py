"""Checks the ledger of a gate as its own process: `python -m moiety.drill.auditor DATA HEAD [WEAKNESS]`.

HEAD is the head that somebody else has kept, `size:hash`. Prints `whole`, or what shows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from moiety.drill.scratch import must_be_scratch
from moiety.drill.weaknesses import apply
from moiety.foundation.clock import SystemClock
from moiety.ledger import Head, Ledger, LedgerBroken
from moiety.storage import Store
from moiety.wire.kinds import Role


def main() -> int:
    """Check the chain, and that what was kept elsewhere stands in it."""
    data, (size, _, digest) = Path(sys.argv[1]), sys.argv[2].partition(":")
    must_be_scratch(data, data / "keys")
    for weakness in sys.argv[3:]:
        apply(weakness)
    with Store(data / Role.GATE / "gate.sqlite", SystemClock(), create=False) as store:
        try:
            head = Ledger(store, bytes(32)).verify()
        except LedgerBroken as broken:
            print(f"broken at {broken.seq}")  # noqa: T201 - the drill reads this line
            return 1
    whole = head == Head(int(size), bytes.fromhex(digest))
    print("whole" if whole else "another head")  # noqa: T201 - as above
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
