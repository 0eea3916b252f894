"""The group `moiety vault`: what is done on a vault's own machine. Its commands stand in modules of their own."""

from __future__ import annotations

import typer

from moiety.cli.commands import vault_emergency, vault_keeper, vault_policy, vault_roster, vault_standing

app = typer.Typer(no_args_is_help=True, help="A vault, on its own machine.")
app.add_typer(vault_emergency.app, name="emergency")
app.add_typer(vault_keeper.app, name="keeper")
app.add_typer(vault_policy.app, name="policy")
app.add_typer(vault_roster.app, name="roster")
app.add_typer(vault_standing.app, name="standing")
