"""After a restore: the gate compares, and the vaults on this machine let go of what has no other half."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moiety.foundation.errors import PartDown
from moiety.wire.kinds import Role
from moiety.wire.local import NAME, LocalClient

if TYPE_CHECKING:
    from moiety.cli.installation import Installation

VAULTS = (Role.VAULT_A, Role.VAULT_B)


def compare(made: Installation, *, apply: bool) -> dict[str, Any]:
    """Let the gate compare, and carry the plan out at the vaults that are on this machine.

    Raises:
        PartDown: the gate does not run here, or a vault is away.

    """
    told = LocalClient(made.folder(Role.GATE) / NAME, Role.GATE).ask_now("reconcile", {"apply": apply})
    told["vaults"] = {}
    if told["plan"]:
        told["vaults"] = carry_out(made, Path(told["plan"]))
        if len(told["vaults"]) == len(VAULTS):
            Path(told["plan"]).unlink(missing_ok=True)
            told["plan"] = None
    return told


def carry_out(made: Installation, plan: Path) -> dict[str, Any]:
    """Give a plan to the vaults that run on this machine; returns what each destroyed."""
    done = {}
    for role in VAULTS:
        socket = made.folder(role) / NAME
        if socket.exists():
            done[role.value] = LocalClient(socket, role).ask_now("drop", {"plan": str(plan.absolute())})
    return done


def here(made: Installation, plan: Path) -> dict[str, Any]:
    """Carry a plan out on a vault's machine.

    Raises:
        PartDown: no vault runs here.

    """
    done = carry_out(made, plan)
    if not done:
        raise PartDown("No vault runs on this machine.")
    return done


def lines_of(told: dict[str, Any], *, apply: bool) -> list[str]:
    """Say what was found, and what is left to do."""
    lines = []
    for one in told["galleries"]:
        lines.append(f"{one['gallery']}: {one['whole']} rows whole")
        lines += [f"  {subject}: dropped, nothing of them was whole" for subject in one["dropped"]]
        lines += [f"  {subject}: a photo was lost; enrol it again" for subject in one["photo_lost"]]
        lines += [f"  {subject}: what was sealed is lost with its key" for subject in one["fields_lost"]]
        count = len(one["dropped"]) + len(one["photo_lost"]) + len(one["fields_lost"])
        left = (
            f"{one['at_vault_a']} rows at A, {one['at_vault_b']} at B and {one['keys']} keys without their other half"
        )
        lines.append(f"  {count} subjects ({one['canaries']} of them canaries); {left}")
    if not apply:
        lines.append("nothing was changed; say --apply to drop what is not whole")
    lines += [f"{role}: destroyed {done['rows']} rows, {done['keys']} keys" for role, done in told["vaults"].items()]
    if told["plan"]:
        lines.append(f"on each other vault's machine: moiety reconcile --plan {told['plan']}")
    return lines
