"""`moiety person own-template …`: 1:1 with a template that its person keeps, and what their own device does for it.

`key` and `open` need no installation: they run where the person's key is, on their device. Their files are for their
owner alone (mode 0600).
"""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from moiety.access.device_proofs import from_text, to_text
from moiety.cli import files
from moiety.cli.commands.options import Data, GalleryName, Json, Reason
from moiety.cli.commands.person import OWNER, Person, of_subject
from moiety.cli.gateway import gate, picture
from moiety.cli.output import result
from moiety.foundation.envelopes import unseal_from
from moiety.foundation.errors import AlreadyThere, BadInput

own = typer.Typer(no_args_is_help=True, help="1:1 with a template that its person keeps.")

KEY: Final = "moiety/own-key/1"
TEMPLATE: Final = "moiety/own-template/1"
OTHERS: Final = 0o077

Photo = Annotated[Path, typer.Argument(help="A photo of them.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="A new file, for its owner alone.")]


@own.command()
def key(
    file: Annotated[Path, typer.Argument(help="A new file for the private key, on the person's own device.")],
    *,
    json: Json = False,
) -> None:
    """Make a key that stays with the person; the public half is shown to whoever makes the template."""
    made = X25519PrivateKey.generate()
    public = to_text(made.public_key().public_bytes_raw())
    files.write_new(file, {"moiety": KEY, "private": to_text(made.private_bytes_raw())})
    lines = [f"public key: {public}", f"the private key is in {file}; it stays with the person"]
    result({"public_key": public, "file": str(file)}, as_json=json, lines=lines)


@own.command()
def give(
    subject: Person,
    image: Photo,
    gallery: GalleryName,
    out: Out,
    holder: Annotated[
        str, typer.Option("--key", metavar="KEY", help="The person's public key; without one anybody may bring it.")
    ] = "",
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Make a template that the person keeps; the one before passes no more."""
    if out.exists():
        raise AlreadyThere(f"The file {out.name!r} is there already.")
    form = {"reason": reason, "holder_key": holder}
    with gate(data) as line:
        path = f"{of_subject(line, gallery, subject, reason)}/own-template"
        made = line.ask("POST", path, data=form, files={"image": picture(image)})
    template = {"moiety": TEMPLATE, "sealed": made["sealed"], "template": made["template"]}
    files.write_new(out, template)
    words = "sealed to the person's key" if made["sealed"] else "anybody who has it can bring it"
    told = {"file": str(out), "sealed": made["sealed"]}
    result(told, as_json=json, lines=[f"written to {out}; {words}", "hand it over, and keep no copy"])


@own.command("open")
def open_template(
    template: Annotated[Path, typer.Argument(help="What `give` wrote.")],
    out: Out,
    private: Annotated[Path, typer.Option("--key", metavar="FILE", help="The person's private key.")],
    *,
    json: Json = False,
) -> None:
    """Open a sealed template with the person's key, to be brought to a check."""
    from moiety.eye.own import DOMAIN  # noqa: PLC0415 - loads what an eye needs, other commands do not

    sealed = _template(template, sealed=True)
    raw = str(_read(private, KEY).get("private"))
    try:
        mine = X25519PrivateKey.from_private_bytes(from_text(raw))
    except (ValueError, TypeError):
        raise BadInput(f"The file {private.name!r} holds no key of a person.") from None
    card = unseal_from(mine, from_text(sealed), DOMAIN.encode())
    files.write_new(out, {"moiety": TEMPLATE, "sealed": False, "template": to_text(card)})
    result({"file": str(out)}, as_json=json, lines=[f"written to {out}; whoever has it can bring it"])


@own.command()
def verify(
    subject: Person,
    image: Photo,
    gallery: GalleryName,
    template: Annotated[Path, typer.Option(metavar="FILE", help="The template that the person brought, opened.")],
    data: Data = None,
    reason: Reason = OWNER,
    *,
    json: Json = False,
) -> None:
    """Say whether a photo shows the person whose template was brought."""
    form = {"reason": reason, "template": _template(template, sealed=False)}
    with gate(data) as line:
        path = f"{of_subject(line, gallery, subject, reason)}/own-template/verify"
        answer = line.ask("POST", path, data=form, files={"image": picture(image)})
    words = f"the same person ({answer['band']})" if answer["same"] else "not the same person, as far as can be told"
    result(answer, as_json=json, lines=[words])


@own.command()
def revoke(
    subject: Person, gallery: GalleryName, data: Data = None, reason: Reason = OWNER, *, json: Json = False
) -> None:
    """Let a person's template pass no more, wherever it is."""
    with gate(data) as line:
        path = of_subject(line, gallery, subject, reason)
        line.ask("DELETE", f"{path}/own-template", params={"reason": reason})
    gone = path.rpartition("/")[2]
    result({"revoked": gone}, as_json=json, lines=[f"no template of {gone} passes any more"])


def _read(path: Path, form: str) -> dict[str, Any]:
    """Read a file of this module's.

    Raises:
        BadInput: it cannot be read, is none, or others than its owner may read it.

    """
    raw = files.read(path)
    if path.stat().st_mode & OTHERS:
        raise BadInput(f"Others may read the file {path.name!r}: chmod 600.")
    try:
        told = jsons.loads(raw)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("moiety") != form:
        raise BadInput(f"The file {path.name!r} is none of the form {form}.")
    return told


def _template(path: Path, *, sealed: bool) -> str:
    """Read a template that is sealed, or opened.

    Raises:
        BadInput: it is none, or the other of the two.

    """
    told = _read(path, TEMPLATE)
    if told.get("sealed") is not sealed or not isinstance(told.get("template"), str):
        raise BadInput(
            "This template is not sealed: it is brought as it is."
            if sealed
            else "This template is sealed: the person opens it with `moiety person own-template open` first."
        )
    return str(told["template"])
