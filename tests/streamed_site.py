"""A site whose every question is large: questions of a batch, and messages altered on their way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from forged_faces import Forger, probe
from moiety.foundation.errors import ExchangeAborted
from moiety.mint.dealer import Dealer
from moiety.vault import comparison, exchange
from moiety.wire.frames import Frame
from moiety.wire.kinds import Kind, Role
from moiety.wire.streams import StreamLink
from parts_in_process import InProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    import pytest

    from moiety.storage import Gallery

ABORTED = [ExchangeAborted, ExchangeAborted]
BATCH = 6


def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every question go over streams, in chunks of a batch."""
    monkeypatch.setattr(exchange, "LARGE_WORDS", 0)
    monkeypatch.setattr(comparison, "CHUNK_WORDS", BATCH)
    monkeypatch.setattr(comparison, "SMALL_WORDS", 0)


@asynccontextmanager
async def without_stock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    """Run a site whose mint deals nothing ahead."""
    large(monkeypatch)
    monkeypatch.setenv("MOIETY_MINT_STOCK_MB", "0")
    async with InProcess(folder) as made:
        yield made


async def ask(site: InProcess, gallery: Gallery) -> list[type]:
    """Ask about a batch of probes; gives what came of it at both."""
    forger = Forger(site, gallery)
    faces = [forger.face(probe(seed)) for seed in range(BATCH)]
    return [type(one) for one in await forger.each(faces, faces)]


def dealer_of(site: InProcess) -> Dealer:
    found = getattr(site.servers[Role.MINT]._handlers[Kind.DEAL], "__self__", None)
    assert isinstance(found, Dealer)
    return found


def altering(monkeypatch: pytest.MonkeyPatch, number: int, sort: int, alter: Callable[[bytes], bytes]) -> None:
    """Alter what A (sort 0) or B (sort 1) sends in one round."""
    real = StreamLink.send

    def send(self: StreamLink, frame: Frame) -> None:
        if frame.kind is Kind.ROUND and (frame.id, frame.sort) == (number, sort):
            frame = Frame(frame.kind, frame.sort, frame.id, frame.meta, [alter(bytes(b)) for b in frame.buffers])
        real(self, frame)

    monkeypatch.setattr(StreamLink, "send", send)


def flip(raw: bytes) -> bytes:
    return bytes([raw[0] ^ 1]) + raw[1:]
