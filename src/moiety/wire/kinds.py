"""The kinds of message that exist, and who may send each."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from moiety.watch import declare


class Role(StrEnum):
    """The trust domains of the design that speak over the wire."""

    GATE = "gate"
    EYE = "eye"
    VAULT_A = "vault-a"
    VAULT_B = "vault-b"
    MINT = "mint"
    WITNESS = "witness"


class Kind(IntEnum):
    """What a frame asks for; the number is on the wire and is never used again for something else."""

    PING = 1
    # gate -> every other part: how often and how long, for its metrics
    COUNTS = 2
    # gate -> eye
    ROTATION_NEW = 10
    PROBE = 12
    TEMPLATE = 13
    COMPARE = 14
    CANARY_TEMPLATE = 15
    CANARY_PROBE = 16
    LOOK = 17
    OWN_MAKE = 18
    OWN_CHECK = 19
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
    STATE = 29
    LEFT = 80
    # gate -> both vaults: press stop or kill, or ask whether they are pressed
    EMERGENCY = 81
    # gate -> both vaults: would signatures of people or a device be taken, which are not yet all there
    SIGNATURE = 82
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
    ATTEST = 44
    ATTESTED = 45
    REFRESH_BEGIN = 46
    REFRESH_PULL = 47
    REFRESH_PUSH = 48
    REFRESH_COMMIT = 49
    REFRESH_DROP = 51
    REFRESH_STATE = 52
    STREAM = 53
    # vault B -> mint
    DEAL = 50
    DEAL_AHEAD = 54
    # vaults, and a restored gate -> witness
    BURY = 60
    BURIED = 61
    # gate -> witness: a checkpoint of the ledger, to be signed
    COSIGN = 62
    # vault A -> vault B, about backups and restores
    BACKED_UP = 70
    HOLDS = 71
    # gate -> both vaults, after a restore
    HELD = 72


_VAULTS = {Role.VAULT_A, Role.VAULT_B}

# Who may ask whom for what. Anything that is not here is refused before its content is looked at.
ALLOWED: dict[Kind, tuple[set[Role], set[Role]]] = {
    Kind.PING: (set(Role), set(Role)),
    Kind.COUNTS: ({Role.GATE}, set(Role) - {Role.GATE}),
    **{kind: ({Role.GATE}, {Role.EYE}) for kind in (Kind.ROTATION_NEW, Kind.PROBE, Kind.TEMPLATE, Kind.COMPARE)},
    **{kind: ({Role.GATE}, {Role.EYE}) for kind in (Kind.CANARY_TEMPLATE, Kind.CANARY_PROBE, Kind.LOOK)},
    **{kind: ({Role.GATE}, {Role.EYE}) for kind in (Kind.OWN_MAKE, Kind.OWN_CHECK)},
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
            Kind.STATE,
            Kind.LEFT,
            Kind.HELD,
            Kind.EMERGENCY,
            Kind.SIGNATURE,
        )
    },
    **{kind: ({Role.GATE}, {Role.VAULT_B}) for kind in (Kind.WRAP, Kind.REVEAL, Kind.BLIND, Kind.FORGET)},
    **{
        kind: ({Role.VAULT_A}, {Role.VAULT_B})
        for kind in (
            Kind.HELLO,
            Kind.BEGIN,
            Kind.ROUND,
            Kind.FINISH,
            Kind.ATTEST,
            Kind.ATTESTED,
            Kind.REFRESH_BEGIN,
            Kind.REFRESH_PULL,
            Kind.REFRESH_PUSH,
            Kind.REFRESH_COMMIT,
            Kind.REFRESH_DROP,
            Kind.REFRESH_STATE,
            Kind.STREAM,
            Kind.BACKED_UP,
            Kind.HOLDS,
        )
    },
    **{kind: ({Role.VAULT_B}, {Role.MINT}) for kind in (Kind.DEAL, Kind.DEAL_AHEAD)},
    Kind.BURY: (_VAULTS, {Role.WITNESS}),
    # A gate that was restored asks too.
    Kind.BURIED: (_VAULTS | {Role.GATE}, {Role.WITNESS}),
    Kind.COSIGN: ({Role.GATE}, {Role.WITNESS}),
}


declare("part", Role)
declare("peer", Role)
declare("kind", (kind.name for kind in Kind))


def may(sender: Role, kind: Kind, receiver: Role) -> bool:
    """Say whether `sender` may ask `receiver` for `kind`."""
    senders, receivers = ALLOWED[kind]
    return sender in senders and receiver in receivers
