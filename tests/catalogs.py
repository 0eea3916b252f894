"""The texts of the console: what its templates and Python say, held against the catalogs; run it to write them anew.

python tests/catalogs.py        writes messages.pot, and drops from each .po what nothing says any more
"""

from __future__ import annotations

import io
import re
from importlib import resources
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from moiety.console.languages import NAMES, SOURCE

CONSOLE = Path(str(resources.files("moiety.console")))
LOCALE = CONSOLE / "locale"
POT = LOCALE / "messages.pot"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS: dict[str, Any] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "say_many": (1, 2),
}
OPTIONS = {"**.py": {"encoding": "utf-8"}, "templates/**.html": {"trimmed": "true", "silent": "false"}}
# Of the server, %(name)s, and of scripts, {name}.
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w*\}")


def said() -> Catalog:
    """Collect every message that the sources say."""
    found = Catalog(charset="utf-8")
    for _, _, message, _, _ in extract_from_dir(CONSOLE, METHODS, OPTIONS, KEYWORDS):
        found.add(message, flags=())
    return found


def kept(path: Path) -> Catalog:
    """Read a catalog."""
    return read_po(io.BytesIO(path.read_bytes()))


def placeholders(words: str) -> set[str]:
    """Name what is put into words."""
    return set(PLACEHOLDER.findall(words))


def written(catalog: Catalog) -> bytes:
    """Write a catalog without places and times, which would change with every line above them."""
    out = io.BytesIO()
    write_po(out, catalog, no_location=True, omit_header=True, sort_output=True, width=0)
    return out.getvalue()


def main() -> None:
    """Write the catalogs anew."""
    now = said()
    POT.write_bytes(written(now))
    for language in NAMES:
        if language == SOURCE:
            continue
        path = LOCALE / f"{language}.po"
        old = kept(path)
        text = path.read_text().split("\n\n", 1)[0] + "\n\n"
        left = Catalog(locale=language)
        for message in old:
            if message.id and message.id in now and message.string:
                left.add(message.id, message.string)
        path.write_text(text + written(left).decode())


if __name__ == "__main__":
    main()
