"""`moiety gallery …`: galleries, each for one purpose."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer

from moiety.cli.commands.operators import propose, proposed
from moiety.cli.commands.options import Data, Json, Reason, Wait
from moiety.cli.gateway import Gate, gate
from moiety.cli.output import result
from moiety.cli.waiting import signed
from moiety.foundation.errors import BadInput, NotApproved

app = typer.Typer(no_args_is_help=True, help="Galleries: each for one purpose, one model, one rotation.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name; it is not secret.")],
    purpose: Annotated[str, typer.Option(metavar="P", help="What it is for; every search in it has this purpose.")],
    fmr: Annotated[float, typer.Option(help="Target false-match rate of the band `possible`.")] = 1e-4,
    retention_days: Annotated[int | None, typer.Option(help="Erase subjects after so many days.")] = None,
    probes_per_hour: Annotated[int | None, typer.Option(help="Budget of probes at both vaults.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="A table made by `moiety calibrate`.")] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """Open a gallery at the gate and at both vaults."""
    body: dict[str, Any] = {"name": name, "purpose": purpose, "fmr": fmr}
    if retention_days is not None:
        body["retention_days"] = retention_days
    if probes_per_hour is not None:
        body["probes_per_hour"] = probes_per_hour
    if calibration is not None:
        body["table"] = _table(calibration)
    with gate(data, make=True) as line:
        made = line.ask("POST", "galleries", json=body)
    bands = ", ".join(made["bands"])
    lines = [f"opened {made['name']} ({made['id']}) for: {made['purpose']}; bands: {bands}"]
    if made["state"] == "pending":
        lines = [
            f"{made['name']} ({made['id']}) waits for the keepers of both vaults; on each vault's machine:",
            f"  moiety vault policy set {made['id']} --key FILE",
        ]
    result(made, as_json=json, lines=lines)


def _table(path: Path) -> dict[str, float]:
    """Read what `moiety calibrate --out` wrote.

    Raises:
        BadInput: it is no such file.

    """
    try:
        table = jsons.loads(path.read_bytes())["table"]
        return {str(rate): float(cosine) for rate, cosine in table.items() if cosine is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{path.name!r} is no calibration table.") from None


@app.command()
def rules(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")],
    notice: Annotated[str, typer.Option(help="Version of the notice that people are shown.")],
    basis: Annotated[str, typer.Option(help="Why it is lawful, such as consent or contract.")],
    controller: Annotated[str, typer.Option(help="The organisation that answers for it.")],
    keep_days: Annotated[int, typer.Option(help="Days from the last contact, at most 1095.")],
    source: Annotated[str, typer.Option(help="From whom the records come.")] = "person",
    data: Data = None,
    reason: Reason = "set at the command line by the owner of the installation",
    approval: Annotated[str, typer.Option(metavar="ID", help="The approval of a looser rule, once signed.")] = "",
    *,
    consent: Annotated[bool, typer.Option("--consent", help="Keep a face only after a written release.")] = False,
    keep_photos: Annotated[bool, typer.Option("--keep-photos", help="Keep enrolment photos too, sealed.")] = False,
    json: Json = False,
) -> None:
    """Say what a gallery asks before it keeps anybody; a looser rule is proposed, and set with `--approval`."""
    body = {"consent": consent, "notice": notice, "basis": basis, "controller": controller, "source": source}
    body |= {"keep_days": keep_days, "keep_photos": keep_photos}
    shown = {"approval": approval} if approval else {}
    with gate(data) as line:
        try:
            made = line.ask("PUT", f"galleries/{name}/rules", json={**body, **shown, "reason": reason})
        except NotApproved:
            if approval:
                raise
            proposed(_propose(line, name, body, reason), as_json=json, shown=True)
            return
    result(made, as_json=json, lines=[f"rules of {name} set"])


def _propose(line: Gate, name: str, body: dict[str, Any], reason: str) -> dict[str, Any]:
    """Lay a looser rule before a second person."""
    from moiety.people.rules import rule_lines  # noqa: PLC0415 - loads much that no other command here needs
    from moiety.storage.person_records import Rule  # noqa: PLC0415 - as above

    of = line.ask("GET", f"galleries/{name}")["id"]
    return propose(line, "rules", rule_lines(Rule(gallery_id=of, **body)), (of, reason))


@app.command()
def decoy(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")],
    reference: Annotated[str, typer.Argument(help="What the made-up person is called, as real ones are.")],
    data: Data = None,
    reason: Reason = "planted at the command line by the owner of the installation",
    *,
    json: Json = False,
) -> None:
    """Plant a person who is nobody: whoever opens a field of theirs is locked, and another unit is told."""
    with gate(data) as line:
        made = line.ask("POST", f"galleries/{name}/decoys", json={"reference": reference, "reason": reason})
    result(made, as_json=json, lines=[f"planted {made['subject_id']}"])


@app.command("remove-decoy")
def remove_decoy(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")],
    subject: Annotated[str, typer.Argument(help="The decoy's id, as planting it or an alert has told it.")],
    data: Data = None,
    reason: Reason = "taken away at the command line by the owner of the installation",
    *,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Take a decoy away: erased at both vaults and at the gate. Whoever is somebody is not found."""
    with gate(data) as line:
        made = line.act("DELETE", f"galleries/{name}/decoys/{subject}", params={"reason": reason})
        gone = signed(line, made, wait=wait, as_json=json)
    result(gone, as_json=json, lines=[f"took away {gone['erased']}"])


@app.command()
def decoys(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")], data: Data = None, *, json: Json = False
) -> None:
    """Say how many decoys a gallery has; the gate plants them by itself as people come."""
    with gate(data) as line:
        found = line.ask("GET", f"galleries/{name}/decoys")
    result(found, as_json=json, lines=[f"{found['planted']} planted, {found['wanted']} wanted"])


@app.command()
def deploy(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")],
    assessment: Annotated[str, typer.Option(help="Reference of the impact assessment, such as DPIA-2026-04.")],
    review: Annotated[str, typer.Option(metavar="DATE", help="When it is reviewed, such as 2027-06-01.")],
    data: Data = None,
    reason: Reason = "put into use at the command line by the owner of the installation",
    approval: Annotated[str, typer.Option(metavar="ID", help="The approval, once people work here.")] = "",
    *,
    police: Annotated[bool, typer.Option("--police", help="Each record says what the person is to them.")] = False,
    two: Annotated[bool, typer.Option("--two-to-search", help="Each search needs two people.")] = False,
    json: Json = False,
) -> None:
    """Say under which impact assessment a gallery is used, and when that is reviewed; then it answers nobody."""
    moment = review if "T" in review else f"{review}T00:00:00Z"
    body = {"assessment": assessment, "review_at": moment, "police": police, "two_to_search": two, "reason": reason}
    with gate(data) as line:
        made = line.ask("PUT", f"galleries/{name}/deployment", json=body | {"approval": approval or None})
    result(made, as_json=json, lines=[f"{name} is in use until {made['review_at']}"])


@app.command()
def thresholds(
    name: Annotated[str, typer.Argument(help="Name or id of the gallery.")],
    report: Annotated[str, typer.Option(help="Reference of the test report.")],
    data: Data = None,
    reason: Reason = "taken at the command line by the owner of the installation",
    approval: Annotated[str, typer.Option(metavar="ID", help="The approval, once people work here.")] = "",
    *,
    json: Json = False,
) -> None:
    """Take thresholds that the vaults' keepers have lowered; until then the gallery answers nobody."""
    body = {"report": report, "reason": reason, "approval": approval or None}
    with gate(data) as line:
        made = line.ask("POST", f"galleries/{name}/thresholds", json=body)
    result(made, as_json=json, lines=[f"taken: {', '.join(map(str, made['taken']))}"])


@app.command("list")
def list_all(data: Data = None, *, json: Json = False) -> None:
    """List the galleries."""
    with gate(data) as line:
        found = line.ask("GET", "galleries")
    lines = [f"{one['name']} ({one['id']}): {one['purpose']}" for one in found["galleries"]]
    result(found, as_json=json, lines=lines or ["no galleries yet"])
