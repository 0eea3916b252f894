"""From an embedding to sealed halves: rotate, quantise, split, seal, sign. Nothing is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import ModelMismatch, NormOutOfRange
from moiety.foundation.ids import ROW_ID_BYTES, new_row_id
from moiety.kernel import NormRule, check_probe, quantise, split, split_many
from moiety.warrants import targets
from moiety.warrants.batch import commit_batch, commit_rows, pictures_of_batch, row_nonces
from moiety.warrants.records import NO_BOX
from moiety.warrants.statement import Made, Pad, Statement, commit_probe, commit_row, row_label, sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from numpy.typing import NDArray

    from moiety.eye.rotations import Rotations
    from moiety.foundation.clock import Clock
    from moiety.warrants.records import Box

SALT_BYTES = 32
SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """For which gallery, model and epoch halves are made; `rotation` and `model` are 32-byte ids."""

    tenant: str
    gallery: str
    rotation: bytes
    model: bytes
    epoch: int

    @classmethod
    def read(cls, meta: Mapping[str, Any], model: bytes) -> Setting:
        """Read what the gate says; `model` is the SHA-256 of the eye's embedder.

        Raises:
            ModelMismatch: the gallery was made with another model than this eye has.

        """
        setting = cls(
            str(meta["tenant"]),
            str(meta["gallery"]),
            bytes.fromhex(meta["rotation"]),
            bytes.fromhex(meta["model"]),
            int(meta["epoch"]),
        )
        if setting.model != model:
            raise ModelMismatch
        return setting


@dataclass(frozen=True, slots=True)
class Sighting:
    """Which face of which picture, for which nonce."""

    image_sha256: bytes
    box: Box
    pad: Pad
    nonce: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """A signed statement and what is sealed to A and to B; of a batch `row_id` holds all ids, joined."""

    statement: bytes
    signature: bytes
    to_a: bytes
    to_b: bytes
    row_id: bytes = b""


class Halver:
    """Makes halves under the eye's signing key."""

    def __init__(
        self, rotations: Rotations, signing: Ed25519PrivateKey, vaults: tuple[bytes, bytes], clock: Clock
    ) -> None:
        """Seal to the raw X25519 public keys of vaults A and B."""
        self._rotations = rotations
        self._signing = signing
        self._to = dict(zip("ab", vaults, strict=True))
        self._clock = clock

    def measure(self, setting: Setting, embedding: NDArray[np.float32]) -> NDArray[np.int8]:
        """Rotate and round f32[d] to i8[d].

        Raises:
            NormOutOfRange: no rounding keeps the norm rule.

        """
        try:
            measured = quantise(self._rotations.matrix(setting.rotation, len(embedding)) @ embedding)
            check_probe(measured)
        except NormRule:
            raise NormOutOfRange from None
        return measured

    def probe(self, setting: Setting, sighting: Sighting, embedding: NDArray[np.float32]) -> Sealed:
        """Seal salt ‖ q to both vaults; the statement commits to it."""
        raw = self.measure(setting, embedding).tobytes()
        salt = os.urandom(SALT_BYTES)
        commitment = commit_probe(sighting.nonce, salt, raw)
        return self._signed(setting, sighting, Made.PROBE, b"", commitment, (salt + raw, salt + raw))

    def template(self, setting: Setting, sighting: Sighting, embedding: NDArray[np.float32]) -> Sealed:
        """Split with a fresh seed; seal (salt, row) to A and (seed, c) to B under a fresh row id."""
        measured = self.measure(setting, embedding)
        row_id, seed, salt = bytes(new_row_id()), os.urandom(SEED_BYTES), os.urandom(SALT_BYTES)
        at = (setting.tenant, setting.gallery, row_id, setting.epoch)
        row = split(measured, seed, row_label(*at)).tobytes()
        commitment = commit_row(*at, salt, row)
        return self._signed(setting, sighting, Made.TEMPLATE, row_id, commitment, (salt + row, seed + commitment))

    def templates(
        self, setting: Setting, pictures: Sequence[bytes], nonce: bytes, embeddings: NDArray[np.float32]
    ) -> Sealed:
        """Do as `template` for a batch of f32[n, d] under one statement; `pictures` are the SHA-256 of their pictures.

        Raises:
            NormOutOfRange: no rounding of one of them keeps the norm rule.

        """
        count, dim = embeddings.shape
        turned = embeddings @ self._rotations.matrix(setting.rotation, dim).T
        try:
            measured = np.stack([quantise(one) for one in turned])
        except NormRule:
            raise NormOutOfRange from None
        drawn = np.frombuffer(os.urandom(count * (ROW_ID_BYTES + SEED_BYTES + SALT_BYTES)), np.uint8)
        ids, seeds, salts = np.split(drawn.reshape(count, -1), [ROW_ID_BYTES, ROW_ID_BYTES + SEED_BYTES], axis=1)
        at = (setting.tenant, setting.gallery, setting.epoch)
        rows = split_many(measured, np.ascontiguousarray(seeds), row_nonces(at, ids))
        told = np.frombuffer(b"".join(commit_rows(at, ids, salts, rows)), np.uint8).reshape(count, -1)
        halves = ((ids, salts, rows.view(np.uint8)), (ids, seeds, told))
        to_a, to_b = (np.concatenate(columns, axis=1).tobytes() for columns in halves)
        commitment = commit_batch(ids.tobytes(), told.tobytes())
        sighting = Sighting(pictures_of_batch(b"".join(pictures)), NO_BOX, Pad.UNKNOWN, nonce)
        sealed = self._signed(setting, sighting, Made.TEMPLATES, b"", commitment, (to_a, to_b))
        return replace(sealed, row_id=ids.tobytes())

    def _signed(
        self,
        setting: Setting,
        sighting: Sighting,
        made: Made,
        row_id: bytes,
        commitment: bytes,
        halves: tuple[bytes, bytes],
    ) -> Sealed:
        """Sign what was made and seal the halves."""
        statement = Statement(
            made=made,
            tenant=setting.tenant,
            gallery=setting.gallery,
            image_sha256=sighting.image_sha256,
            box=sighting.box,
            model=setting.model,
            rotation=setting.rotation,
            pad=sighting.pad,
            row=row_id,
            epoch=setting.epoch,
            commitment=commitment,
            nonce=sighting.nonce,
            issued=int(self._clock.now()),
        )
        to_a, to_b = (
            seal_to(self._to[half], content, targets.sealing_bound(half, sighting.nonce))
            for half, content in zip("ab", halves, strict=True)
        )
        return Sealed(statement.encode(), sign(statement, self._signing), to_a, to_b, row_id)
