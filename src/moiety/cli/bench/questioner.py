"""Asks the vaults of a scratch installation, with its gate's and its eye's keys: true warrants, true sealed probes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from moiety.cli import places
from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import OutOfStep
from moiety.vault.policy import EPOCH_FIRST, ERASURES_ALONE_PER_DAY, GalleryPolicy, Needs
from moiety.warrants import statement as statements
from moiety.warrants.statement import Made, Pad, Statement, commit_probe
from moiety.warrants.targets import of_policy, sealing_bound
from moiety.warrants.warrant import NOTHING, Act, Warrant, sign_as_service
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from moiety.cli.installation import Installation

MODEL, ROTATION = bytes(32), bytes(range(32))
NO_PICTURE, NO_BOX = bytes(32), (0, 0, 1, 1)
PROBES_PER_HOUR = 100_000
VALID_SECONDS = 600
VAULTS = {"a": Role.VAULT_A, "b": Role.VAULT_B}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it goes to each vault, ready to be sent."""

    gallery: str
    to: dict[str, list[bytes]]


class Questioner:
    """A gate of its own, in this process."""

    def __init__(self, made: Installation, addresses: Mapping[Role, tuple[str, int]]) -> None:
        """Prepare lines to both vaults."""
        self._at = places.place(made, Role.GATE, addresses)
        self._eye = made.identity(Role.EYE).signing
        self._lines = {half: self._at.client(role) for half, role in VAULTS.items()}

    async def close(self) -> None:
        """End the lines."""
        for line in self._lines.values():
            await line.close()

    def _policy(self, gallery: str, dim: int, threshold: int) -> GalleryPolicy:
        return GalleryPolicy(
            tenant=self._at.installation.tenant,
            gallery=gallery,
            version=1,
            purpose="benchmark",
            model=MODEL,
            rotation=ROTATION,
            dim=dim,
            thresholds=(threshold,),
            asks=Needs.SERVICE,
            enrols=Needs.SERVICE,
            erases=Needs.SERVICE,
            reveals=Needs.SERVICE,
            erasures_alone_per_day=ERASURES_ALONE_PER_DAY,
            probes_per_hour=PROBES_PER_HOUR,
            templates_per_hour=1,
            erasures_per_hour=1,
            reveals_per_hour=1,
        )

    def _warrant(self, act: Act, gallery: str, statement: bytes, target: bytes, nonce: bytes) -> bytes:
        """Make a warrant and sign it as the gate."""
        now = int(self._at.clock.now())
        warrant = Warrant(
            act,
            self._at.installation.tenant,
            gallery,
            1,
            "benchmark",
            "",
            NO_PICTURE,
            NO_BOX,
            statement,
            target,
            now,
            now + VALID_SECONDS,
            nonce,
        )
        return sign_as_service(warrant, self._at.identity.signing).encode()

    async def open(self, gallery: str, dim: int, threshold: int) -> None:
        """Open a gallery at both vaults, as a gate does."""
        policy = self._policy(gallery, dim, threshold).encode()
        warrant = self._warrant(Act.POLICY, gallery, NOTHING, of_policy(policy), os.urandom(32))
        for line in self._lines.values():
            await line.call(Kind.POLICY_SET, {"gallery": gallery}, [warrant, policy])

    def question(self, gallery: str, probes: NDArray[np.int8]) -> Asked:
        """Make, seal and sign a question about probes i8[q, d]; it can be asked once."""
        to: dict[str, list[bytes]] = {half: [] for half in VAULTS}
        for probe in probes:
            nonce, salt, raw = os.urandom(32), os.urandom(32), probe.tobytes()
            said = Statement(
                Made.PROBE,
                self._at.installation.tenant,
                gallery,
                NO_PICTURE,
                NO_BOX,
                MODEL,
                ROTATION,
                Pad.UNKNOWN,
                b"",
                EPOCH_FIRST,
                commit_probe(nonce, salt, raw),
                nonce,
                int(self._at.clock.now()),
            )
            warrant = self._warrant(Act.SEARCH, gallery, said.digest(), NOTHING, nonce)
            for half, role in VAULTS.items():
                sealed = seal_to(self._at.sealing(role), salt + raw, sealing_bound(half, nonce))
                to[half] += [warrant, said.encode(), statements.sign(said, self._eye), sealed]
        return Asked(gallery, to)

    async def ask(self, asked: Asked) -> NDArray[np.uint64]:
        """Ask both vaults and join their shares: u64[q, blocks], bit r % 64 of word r // 64 is row r.

        Raises:
            OutOfStep: the vaults have other rows, or these in another order.

        """
        about = {"request": os.urandom(16).hex(), "gallery": asked.gallery}
        calls = (line.call(Kind.SEARCH, about, asked.to[half], 600.0) for half, line in self._lines.items())
        a, b = await asyncio.gather(*calls)
        if a.meta != b.meta:
            raise OutOfStep
        shares = (np.frombuffer(answer.buffers[0], np.uint64) for answer in (a, b))
        return np.bitwise_xor(*shares).reshape(len(asked.to["a"]) // 4, -1)
