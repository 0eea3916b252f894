"""One part with one weakness: `python -m moiety.drill.weakened WEAKNESS ROLE --data DIR …`, else as `moiety.cli.part`.

It runs in a drill's scratch folder and nowhere else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from moiety.cli import part
from moiety.drill.scratch import must_be_scratch
from moiety.drill.weaknesses import apply
from moiety.foundation import settings
from moiety.foundation.errors import Fault


def main() -> int:
    """Weaken this process, then run the part; returns its exit code."""
    parser = argparse.ArgumentParser(prog="moiety.drill.weakened", add_help=False)
    parser.add_argument("weakness")
    parser.add_argument("--data", type=Path, required=True)
    known, _ = parser.parse_known_args()
    try:
        must_be_scratch(known.data, settings.folder("MOIETY_KEYS") or known.data / "keys")
    except Fault as error:
        print(f"failed {error}", flush=True)  # noqa: T201 - the supervisor shows this line
        return part.EXIT_FAULT
    apply(known.weakness)
    sys.argv.remove(known.weakness)
    return part.main()


if __name__ == "__main__":
    sys.exit(main())
