"""What the kernel raises; it may not import `moiety.foundation`, so callers map these at their own edge."""

from __future__ import annotations


class KernelError(ValueError):
    """The kernel was given something that it does not compute."""


class NormRule(KernelError):  # noqa: N818 - named after the rule that was broken
    """A vector's length or a threshold would let a score wrap round the ring of 2^16."""


class ShapeRule(KernelError):  # noqa: N818 - named after the rule that was broken
    """An array has the wrong dtype, shape or memory layout for this function."""
