"""Where a part stands: its role, its keys, its peers and their addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moiety.archive.restoring import refuse_interrupted
from moiety.foundation.clock import SystemClock
from moiety.foundation.disk import SYSTEM_DISK
from moiety.watch import Counts
from moiety.wire.links import Client
from moiety.wire.network import TLS
from moiety.wire.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.cli.installation import Installation
    from moiety.foundation.clock import Clock
    from moiety.foundation.disk import Disk
    from moiety.wire.cards import Peers
    from moiety.wire.identity import Identity
    from moiety.wire.kinds import Role
    from moiety.wire.network import Network


@dataclass(frozen=True, slots=True)
class Place:
    """One role of an installation, with the addresses of the parts that it talks to."""

    installation: Installation
    role: Role
    identity: Identity
    peers: Peers
    addresses: Mapping[Role, tuple[str, int]]
    clock: Clock
    disk: Disk = SYSTEM_DISK
    network: Network = TLS
    counts: Counts = field(default_factory=Counts)

    def client(self, role: Role) -> Client:
        """Make a line to another part."""
        return Client(self.identity, self.peers, role, *self.addresses[role], self.network)

    def streams(self, role: Role) -> Streams | None:
        """Make ready for streams to another part; a network that is made up has none."""
        return Streams(self.identity, self.peers, role, *self.addresses[role]) if self.network is TLS else None

    def public(self, role: Role) -> bytes:
        """Give another part's raw signing key."""
        return bytes.fromhex(self.peers[role].signing)

    def sealing(self, role: Role) -> bytes:
        """Give another part's raw sealing key."""
        return bytes.fromhex(self.peers[role].sealing)


def place(installation: Installation, role: Role, addresses: Mapping[Role, tuple[str, int]]) -> Place:
    """Load a role's keys and peers.

    Raises:
        Fault: a restore of the part was interrupted, or a file of its is damaged.

    """
    refuse_interrupted(installation.data, role)
    clock = SystemClock()
    return Place(installation, role, installation.identity(role, clock), installation.peers(role), addresses, clock)
