"""The `moiety` command."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from moiety.cli.exits import Exit
from moiety.cli.output import fail, interrupted, say
from moiety.foundation.errors import Fault, Refusal

HELP = "Tells who someone is by their face, for those who have a right to ask, from halves that a thief cannot use."
# Where each first word is found. A command loads its own room alone: all of them take two seconds of a processor.
COMMANDS = {
    "up": "running",
    "open": "running",
    "status": "running",
    "serve": "serve",
    "refresh": "upkeep",
    "scrub": "upkeep",
    "demo": "demo",
    "identify": "asking",
    "verify": "asking",
    "enrol": "people",
    "erase": "people",
    "show": "people",
    "calibrate": "measuring",
    "restore": "backup.restore_app",
    "reconcile": "backup.restore_app",
}
GROUPS = {
    "backup": "backup",
    "gallery": "galleries",
    "models": "models",
    "key": "keys",
    "person": "person_rights",
    "receipt": "receipt",
    "ledger": "ledger",
    "question": "questions",
    "operator": "operators",
    "approval": "approvals",
    "check": "check",
    "incident": "incident",
    "vault": "ceremony.vault_app",
    "mint": "ceremony.mint_app",
    "eye": "ceremony.eye_app",
    "witness": "witness",
    "gate": "ceremony.gate_app",
    "card": "cards",
    "drill": "drill_restore",
    "eval": "measuring.eval_app",
    "bench": "measuring.bench_app",
}


def application(word: str | None = None) -> typer.Typer:
    """Give the command line, whole, or with the commands alone that stand where `word` is found."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
    # With a callback a single command keeps its name.
    app.callback()(_nothing)
    one = word if word in COMMANDS or word in GROUPS else None
    for place in dict.fromkeys(COMMANDS[name] for name in COMMANDS if one in {None, name}):
        app.registered_commands += _at(place).registered_commands
    for name, place in GROUPS.items():
        if one in {None, name}:
            app.add_typer(_at(place), name=name)
    return app


def _nothing() -> None:
    """Do nothing before a command."""


def _at(place: str) -> typer.Typer:
    """Load the commands of a module, by its name and, where it is not `app`, by theirs."""
    module, _, name = place.partition(".")
    found: typer.Typer = getattr(import_module(f"moiety.cli.commands.{module}"), name or "app")
    return found


def run() -> None:
    """Run the command line; every way of failing ends in one line and an exit code."""
    as_json = "--json" in sys.argv[1:]
    try:
        application(next(iter(sys.argv[1:]), None))()
    except KeyboardInterrupt:
        interrupted()
    except (Refusal, Fault) as error:
        fail(error, as_json=as_json)
    except BrokenPipeError:
        say("moiety: the reader of the output went away")
        sys.exit(int(Exit.INTERRUPTED))


if __name__ == "__main__":
    run()
