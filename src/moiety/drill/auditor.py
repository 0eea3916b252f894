"""Checks copies of a gate's ledger as a process of its own: `python -m moiety.drill.auditor FOLDER HEAD [WEAKNESS]`.

FOLDER lies in a drill's scratch folder and holds databases; HEAD is the head that somebody else has kept, `size:hash`.
Prints one JSON object: for each database, whether its ledger passes for whole.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from moiety.drill.scratch import must_be_in_scratch
from moiety.drill.weaknesses import apply
from moiety.foundation.clock import SystemClock
from moiety.foundation.errors import Fault
from moiety.ledger import Head, Ledger, LedgerBroken
from moiety.storage import Store


def _whole(database: Path, kept: Head) -> bool:
    """Check the chain, and that it ends where somebody else knows that it does."""
    with Store(database, SystemClock(), create=False) as store:
        try:
            return Ledger(store, bytes(32)).verify() == kept
        except LedgerBroken:
            return False


def main() -> int:
    """Check every database of the folder."""
    folder, (size, _, digest) = Path(sys.argv[1]), sys.argv[2].partition(":")
    try:
        must_be_in_scratch(folder)
    except Fault as error:
        print(error, file=sys.stderr)  # noqa: T201 - for whoever called it by hand
        return 70
    for weakness in sys.argv[3:]:
        apply(weakness)
    kept = Head(int(size), bytes.fromhex(digest))
    found = {database.stem: _whole(database, kept) for database in sorted(folder.glob("*.sqlite"))}
    print(json.dumps(found))  # noqa: T201 - the drill reads this line
    return 0


if __name__ == "__main__":
    sys.exit(main())
