"""Tombstones on their way to a restored part: from the witness, from the other vault, or from a file.

A tombstone is 16 bytes: the id of a row that was erased, or at B and the gate the handle of a personal key that was.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from moiety.archive.restoring import TOMBSTONES
from moiety.foundation.errors import BadInput, Fault, PartDown, Refusal
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moiety.cli.places import Place
    from moiety.wire.links import Client

    Buried = dict[str, set[bytes]]

WAIT_SECONDS = 30.0
PAUSE_SECONDS = 0.5


def cut(joined: bytes) -> set[bytes]:
    """Take joined tombstones apart."""
    return {joined[at : at + ROW_ID_BYTES] for at in range(0, len(joined), ROW_ID_BYTES)}


def encode(tenant: str, buried: Buried) -> bytes:
    """Write what `moiety witness tombstones` gives."""
    told = {gallery: sorted(one.hex() for one in ids) for gallery, ids in sorted(buried.items())}
    return json.dumps({"tenant": tenant, "tombstones": told}).encode()


def decode(raw: bytes, tenant: str) -> Buried:
    """Read what `encode` wrote.

    Raises:
        BadInput: it is no list of tombstones, or another installation's.

    """
    try:
        told = json.loads(raw)
        if told["tenant"] != tenant:
            raise BadInput("These tombstones are of another installation.")
        found = {str(gallery): {bytes.fromhex(one) for one in ids} for gallery, ids in told["tombstones"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadInput("This is no file that `moiety witness tombstones` wrote.") from None
    if any(len(one) != ROW_ID_BYTES for ids in found.values() for one in ids):
        raise BadInput("A tombstone has 16 bytes.")
    return found


async def obtain(at: Place, galleries: Iterable[str]) -> Buried:
    """Get the tombstones of galleries for a restored part: from its file, else from the witness.

    Raises:
        Fault: the witness does not answer and there is no file; the part must not serve.

    """
    galleries = list(galleries)
    offline = at.installation.folder(at.role) / TOMBSTONES
    if offline.exists():
        return decode(offline.read_bytes(), at.installation.tenant)
    if Role.WITNESS not in at.addresses:
        raise _silent(at, "its address is not known here")
    line = at.client(Role.WITNESS)
    try:
        return await _from_witness(line, galleries)
    except Refusal as refusal:
        raise _silent(at, str(refusal)) from None
    finally:
        await line.close()


def _silent(at: Place, why: str) -> Fault:
    """Say why a restored part does not serve, and what to do."""
    return Fault(
        f"{at.role} was restored from a backup and serves only once it knows who was erased since; the witness does "
        f"not say ({why}). Start it, or restore with --tombstones FILE (moiety witness tombstones)."
    )


async def _from_witness(line: Client, galleries: list[str]) -> Buried:
    """Ask gallery by gallery; a witness that starts at the same time is waited for."""
    await until_there(line)
    found: Buried = {}
    for gallery in galleries:
        found[gallery], after = set(), 0
        while after is not None:
            answer = await line.call(Kind.BURIED, {"gallery": gallery, "after": after})
            found[gallery] |= cut(b"".join(bytes(buffer) for buffer in answer.buffers))
            after = answer.meta["next"]
    return found


async def until_there(line: Client) -> None:
    """Wait for a part that is being started.

    Raises:
        PartDown: it did not come.

    """
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_SECONDS
    while True:
        try:
            await line.call(Kind.PING, {}, (), PAUSE_SECONDS * 4)
        except PartDown:
            if loop.time() > end:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
