"""What one half keeps of a template: A a masked row and its salt, B a seed and the commitment. Durable, by row id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from moiety.vault.generations import Generation
    from moiety.vault.policy import GalleryPolicy
    from moiety.vault.register import Rows
    from moiety.warrants.statement import Statement

SALT_BYTES = 32
SEED_BYTES = 32
COMMITMENT_BYTES = 32
# Rows that are read, hashed, sealed or expanded in one go: some MiB.
AT_ONCE = 8192


@dataclass(frozen=True, slots=True, repr=False)
class HalfRow:
    """One half of one template on its way to disk: at A `lane` is the row's bytes and `salt` is set, at B the seed."""

    row_id: bytes
    epoch: int
    commitment: bytes
    lane: bytes
    salt: bytes = b""


class Halves(Protocol):
    """What the vault needs of either half's store; both versions pass the same conformance test.

    One gallery is changed by one caller at a time; the service sees to that.
    """

    def open_half(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> HalfRow:
        """Read what the eye sealed and hold it against the statement's commitment."""
        ...

    def open_batch(self, policy: GalleryPolicy, statement: Statement, opened: bytes) -> list[HalfRow]:
        """Read what the eye sealed of a whole batch and hold it against the statement's commitment."""
        ...

    def found(self, policy: GalleryPolicy) -> Generation:
        """Make the first generation of a gallery, to be entered in the journal."""
        ...

    def prepare(self, policy: GalleryPolicy, of: Generation, rows: Sequence[HalfRow]) -> None:
        """Make the rows durable in state 'prepared': all or none."""
        ...

    def load(self, policy: GalleryPolicy, of: Generation, rows: Rows, lanes: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Fill lanes u16[n, d], which are multiplied with probes: rows at A, pads at B; says which are damaged.

        Raises:
            Fault: a whole file or key is missing.

        """
        ...

    def destroy(self, policy: GalleryPolicy, row_ids: Sequence[bytes], now: float) -> None:
        """Remove the rows for good, of every generation, and leave a tombstone for each."""
        ...

    def tidy(self, dims: Mapping[str, int]) -> None:
        """Remove whatever no generation in the journal and no row owns: what a crash has left; `dims` by gallery."""
        ...

    def recount(self, gallery: str) -> None:
        """Find out anew which slots are free: rows went without `destroy`."""
        ...

    def drop(self, of: Generation) -> None:
        """Destroy what is kept of a generation that the journal does not have any more."""
        ...

    def drop_before(self, gallery: str, epoch: int) -> None:
        """Destroy whatever is left of a gallery's epochs before this one."""
        ...
