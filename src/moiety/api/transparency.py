"""The ledger for those who check it: checkpoint, tiles, proofs, reasons.

`/v1/ledger` is the prefix of c2sp.org/tlog-tiles.
"""

import asyncio
import base64
from typing import Annotated

from fastapi import Path
from fastapi.responses import PlainTextResponse
from starlette.responses import Response

from moiety.access import Permission
from moiety.api.journal import SEQ_MAX, standing_seen
from moiety.api.ledger_shapes import CheckpointSeen, ProofSeen, ReasonSeen
from moiety.api.routes import Routes
from moiety.api.schemas import moment
from moiety.api.visits import TheCaller, TheHouse
from moiety.ledger import leaf_bytes
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
    service = house.checkpointing
    proven = await asyncio.to_thread(service.prove, seq)
    text = proven.proof.note.encode().decode()
    return ProofSeen(
        seq=seq,
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
