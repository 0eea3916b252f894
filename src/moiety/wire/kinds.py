"""The kinds of message that exist, and who may send each."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Role(StrEnum):
    """The trust domains of the design that speak over the wire."""

    GATE = "gate"
    EYE = "eye"
    VAULT_A = "vault-a"
    VAULT_B = "vault-b"
    MINT = "mint"


class Kind(IntEnum):
    """What a frame asks for; the number is on the wire and is never used again for something else."""

    PING = 1
    # gate -> eye
    ROTATION_NEW = 10
    PROBE = 12
    TEMPLATE = 13
    COMPARE = 14
    # gate -> both vaults
    POLICY_SET = 20
    PREPARE = 21
    COMMIT = 22
    ABORT = 23
    SEARCH = 24
    BANDS = 25
    ERASE = 26
    ROWS = 27
    POLICY_DROP = 28
    # gate -> vault B
    WRAP = 30
    REVEAL = 31
    BLIND = 32
    FORGET = 33
    # vault A -> vault B
    HELLO = 40
    BEGIN = 41
    ROUND = 42
    FINISH = 43
    # vault B -> mint
    DEAL = 50


_VAULTS = {Role.VAULT_A, Role.VAULT_B}

# Who may ask whom for what. Anything that is not here is refused before its content is looked at.
ALLOWED: dict[Kind, tuple[set[Role], set[Role]]] = {
    Kind.PING: (set(Role), set(Role)),
    **{kind: ({Role.GATE}, {Role.EYE}) for kind in (Kind.ROTATION_NEW, Kind.PROBE, Kind.TEMPLATE, Kind.COMPARE)},
    **{
        kind: ({Role.GATE}, _VAULTS)
        for kind in (
            Kind.POLICY_SET,
            Kind.POLICY_DROP,
            Kind.PREPARE,
            Kind.COMMIT,
            Kind.ABORT,
            Kind.SEARCH,
            Kind.BANDS,
            Kind.ERASE,
            Kind.ROWS,
        )
    },
    **{kind: ({Role.GATE}, {Role.VAULT_B}) for kind in (Kind.WRAP, Kind.REVEAL, Kind.BLIND, Kind.FORGET)},
    **{kind: ({Role.VAULT_A}, {Role.VAULT_B}) for kind in (Kind.HELLO, Kind.BEGIN, Kind.ROUND, Kind.FINISH)},
    Kind.DEAL: ({Role.VAULT_B}, {Role.MINT}),
}


def may(sender: Role, kind: Kind, receiver: Role) -> bool:
    """Say whether `sender` may ask `receiver` for `kind`."""
    senders, receivers = ALLOWED[kind]
    return sender in senders and receiver in receivers
