"""From sealed probes to the planes of a sign test: what is checked, multiplied and agreed on before round 1."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moiety.foundation.envelopes import pack, unseal_from
from moiety.foundation.errors import BadInput, OutOfStep, Unverified
from moiety.kernel import NormRule, check_probe, ring_planes, to_ring, words_for
from moiety.vault.comparison import WORD_BITS
from moiety.vault.guard import Charge
from moiety.warrants import targets
from moiety.warrants.statement import Made, commit_probe
from moiety.warrants.warrant import Act, SignedWarrant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from numpy.typing import NDArray

    from moiety.kernel import Party
    from moiety.vault.cabinet import Cabinet
    from moiety.vault.comparison import Span
    from moiety.vault.guard import Guard
    from moiety.vault.policy import GalleryPolicy
    from moiety.wire.frames import Buffer

PROBES_MAX = 256
BLOCKS_MAX = 64
SALT_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class SealedFace:
    """One face as it comes from the gate: a signed warrant, the eye's statement and signature, what is sealed to us."""

    signed: SignedWarrant
    statement: bytes
    signature: bytes
    sealed: bytes

    @classmethod
    def read(cls, buffers: Sequence[Buffer]) -> list[SealedFace]:
        """Read four buffers a face.

        Raises:
            BadInput: the number of buffers is not a multiple of four.

        """
        raw = [bytes(buffer) for buffer in buffers]
        if not raw or len(raw) % 4:
            raise BadInput("A face needs four buffers.")
        return [cls(SignedWarrant.decode(raw[i]), *raw[i + 1 : i + 4]) for i in range(0, len(raw), 4)]


@dataclass(slots=True, repr=False)
class Question:
    """What both vaults must agree on, and how this vault's planes are made, chunk by chunk; of one epoch's halves.

    There are `lines` lines of comparisons and `blocks` blocks of 64 rows; `make(low, high, out)` fills the planes
    u64[16, (high - low) * lines] of a run of blocks. It may be called by several threads.
    """

    agreed: bytes
    order: bytes
    rows: int
    epoch: int
    lines: int
    blocks: int
    make: Callable[[int, int, NDArray[np.uint64]], object]
    asked_at: Callable[[int], Question]

    def planes(self, span: Span, out: NDArray[np.uint64]) -> None:
        """Fill `out` u64[16, words] with the bit-planes of a chunk, block by block and line by line."""
        self.make(span.low, span.high, out)

    def again(self, epoch: int) -> Question:
        """Ask the same of another epoch's halves.

        Raises:
            OutOfStep: this vault does not hold them.

        """
        return self.asked_at(epoch)

    def digest(self, sid: bytes) -> bytes:
        """Bind the question to one sid."""
        return hashlib.sha256(pack("moiety/exchange/1", self.agreed, sid)).digest()


@dataclass(frozen=True, slots=True, repr=False)
class _Lines:
    """Lines of comparisons, each a probe against a threshold, and what names the rows they are compared with."""

    sort: str
    thresholds: list[int]
    blocks: int
    make: Callable[[int, int, NDArray[np.uint64]], object]
    positions: bytes = b""


@dataclass(slots=True, repr=False)
class Asked:
    """Probes that were checked and paid for; kept for a moment so that the bands can be asked."""

    gallery: str
    warrants: bytes
    probes: NDArray[np.int8]
    bands_used: bool = field(default=False)


class Questions:
    """Opens questions at one vault."""

    def __init__(self, party: Party, half: str, cabinet: Cabinet, guard: Guard, sealing: X25519PrivateKey) -> None:
        """Answer for `half` ('a' or 'b') with its sealing key."""
        self._party = party
        self._half = half
        self._cabinet = cabinet
        self._guard = guard
        self._sealing = sealing

    def admit(self, gallery: str, faces: Sequence[SealedFace], blocks: Sequence[int] | None) -> Asked:
        """Check every warrant, statement and probe, then use up nonces and budget.

        `blocks` is None for a search of all rows, else the blocks of 64 positions of a verification.

        Raises:
            Unverified: any check fails; nothing was used up.

        """
        policy = self._cabinet.policy(gallery)
        if len(faces) > PROBES_MAX:
            raise BadInput(f"At most {PROBES_MAX} probes can be asked at once.")
        act = Act.SEARCH if blocks is None else Act.VERIFY
        signers = self._guard.signers([face.signed for face in faces], act, policy)
        if blocks is not None and any(face.signed.warrant.target != targets.of_blocks(blocks) for face in faces):
            raise Unverified("The warrant is for other blocks.")
        probes = np.stack([self._open(policy, face) for face in faces])
        warrants = [face.signed.warrant for face in faces]
        self._guard.spend(warrants, signers, Charge("probes", len(faces), policy.probes_per_hour))
        return Asked(gallery, b"".join(warrant.digest() for warrant in warrants), probes)

    def _open(self, policy: GalleryPolicy, face: SealedFace) -> NDArray[np.int8]:
        """Open one sealed probe and hold it against the eye's commitment and the norm rule."""
        warrant = face.signed.warrant
        statement = self._guard.statement(warrant, face.statement, face.signature, Made.PROBE, policy)
        # The statement's epoch does not matter: a probe has no halves, and fits those of every epoch.
        opened = unseal_from(self._sealing, face.sealed, targets.sealing_bound(self._half, warrant.nonce))
        salt, raw = opened[:SALT_BYTES], opened[SALT_BYTES:]
        if len(raw) != policy.dim or commit_probe(warrant.nonce, salt, raw) != statement.commitment:
            raise Unverified("The sealed probe is not the one that the eye committed to.")
        probe = np.frombuffer(raw, np.int8)
        try:
            check_probe(probe)
        except NormRule:
            raise Unverified("The probe breaks the norm rule.") from None
        return probe

    def scan(self, asked: Asked, epoch: int | None = None) -> Question:
        """Compare every probe with every row at the lowest threshold: one line of comparisons per probe.

        As with `look` and `bands`, `epoch` picks the halves; None takes the epoch in force.
        """
        epoch = self._epoch(asked, epoch)
        lanes = self._cabinet.shelf(asked.gallery, epoch).lanes
        thresholds = [self._cabinet.policy(asked.gallery).thresholds[0]] * len(asked.probes)
        probes, less = to_ring(asked.probes), self._less(thresholds)

        def make(low: int, high: int, out: NDArray[np.uint64]) -> None:
            ring_planes(lanes[low * WORD_BITS : high * WORD_BITS], probes, less, out)

        lines = _Lines("scan", thresholds, words_for(len(lanes)), make)
        return self._question(asked, epoch, lines, lambda other: self.scan(asked, other))

    def look(self, asked: Asked, blocks: Sequence[int], epoch: int | None = None) -> Question:
        """Compare each probe with the rows of `blocks` at every threshold: a line per probe and threshold."""
        epoch = self._epoch(asked, epoch)
        shelf = self._cabinet.shelf(asked.gallery, epoch)
        if len(blocks) > BLOCKS_MAX or any(not 0 <= block * WORD_BITS < len(shelf) for block in blocks):
            raise OutOfStep("The blocks are not those of this gallery.")
        positions = [p for block in blocks for p in range(block * WORD_BITS, min((block + 1) * WORD_BITS, len(shelf)))]
        picked = np.ascontiguousarray(shelf.lanes[positions])
        known = self._cabinet.policy(asked.gallery).thresholds
        thresholds = list(known) * len(asked.probes)
        probes, less = to_ring(np.repeat(asked.probes, len(known), axis=0)), self._less(thresholds)

        def make(low: int, high: int, out: NDArray[np.uint64]) -> None:
            ring_planes(picked[low * WORD_BITS : high * WORD_BITS], probes, less, out)

        lines = _Lines("look", thresholds, words_for(len(picked)), make, pack(*blocks))
        return self._question(asked, epoch, lines, lambda other: self.look(asked, blocks, other))

    def bands(self, asked: Asked, picks: Sequence[tuple[int, Sequence[int]]]) -> Question:
        """Compare picked probes at the higher thresholds with 64 positions each: hits and decoys, chosen by the gate.

        Raises:
            Unverified: the bands were asked before; one nonce covers them once.

        """
        if asked.bands_used:
            raise Unverified("The bands of this search were asked before.")
        asked.bands_used = True
        return self._bands(asked, picks, None)

    def _bands(self, asked: Asked, picks: Sequence[tuple[int, Sequence[int]]], epoch: int | None) -> Question:
        """Compare the picks with the halves of an epoch: one block, each pick with rows of its own."""
        epoch = self._epoch(asked, epoch)
        shelf = self._cabinet.shelf(asked.gallery, epoch)
        higher = list(self._cabinet.policy(asked.gallery).thresholds[1:])
        if not higher or not picks or len({probe for probe, _ in picks}) != len(picks):
            raise BadInput("Bands are asked for once per probe, where the gallery has several.")
        for probe, positions in picks:
            known = 0 <= probe < len(asked.probes) and all(0 <= position < len(shelf) for position in positions)
            if not known or not 0 < len(positions) <= WORD_BITS:
                raise BadInput("Bands are asked for at most 64 positions of a probe that was searched.")
        picked = [np.ascontiguousarray(shelf.lanes[list(positions)]) for _, positions in picks]
        probes = [to_ring(np.repeat(asked.probes[probe : probe + 1], len(higher), axis=0)) for probe, _ in picks]
        less = self._less(higher)

        def make(_low: int, _high: int, out: NDArray[np.uint64]) -> None:
            for i, (rows, probe) in enumerate(zip(picked, probes, strict=True)):
                out[:, i * len(higher) : (i + 1) * len(higher)] = ring_planes(rows, probe, less)

        bound = pack(*(pack(probe, *positions) for probe, positions in picks))
        lines = _Lines("bands", higher * len(picks), 1, make, bound)
        return self._question(asked, epoch, lines, lambda other: self._bands(asked, picks, other))

    def _less(self, thresholds: Sequence[int]) -> NDArray[np.uint16]:
        """Give what this vault takes off its partial scores: A the thresholds, B nothing."""
        return np.array(thresholds if self._party == "A" else [0] * len(thresholds), np.uint16)

    def _epoch(self, asked: Asked, epoch: int | None) -> int:
        """Give the epoch to ask of: the one in force unless another is named."""
        return self._cabinet.epoch(asked.gallery) if epoch is None else epoch

    def _question(self, asked: Asked, epoch: int, lines: _Lines, asked_at: Callable[[int], Question]) -> Question:
        """Put together what must be the same at both vaults (protocol, "Before round 1")."""
        policy = self._cabinet.policy(asked.gallery)
        shelf = self._cabinet.shelf(asked.gallery, epoch)
        agreed = pack(
            lines.sort,
            asked.warrants,
            asked.probes.tobytes(),
            pack(*lines.thresholds),
            policy.version,
            epoch,
            shelf.order_digest(),
            len(shelf),
            lines.positions,
        )
        return Question(
            agreed=agreed,
            order=shelf.order_digest(),
            rows=len(shelf),
            epoch=epoch,
            lines=len(lines.thresholds),
            blocks=lines.blocks,
            make=lines.make,
            asked_at=asked_at,
        )
