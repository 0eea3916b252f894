"""The `moiety` command."""

from __future__ import annotations

import sys

import typer

from moiety.cli.commands import (
    approvals,
    asking,
    backup,
    cards,
    ceremony,
    check,
    demo,
    drill,
    drill_restore,
    galleries,
    incident,
    keys,
    ledger,
    measuring,
    models,
    operators,
    people,
    person,
    person_rights,
    questions,
    receipt,
    running,
    serve,
    upkeep,
    vault,
    witness,
)
from moiety.cli.exits import Exit
from moiety.cli.output import fail, interrupted, say
from moiety.foundation.errors import Fault, Refusal

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tells who someone is by their face, for those who have a right to ask, from halves that a thief cannot use.",
)
for part in (running, serve, upkeep, demo, asking, people, measuring):
    app.registered_commands += part.app.registered_commands
app.registered_commands += backup.restore_app.registered_commands
app.add_typer(backup.app, name="backup")
app.add_typer(galleries.app, name="gallery")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="key")
person.app.add_typer(person_rights.app)
app.add_typer(person.app, name="person")
app.add_typer(receipt.app, name="receipt")
app.add_typer(ledger.app, name="ledger")
app.add_typer(questions.app, name="question")
app.add_typer(operators.app, name="operator")
app.add_typer(approvals.app, name="approval")
app.add_typer(check.app, name="check")
app.add_typer(incident.app, name="incident")
app.add_typer(vault.app, name="vault")
app.add_typer(ceremony.mint_app, name="mint")
app.add_typer(ceremony.eye_app, name="eye")
app.add_typer(witness.app, name="witness")
app.add_typer(ceremony.gate_app, name="gate")
app.add_typer(cards.app, name="card")
drill.app.registered_commands += drill_restore.app.registered_commands
app.add_typer(drill.app, name="drill")
app.add_typer(measuring.eval_app, name="eval")
app.add_typer(measuring.bench_app, name="bench")


def run() -> None:
    """Run the command line; every way of failing ends in one line and an exit code."""
    as_json = "--json" in sys.argv[1:]
    try:
        app()
    except KeyboardInterrupt:
        interrupted()
    except (Refusal, Fault) as error:
        fail(error, as_json=as_json)
    except BrokenPipeError:
        say("moiety: the reader of the output went away")
        sys.exit(int(Exit.INTERRUPTED))


if __name__ == "__main__":
    run()
