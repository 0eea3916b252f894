"""What was lost, and what a thief can do with it, in plain words, as in docs/threat-model.md."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from moiety.foundation.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Lost(StrEnum):
    """What came, or may have come, into wrong hands."""

    GATE = "gate"
    GATE_KEYS = "gate-keys"
    VAULT_A = "vault-a"
    VAULT_B = "vault-b"
    EYE_KEYS = "eye-keys"
    BACKUP = "backup"
    SESSION = "session"
    API_KEY = "api-key"
    DEVICE = "device"
    RUNNING_MACHINE = "running-machine"


NAMES: Final = {
    Lost.GATE: "the gate's disk or database, without its keys",
    Lost.GATE_KEYS: "the gate's keys",
    Lost.VAULT_A: "vault A's disk with its keys (half A)",
    Lost.VAULT_B: "vault B's disk with its keys (half B and the personal keys)",
    Lost.EYE_KEYS: "the eye's keys (the galleries' rotations)",
    Lost.BACKUP: "a sealed backup, without its key",
    Lost.SESSION: "an operator's device with an open session, or a passkey",
    Lost.API_KEY: "a program's API key",
    Lost.DEVICE: "a camera's or kiosk's key",
    Lost.RUNNING_MACHINE: "a running machine on which all parts run",
}
ALONE: Final = {
    Lost.GATE: "The gate holds ciphertext, ids and states. Without the keys at vault B no name, number or photo can be "
    "read; how many people there are and when they were enrolled can.",
    Lost.GATE_KEYS: "With the gate's own keys reasons in the ledger, colleagues' names and reports can be read, and "
    "questions can be asked in the gate's name until the keys are changed.",
    Lost.VAULT_A: "Half A is numbers that mean nothing. Without half B nothing at all can be said about a face, now or "
    "later. After a refresh the stolen half fits nothing any more.",
    Lost.VAULT_B: "Half B is random seeds. Without half A nothing can be said about a face. The personal keys open "
    "nothing without the gate's database.",
    Lost.EYE_KEYS: "The rotations alone say nothing about anybody.",
    Lost.BACKUP: "The backup is sealed; without the operator's key it is noise.",
    Lost.SESSION: "Whoever held it could do what that colleague may, and every act of it is in the ledger below.",
    Lost.API_KEY: "Whoever held it could do what the key may, and every act of it is in the ledger below.",
    Lost.DEVICE: "Whoever held it could ask at that door, as the device does; every question is in the ledger below.",
    Lost.RUNNING_MACHINE: "Whoever owned the running machine owned all parts: assume that faces could be recognised, "
    "and that every name and photo could be read.",
}
# Both halves; and what lies at the gate with the keys that open it.
PAIRS: Final = (frozenset({Lost.VAULT_A, Lost.VAULT_B}), frozenset({Lost.GATE, Lost.VAULT_B}))
BOTH_HALVES: Final = (
    "Both halves of one epoch were lost: templates can be put together. A face cannot be changed like a password. "
)
WITH_ROTATION: Final = (
    "With the eye's rotations a thief can recognise these people in any picture. Enrol anew, under a new rotation."
)
WITHOUT_ROTATION: Final = (
    "Without the eye's rotations they can be compared with each other, not with a picture of somebody; whoever has "
    "pictures of many of these people can work the rotation out. Treat it as if they could."
)
READABLE: Final = (
    "The gate's database and vault B's personal keys were lost together: names, numbers, addresses and photos that are "
    "kept can be read."
)


def parse(told: Iterable[str]) -> tuple[Lost, ...]:
    """Read what was lost, in a fixed order.

    Raises:
        BadInput: there is no such loss.

    """
    try:
        found = {Lost(one) for one in told}
    except ValueError:
        raise BadInput(f"There is no such loss; there are: {', '.join(Lost)}.") from None
    return tuple(one for one in Lost if one in found)


def faces_lost(lost: Collection[Lost]) -> bool:
    """Whether templates can be put together."""
    return Lost.RUNNING_MACHINE in lost or PAIRS[0] <= set(lost)


def fields_lost(lost: Collection[Lost]) -> bool:
    """Whether names and other fields can be read."""
    return Lost.RUNNING_MACHINE in lost or PAIRS[1] <= set(lost)


def looked(lost: Collection[Lost]) -> bool:
    """Whether somebody could ask as one of ours: then the ledger says about whom."""
    return bool({Lost.SESSION, Lost.API_KEY, Lost.DEVICE, Lost.GATE_KEYS} & set(lost))


def meaning(lost: Collection[Lost]) -> tuple[str, ...]:
    """Say what a thief can do with all of it together, what is worst first."""
    told = []
    if PAIRS[0] <= set(lost):
        told.append(BOTH_HALVES + (WITH_ROTATION if Lost.EYE_KEYS in lost else WITHOUT_ROTATION))
    if PAIRS[1] <= set(lost):
        told.append(READABLE)
    # What was said of things together is not said of each of them alone.
    together = [pair for pair in PAIRS if pair <= set(lost)]
    said = set().union(*together)
    told += [ALONE[one] for one in Lost if one in lost and one not in said]
    return tuple(told) or ("Nothing is known to be lost yet.",)
