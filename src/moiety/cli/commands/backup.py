"""`moiety backup …`: copies of a part, sealed to its operator; what there is of them, and for how long."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from moiety.archive import age_keys, places
from moiety.archive.holdings import SEEDS, STATE
from moiety.archive.writing import remembered
from moiety.cli import installation
from moiety.cli.backup.asking import ask_for_backup
from moiety.cli.backup.bringing_back import Wish, bring_back, lines_of
from moiety.cli.backup.reconciling import compare, here
from moiety.cli.backup.reconciling import lines_of as lines_of_reconcile
from moiety.cli.commands.options import Data, Json
from moiety.cli.output import result
from moiety.foundation import settings
from moiety.foundation.errors import BadInput
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from moiety.archive.places import Backup
    from moiety.cli.installation import Installation


class _RoleFirst(TyperGroup):
    """Lets `moiety backup gate …` mean `moiety backup make gate …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the word that may be left out."""
        if args and args[0] in set(Role):
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RoleFirst,
    no_args_is_help=True,
    help="Copies of a part, sealed to its operator. `moiety backup ROLE` is `moiety backup make ROLE`.",
)
key_app = typer.Typer(no_args_is_help=True, help="Operators' keys.")
app.add_typer(key_app, name="key")
restore_app = typer.Typer()

To = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", help="Where it goes; left out: where the last one went.")
]
SeedsTo = Annotated[
    Path | None, typer.Option("--seeds-to", metavar="DIR", help="Where B's seeds go; default DIR/seeds.")
]
KeysTo = Annotated[
    Path | None,
    typer.Option("--keys-to", metavar="DIR", help="Where each copy's own key goes, sealed to you; default DIR/keys."),
]
Recipient = Annotated[str | None, typer.Option("--recipient", metavar="age1…", help="To whom it is sealed.")]
RecipientFile = Annotated[Path | None, typer.Option("--recipient-file", metavar="FILE", help="The same, from a file.")]


@app.command()
def make(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="gate, eye, vault-a, vault-b, mint or witness.")],
    to: To = None,
    recipient: Recipient = None,
    recipient_file: RecipientFile = None,
    seeds_to: SeedsTo = None,
    keys_to: KeysTo = None,
    data: Data = None,
    *,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="Also the part's own keys, in a file apart.")] = False,
    after_refresh: Annotated[
        bool, typer.Option("--after-refresh", help="Only where an epoch is in force that no copy holds.")
    ] = False,
    json: Json = False,
) -> None:
    """Back up a part on its own machine, running or not; then destroy the copies whose time is over."""
    made = installation.load(installation.where(data))
    last = remembered(made.folder(role))
    given = {
        **_places(last, to, seeds_to, keys_to),
        "recipient": _recipient(last, recipient, recipient_file),
        "days": settings.number("MOIETY_BACKUP_DAYS"),
        "seeds_days": settings.number("MOIETY_BACKUP_SEEDS_DAYS"),
        "with_keys": with_keys,
        "if_behind": after_refresh,
    }
    told = ask_for_backup(made, role, given)
    lines = [f"{one['path']} ({one['bytes']} bytes)" for one in told["files"]] or ["nothing new to back up"]
    lines += [f"destroyed {name}" for name in told["destroyed"]]
    result({"role": role, **told}, as_json=json, lines=lines)


def _places(last: dict[str, Any], to: Path | None, seeds_to: Path | None, keys_to: Path | None) -> dict[str, str]:
    """Say where everything goes: the options, else beside `--to`, else where the last backup went."""
    if to is None and "to" not in last:
        raise BadInput("Say where the backup goes: --to DIR.")
    if to is None:
        beside = {name: Path(last[name]) for name in ("to", "seeds_to", "keys_to")}
    else:
        beside = {"to": to, "seeds_to": to / "seeds", "keys_to": to / "keys"}
    said = {"seeds_to": seeds_to, "keys_to": keys_to}
    return {name: str((said.get(name) or path).expanduser().absolute()) for name, path in beside.items()}


def _recipient(last: dict[str, Any], recipient: str | None, file: Path | None) -> str:
    """Say to whom it is sealed."""
    if recipient and file:
        raise BadInput("Give the recipient or a file with it, not both.")
    if file:
        return age_keys.recipient_in(file)
    if not recipient and "recipient" not in last:
        raise BadInput("Say to whom the backup is sealed: --recipient age1… (moiety backup key new FILE makes a key).")
    return str(age_keys.recipient(recipient or last["recipient"]))


@key_app.command("new")
def key_new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the secret key; keep it elsewhere.")],
    *,
    json: Json = False,
) -> None:
    """Make an operator's key and show its recipient; A's and B's backups need different operators."""
    recipient = age_keys.new_operator(file)
    result({"recipient": recipient}, as_json=json, lines=[recipient])


@app.command("list")
def list_all(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Folders; none: where this machine's backups went.")
    ] = None,
    data: Data = None,
    *,
    json: Json = False,
) -> None:
    """List the copies, how long each is kept, which of the vaults' fit, and after how many days all is gone."""
    found = places.found_in(folders or _remembered_places(installation.load(installation.where(data))))
    pairs = places.pairs(found)
    days = gone_after(found)
    listed = [_entry(one) for one in found]
    lines = [_line(one) for one in found]
    lines += [f"fit together: {pair.a.path.name} and {pair.b.path.name}" for pair in pairs]
    lines.append(f"erased everywhere within {days['found']} days; sealed remains that open nothing: {days['all']} days")
    both = [{"vault-a": pair.a.path.name, "vault-b": pair.b.path.name, "seeds": pair.seeds.path.name} for pair in pairs]
    result({"backups": listed, "pairs": both, "erased_within_days": days["found"]}, as_json=json, lines=lines)


def _remembered_places(made: Installation) -> list[Path]:
    """Give the folders into which this machine's parts were backed up."""
    told = [remembered(made.folder(role)) for role in Role]
    return sorted({Path(one[name]) for one in told for name in ("to", "seeds_to") if name in one})


def gone_after(found: list[Backup]) -> dict[str, int]:
    """Say after how many days an erased person is in no copy that could find or show them, and in none at all.

    Copies are destroyed by the next run after their time is over: that is a day more where it runs daily.
    """
    seeds = [one.about.days for one in found if one.about.part == SEEDS]
    others = [one.about.days for one in found if one.about.part == STATE]
    seeds_days = max([settings.number("MOIETY_BACKUP_SEEDS_DAYS"), *seeds])
    return {"found": seeds_days + 1, "all": max([settings.number("MOIETY_BACKUP_DAYS"), seeds_days, *others]) + 1}


def _entry(one: Backup) -> dict[str, Any]:
    """Describe one copy for machines."""
    about = one.about
    return {
        "path": str(one.path),
        "role": about.role,
        "part": about.part,
        "at": about.at,
        "expires": about.expires,
        "epochs": about.epochs(),
        "rows": sum(mark.rows for mark in about.galleries.values()),
        "bytes": one.size,
        "opens": one.opens,
    }


def _line(one: Backup) -> str:
    """Describe one copy for people."""
    about = one.about
    at, until = (time.strftime("%Y-%m-%d %H:%M", time.gmtime(when)) for when in (about.at, about.expires))
    part = about.role if about.part == "state" else f"{about.role} {about.part}"
    overdue = "OVERDUE, destroyed by the next backup" if time.time() > about.expires else f"kept until {until}"
    missing = "" if one.opens else "; its key or file is gone: it does not open"
    return f"{at} UTC  {part}: {one.path.name}, {one.size} bytes, {overdue}{missing}"


@restore_app.command()
def restore(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="gate, eye, vault-a, vault-b, mint or witness.")],
    state: Annotated[Path, typer.Option("--from", metavar="FILE", help="The part's backup.")],
    identity: Annotated[Path, typer.Option("--identity", metavar="KEYFILE", help="The operator's secret key.")],
    seeds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="B's seeds of the same run, where they lie elsewhere.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="The part's own keys, from --with-keys.")] = None,
    keys_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the copies' own keys lie, if --keys-to said so.")
    ] = None,
    tombstones: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who was erased since, where the witness cannot be asked.")
    ] = None,
    backups: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Where to look for a pair that fits; may be repeated.")
    ] = None,
    data: Data = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Also where the folder holds something.")] = False,
    old_pair: Annotated[bool, typer.Option("--old-pair", help="Both vaults go back to a pair, one by one.")] = False,
    json: Json = False,
) -> None:
    """Restore a stopped part; before it serves again it forgets whoever was erased since."""
    wish = Wish(role, state, seeds, keys, identity, keys_from, tombstones, tuple(backups or ()), replace, old_pair)
    found = bring_back(installation.where(data), wish)
    first = found[0]
    told = {"role": role, "of": first.at, "run": first.run, "galleries": len(first.galleries)}
    told["rows"] = sum(mark.rows for mark in first.galleries.values())
    result(told, as_json=json, lines=lines_of(found, role))


@restore_app.command()
def reconcile(
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="On a vault's machine: what the gate's machine wrote.")
    ] = None,
    data: Data = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Drop what is not whole; without it only say so.")] = False,
    json: Json = False,
) -> None:
    """After a restore: find who is not whole at gate, vault A and vault B; list them and let them go."""
    made = installation.load(installation.where(data))
    if plan:
        done = here(made, plan)
        lines = [f"{role}: destroyed {one['rows']} rows, {one['keys']} keys" for role, one in done.items()]
        result({"galleries": [], "plan": None, "vaults": done}, as_json=json, lines=lines)
        return
    told = compare(made, apply=apply)
    result(told, as_json=json, lines=lines_of_reconcile(told, apply=apply))
