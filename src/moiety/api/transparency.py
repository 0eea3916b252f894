"""The ledger for those who check it: checkpoint, tiles, proofs, reasons.

`/v1/ledger` is the prefix of c2sp.org/tlog-tiles.
"""

import asyncio
import base64
from typing import Annotated

from fastapi import Path
from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from moiety.access import Caller, Permission
from moiety.api.journal import SEQ_MAX, standing_seen
from moiety.api.ledger_shapes import CheckpointSeen, ProofSeen, ReasonSeen
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.visits import TheCaller, TheHouse
from moiety.foundation.errors import NotFound
from moiety.ledger import leaf_bytes
from moiety.ledger.checkpointing import Proven
from moiety.people.house import House
from moiety.storage import LedgerEntry
from moiety.tlog.tiles import Tile

routes = Routes("ledger")

Seq = Annotated[int, Path(ge=1, le=SEQ_MAX, description="Number of the entry.")]


class Octets(Response):
    """Bytes that never change."""

    media_type = "application/octet-stream"


@routes.add(
    "GET",
    "/v1/ledger/checkpoint",
    permission=Permission.LEDGER_READ,
    summary="Checkpoint",
    response_class=PlainTextResponse,
)
async def read_checkpoint(house: TheHouse) -> PlainTextResponse:
    """Give the newest checkpoint that the witness signed, as a signed note; before the first one, the ledger's own."""
    note = await asyncio.to_thread(house.checkpointing.note)
    return PlainTextResponse(note.encode())


@routes.add("POST", "/v1/ledger/checkpoint", permission=Permission.LEDGER_READ, summary="Have it signed")
async def make_checkpoint(house: TheHouse) -> CheckpointSeen:
    """Have the witness sign the ledger as it is now."""
    return standing_seen(await house.checkpointing.cosign())


@routes.add(
    "GET",
    "/v1/ledger/tile/{where:path}",
    permission=Permission.LEDGER_READ,
    summary="Tile or bundle",
    response_class=Octets,
)
async def read_tile(
    house: TheHouse,
    where: Annotated[str, Path(description="`LEVEL/NUMBER` or `entries/NUMBER`, as c2sp.org/tlog-tiles writes it.")],
) -> Octets:
    """Give a tile of hashes, or a bundle of entries without their reasons."""
    return Octets(await asyncio.to_thread(house.checkpointing.tree.tile, Tile.parse(f"tile/{where}")))


@routes.add(
    "GET", "/v1/ledger/entries/{seq}/proof", permission=Permission.LEDGER_READ, summary="Proof that an entry is there"
)
async def prove_entry(house: TheHouse, seq: Seq) -> ProofSeen:
    """Prove that an entry is in the ledger whose checkpoint the witness has signed."""
    return proof_seen(house, await asyncio.to_thread(house.checkpointing.prove, seq))


@routes.add(
    "GET",
    "/v1/ledger/own/{seq}/proof",
    permission=Permission.SELF,
    summary="Proof of what one did",
)
async def prove_own(house: TheHouse, caller: TheCaller, seq: Seq) -> ProofSeen:
    """Prove an entry of something that the caller did, to people who may not read the ledger too."""
    await own_entry(house, caller, seq)
    return proof_seen(house, await asyncio.to_thread(house.checkpointing.prove, seq))


async def own_entry(house: House, caller: Caller, seq: int) -> LedgerEntry:
    """Give an entry whose actor is the caller.

    Raises:
        NotFound: there is none with this number, or it is somebody else's, which is not told.

    """
    entry = await asyncio.to_thread(house.desk.ledger.entry, seq)
    if entry.actor != caller.key_id:
        raise NotFound("There is no entry of yours with this number.")
    return entry


def proof_seen(house: House, proven: Proven) -> ProofSeen:
    """Show a proof with all that is needed to check it."""
    service = house.checkpointing
    text = proven.proof.note.encode().decode()
    return ProofSeen(
        seq=proven.entry.seq,
        leaf=_text(leaf_bytes(proven.entry)),
        leaf_hash=proven.entry.hash.hex(),
        size=proven.size,
        hashes=[_text(one) for one in proven.proof.hashes],
        checkpoint=text,
        cosigned_at=None if proven.cosigned_at is None else moment(proven.cosigned_at),
        proof=proven.proof.encode().decode(),
        log_key=service.log.encode(),
        witness_key=service.witness.encode() if service.witness else None,
    )


@routes.add("GET", "/v1/ledger/entries/{seq}/reason", permission=Permission.LEDGER_REASON, summary="Reason")
async def read_reason(house: TheHouse, caller: TheCaller, seq: Seq) -> ReasonSeen:
    """Open the reason of an entry; that it was opened, and by whom, is written into the ledger first."""
    return ReasonSeen(seq=seq, reason=await asyncio.to_thread(house.desk.ledger.audited_reason, seq, caller.key_id))


def _text(raw: bytes) -> str:
    """Write bytes as these formats do (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()
