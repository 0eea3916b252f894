"""`moiety ledger`: checking what was written down, here or as an outsider, and copying it."""

from __future__ import annotations

import base64
import datetime as dt
import json as jsons
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moiety.cli import files
from moiety.cli.commands.options import Data, Json
from moiety.cli.gateway import gate
from moiety.cli.ledgers import Served, own_keys, told_keys, trust_in
from moiety.cli.output import progress, result, say
from moiety.foundation.errors import BadInput, Refusal, Unverified
from moiety.ledger import audit
from moiety.tlog.checkpoints import Checkpoint
from moiety.tlog.notes import Note
from moiety.tlog.tiles import bundles_of, tiles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moiety.cli.gateway import Gate
    from moiety.ledger.audit import Found, Source, Trust

app = typer.Typer(no_args_is_help=True, help="The ledger: check it, copy it for somebody outside.")

Since = Annotated[
    list[Path],
    typer.Option("--since", metavar="FILE", help="A checkpoint of before, which this ledger must extend; repeatable."),
]


@app.command()
def verify(
    copy: Annotated[
        Path | None, typer.Option("--copy", metavar="DIR", help="Check this copy, without any installation.")
    ] = None,
    key: Annotated[
        list[str], typer.Option("--key", metavar="KEY", help="Verifier key of the ledger or of a witness; repeatable.")
    ] = [],  # noqa: B006 - how the command-line library writes an empty list
    since: Since = [],  # noqa: B006 - as above
    evidence: Annotated[
        Path | None, typer.Option("--evidence", metavar="FILE", help="Check the entries of an incident's evidence.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="Check the proof of one entry, saved from its page.")
    ] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Check all of the ledger, of the gate that runs or of a copy; or an incident's evidence, or one entry's proof."""
    if evidence is not None:
        _verify_evidence(files.read(evidence), key, as_json=json)
        return
    if proof is not None:
        _tell_entry(proof, key, as_json=json)
        return
    older = [files.read(path) for path in since]
    if copy is not None:
        if not key:
            say("moiety: the keys that lie with the copy are used; get them from the people who run gate and witness")
        trust = trust_in(key) if key else told_keys(copy)
        _tell(_checked(audit.Folder(copy), trust, older), as_json=json)
        return
    trust = trust_in(key) if key else own_keys(data)
    with gate(data) as line:
        _have_signed(line)
        _tell(_checked(Served(line), trust, older), as_json=json)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Copy the ledger as its newest checkpoint knows it, for somebody who is to check it; without reasons."""
    trust = own_keys(data)
    with gate(data) as line:
        _have_signed(line)
        source = Served(line)
        size = _size(source)
        with progress("tiles", sum(1 for _ in (*bundles_of(size), *tiles_of(size)))) as step:
            audit.copy(source, folder, (trust.log, *trust.witnesses), step)
        # What was copied is what was signed, or it is no copy.
        _checked(audit.Folder(folder), trust, ())
    lines = [f"{size} entries are in {folder.name}; check them with `moiety ledger verify --copy`"]
    result({"entries": size, "folder": str(folder)}, as_json=json, lines=lines)


@app.command()
def keys(data: Data = None, *, json: Json = False) -> None:
    """Show the verifier keys of ledger and witness, for `verify --key`."""
    trust = own_keys(data)
    witnesses = [key.encode() for key in trust.witnesses]
    result({"log": trust.log.encode(), "witnesses": witnesses}, as_json=json, lines=[trust.log.encode(), *witnesses])


def _verify_evidence(raw: bytes, keys: Sequence[str], *, as_json: bool) -> None:
    """Check the entries of an evidence file by the keys that are given, or by those that lie with it."""
    from moiety.incidents import evidence as proofs  # noqa: PLC0415 - loads the gate's tables, other checks do not

    told = proofs.read(raw)
    if not keys:
        say("moiety: the keys that lie with the file are used; get them from the people who run gate and witness")
    found = proofs.check(raw, trust_in(keys or told["keys"]))
    lines = [f"{found.entries} entries of {found.incident} are in the ledger; {found.cosigned} signed by the witness"]
    shown = {"sound": True, "entries": found.entries, "cosigned": found.cosigned, "incident": found.incident}
    result(shown, as_json=as_json, lines=lines)


def _tell_entry(file: Path, keys: Sequence[str], *, as_json: bool) -> None:
    """Check the proof of one entry, and say of which.

    Raises:
        BadInput: the file is no proof.
        Unverified: the proof does not hold.

    """
    try:
        told = jsons.loads(files.read(file))
        leaf, proof = base64.b64decode(told["leaf"], validate=True), str(told["proof"]).encode()
        named = [str(told["log_key"]), str(told["witness_key"] or "")]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"The file {file.name!r} is no proof of an entry.") from None
    if not keys:
        say("moiety: the keys that lie with the proof are used; get them from the people who run gate and witness")
    found = audit.check_entry(leaf, proof, trust_in(keys or named))
    about = {"entry": found.seq, "at": _moment(found.at), "entries": found.checkpoint.size}
    signed = f"signed by the witness at {_moment(found.cosigned_at)}" if found.cosigned_at else "signed by no witness"
    lines = [f"entry {found.seq} of {_moment(found.at)} is one of {found.checkpoint.size} entries; {signed}"]
    result({"sound": True, **about, "cosigned_at": _moment(found.cosigned_at)}, as_json=as_json, lines=lines)


@app.command()
def report(
    year: Annotated[int | None, typer.Option("--year", metavar="YEAR", help="By default the year that it is.")] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Count from the ledger what was done in a year, by purpose; it names nobody."""
    with gate(data) as line:
        found = line.ask("GET", "ledger/report", params={} if year is None else {"year": year})
    lines = [f"{found['year']}: {found['entries']} entries, {found['first']} to {found['last']}"]
    for one in found["purposes"]:
        lines.append(f"{one['purpose']}:")
        lines += [f"  {what}: {count}" for part in ("questions", "hits", "kinds") for what, count in one[part].items()]
        lines += [
            f"  {act}, {band}: {count}" for act, counts in one["outcomes"].items() for band, count in counts.items()
        ]
    result(found, as_json=json, lines=lines)


def _have_signed(line: Gate) -> None:
    """Ask for a checkpoint of now; an older one does where the witness is away.

    Raises:
        Unverified: the witness knows another ledger.

    """
    try:
        line.ask("POST", "ledger/checkpoint")
    except Unverified:
        raise
    except Refusal as refusal:
        say(f"moiety: the witness does not sign now ({refusal.slug}); its last checkpoint is used")


def _size(source: Source) -> int:
    return Checkpoint.parse(Note.parse(source.read(audit.CHECKPOINT)).text).size


def _checked(source: Source, trust: Trust, older: Sequence[bytes]) -> Found:
    """Check a ledger, and show how far that is."""
    with progress("entries", _size(source)) as step:
        return audit.check(source, trust, older, step)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")


def _tell(found: Found, *, as_json: bool) -> None:
    """Say what was found to be sound."""
    about = {
        "entries": found.checkpoint.size,
        "root": found.checkpoint.root.hex(),
        "cosigned_at": _moment(found.cosigned_at),
        "first_at": _moment(found.first_at),
        "last_at": _moment(found.last_at),
        "kinds": found.kinds,
    }
    signed = f"signed by the witness at {_moment(found.cosigned_at)}" if found.cosigned_at else "signed by no witness"
    lines = [f"{found.checkpoint.size} entries, none altered; {signed}"]
    lines += [f"{kind}: {count}" for kind, count in found.kinds.items()]
    result({"sound": True, **about}, as_json=as_json, lines=lines)
