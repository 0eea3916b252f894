"""What somebody could ask the vaults who has the gate's key and the eye's: any probe, any statement, any warrant."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moiety.foundation.envelopes import seal_to
from moiety.vault.policy import EPOCH_FIRST
from moiety.warrants import statement as statements
from moiety.warrants.statement import Made, Pad, Statement, commit_probe
from moiety.warrants.targets import sealing_bound
from moiety.warrants.warrant import NOTHING, Act, SignedWarrant, Warrant, sign_as_service
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from numpy.typing import NDArray

    from moiety.cli.places import Place
    from moiety.matching.links import Links
    from moiety.storage import Gallery


@dataclass(slots=True)
class Face:
    """One face of a question, in parts that may be exchanged before it is put together."""

    warrant: Warrant
    statement: Statement
    salt: bytes
    probe: bytes
    signed: SignedWarrant | None = None


class Forger:
    """Makes questions about one gallery."""

    def __init__(self, gate: Place, eye: Ed25519PrivateKey, links: Links, gallery: Gallery) -> None:
        """Sign with the gate's own key and with `eye`, and ask over the gate's `links`."""
        self._at, self._links, self._gallery = gate, links, gallery
        self.service: Ed25519PrivateKey = gate.identity.signing
        self.eye = eye
        self._vaults = {"a": gate.sealing(Role.VAULT_A), "b": gate.sealing(Role.VAULT_B)}

    def face(self, probe: NDArray[np.int8], nonce: bytes | None = None, **statement: Any) -> Face:
        """Make a good face about a probe, whatever it is; `statement` replaces what the eye would say."""
        nonce, salt, raw = nonce or os.urandom(32), os.urandom(32), probe.tobytes()
        gallery, now = self._gallery, int(self._at.clock.now())
        said = Statement(
            Made.PROBE,
            self._at.installation.tenant,
            gallery.id,
            bytes(32),
            (1, 2, 3, 4),
            bytes.fromhex(gallery.model_sha256),
            bytes.fromhex(gallery.rotation_id),
            Pad.UNKNOWN,
            b"",
            EPOCH_FIRST,
            commit_probe(nonce, salt, raw),
            nonce,
            now,
        )
        said = replace(said, **statement)
        warrant = Warrant(
            Act.SEARCH,
            said.tenant,
            gallery.id,
            gallery.policy_version,
            gallery.purpose,
            "",
            bytes(32),
            (1, 2, 3, 4),
            said.digest(),
            NOTHING,
            now,
            now + 60,
            nonce,
        )
        return Face(warrant, said, salt, raw)

    def buffers(self, face: Face, half: str, eye: Ed25519PrivateKey | None = None, bound: bytes = b"") -> list[bytes]:
        """Sign as the gate, where nobody has signed, and seal a face for one vault."""
        sealed = seal_to(self._vaults[half], face.salt + face.probe, bound or sealing_bound(half, face.statement.nonce))
        return [
            (face.signed or sign_as_service(face.warrant, self.service)).encode(),
            face.statement.encode(),
            statements.sign(face.statement, eye or self.eye),
            sealed,
        ]

    async def ask(self, to_a: Sequence[Face], to_b: Sequence[Face], **meta: Any) -> tuple[Answer, Answer]:
        """Ask both vaults under one request, not necessarily about the same.

        Raises:
            Refusal: what one of them refused with.

        """
        from_a, from_b = await self.each(to_a, to_b, meta, meta)
        if isinstance(from_a, Answer) and isinstance(from_b, Answer):
            return from_a, from_b
        raise next(one for one in (from_a, from_b) if isinstance(one, BaseException))

    async def each(
        self,
        to_a: Sequence[Face],
        to_b: Sequence[Face],
        meta_a: dict[str, Any] | None = None,
        meta_b: dict[str, Any] | None = None,
    ) -> tuple[Answer | BaseException, Answer | BaseException]:
        """Ask both, and say for each what came of it."""
        about = {"request": os.urandom(16).hex(), "gallery": self._gallery.id}
        raw = [
            [buffer for face in faces for buffer in self.buffers(face, half)]
            for half, faces in (("a", to_a), ("b", to_b))
        ]
        return await asyncio.gather(
            self._links.a.call(Kind.SEARCH, about | (meta_a or {}), raw[0]),
            self._links.b.call(Kind.SEARCH, about | (meta_b or {}), raw[1]),
            return_exceptions=True,
        )
