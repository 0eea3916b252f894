"""The witness from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.cli.wired import Wired
from moiety.tlog.names import log_key, witness_key
from moiety.wire.kinds import Role
from moiety.witness.cosigner import Cosigner
from moiety.witness.heads import Heads
from moiety.witness.service import Witness
from moiety.witness.tombstones import Tombstones

if TYPE_CHECKING:
    from moiety.cli.places import Place


def wire(at: Place) -> Wired:
    """Wire the witness."""
    folder, tenant = at.installation.folder(Role.WITNESS), at.installation.tenant
    tombstones = Tombstones(folder / "tombstones.sqlite", at.clock, at.disk)
    cosigner = None
    if Role.GATE in at.peers:
        key = at.identity.signing
        name = witness_key(tenant, key.public_key().public_bytes_raw()).name
        heads = Heads(folder / "checkpoints.sqlite", at.disk)
        cosigner = Cosigner(heads, log_key(tenant, at.public(Role.GATE)), name, key, at.clock)
    service = Witness(tombstones, cosigner)
    return Wired(service.handlers(), service.words(), service.more)
