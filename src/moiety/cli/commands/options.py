"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of the installation (or MOIETY_DATA).", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Case = Annotated[str, typer.Option("--case", metavar="CASE", help="A case or door, which stands in what is signed.")]
Face = Annotated[int, typer.Option("--face", metavar="N", min=0, help="Which face; the biggest is 0.")]
Wait = Annotated[bool, typer.Option("--wait", help="Where people must sign first: wait for them and the answer.")]
GalleryName = Annotated[str, typer.Option("--gallery", "-g", metavar="G", help="Name or id of the gallery.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is written into the ledger, sealed.")]
