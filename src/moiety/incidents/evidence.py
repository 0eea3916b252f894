"""Evidence from the ledger: an incident's entries, each with the proof that it is in a signed checkpoint."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moiety.foundation.errors import Unverified
from moiety.incidents.affected import MICROSECONDS
from moiety.ledger.leaves import leaf_bytes
from moiety.tlog.asking import EntryProof
from moiety.tlog.checkpoints import cosigned_at, opened
from moiety.tlog.merkle import included, leaf_hash

if TYPE_CHECKING:
    from moiety.ledger.audit import Trust
    from moiety.people.house import House
    from moiety.storage import Incident

FORM: Final = "moiety/evidence/1"
ENTRIES_MAX: Final = 2_000
BAD: Final = "This is no evidence, or it was altered"


@dataclass(frozen=True, slots=True)
class Proved:
    """What evidence proves: how many entries, and in how many of them the witness's signature stands."""

    entries: int
    cosigned: int
    incident: str


def collect(house: House, incident: Incident) -> dict[str, Any]:
    """Give the entries between an incident's times as a file for `moiety ledger verify --evidence`, oldest first.

    Reasons stay sealed: a leaf holds their hash. Above `ENTRIES_MAX` entries the rest is left out, and said so; a copy
    of the whole ledger (`moiety ledger export`) has all.
    """
    times = round(incident.began_at * MICROSECONDS), round(incident.ended_at * MICROSECONDS)
    with house.desk.store.read() as tx:
        numbers = tx.exposed.entries(*times, incident.galleries, ENTRIES_MAX + 1)
    service = house.checkpointing
    entries = []
    for proven in service.prove_all(numbers[:ENTRIES_MAX]):
        leaf = base64.b64encode(leaf_bytes(proven.entry)).decode()
        entries.append({"seq": proven.entry.seq, "leaf": leaf, "proof": proven.proof.encode().decode()})
    keys = [service.log.encode(), *([service.witness.encode()] if service.witness else [])]
    return {
        "moiety": FORM,
        "incident": incident.id,
        "began_at": int(incident.began_at),
        "ended_at": int(incident.ended_at),
        "whole": len(numbers) <= ENTRIES_MAX,
        "keys": keys,
        "entries": entries,
    }


def check(raw: bytes, trust: Trust) -> Proved:
    """Check every proof of an evidence file by the keys of `trust`.

    Raises:
        Unverified: the file is none, or an entry is not what was signed; the message says which.

    """
    told = read(raw)
    cosigned = 0
    for one in told["entries"]:
        try:
            seq, leaf = int(one["seq"]), base64.b64decode(str(one["leaf"]), validate=True)
            proof = EntryProof.parse(str(one["proof"]).encode())
        except (ValueError, TypeError, KeyError):
            raise Unverified(f"{BAD}.") from None
        checkpoint = opened(proof.note, trust.log)
        hashed = leaf_hash(leaf)
        if proof.index != seq - 1 or not included(hashed, proof.index, checkpoint.size, proof.hashes, checkpoint.root):
            raise Unverified(f"{BAD}: entry {seq} is not in the checkpoint that was signed.")
        signed = [cosigned_at(proof.note.text, proof.note.signatures, witness) for witness in trust.witnesses]
        cosigned += bool(signed) and None not in signed
    return Proved(len(told["entries"]), cosigned, str(told["incident"]))


def read(raw: bytes) -> dict[str, Any]:
    """Read an evidence file; nothing is verified.

    Raises:
        Unverified: it is none.

    """
    try:
        told: dict[str, Any] = json.loads(raw)
        entries, keys = list(told["entries"]), [str(one) for one in told["keys"]]
        form, incident = told["moiety"], str(told["incident"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unverified(f"{BAD}.") from None
    if form != FORM:
        raise Unverified(f"{BAD}.")
    return {"entries": entries, "keys": keys, "incident": incident}
