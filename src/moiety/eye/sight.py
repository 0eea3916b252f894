"""What the eye needs of vision, as a port: the program that wires the processes plugs the real one in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class Quality(Protocol):
    """How good a face is for comparison."""

    @property
    def enrollable(self) -> bool:
        """Whether it is good enough to enrol."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong with it, in words."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Numbers and words for people."""
        ...


class SeenFace(Protocol):
    """One measured face."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height in pixels of the upright picture."""
        ...

    @property
    def off_middle(self) -> float:
        """How far its middle is from the picture's; 1 is half the shorter side."""
        ...

    @property
    def quality(self) -> Quality:
        """How good it is."""
        ...

    @property
    def liveness(self) -> float | None:
        """Advice from 0 (attack) to 1 (live), or None when it was not looked at."""
        ...

    @property
    def embedding(self) -> NDArray[np.float32]:
        """f32[d] of unit length."""
        ...


class Sight(Protocol):
    """Vision: encoded picture in, faces out, biggest first."""

    def faces(self, image: bytes) -> Sequence[SeenFace]:
        """Find and measure all faces.

        Raises:
            BadInput: the bytes are no picture that can be read.

        """
        ...
