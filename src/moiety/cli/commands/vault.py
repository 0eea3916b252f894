"""The group `moiety vault`: what is done on a vault's own machine. Its commands stand in modules of their own."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="A vault, on its own machine.")
