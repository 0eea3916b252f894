"""Exit codes: the one map from errors to what a shell sees; docs/cli.md says the same, and a test checks it."""

from __future__ import annotations

from enum import IntEnum

from moiety.foundation import errors


class Exit(IntEnum):
    """What a command ended with."""

    OK = 0
    USAGE = 2
    BAD_INPUT = 3
    NOT_FOUND = 4
    ALREADY_THERE = 5
    DENIED = 6
    UNAVAILABLE = 7
    BREACHED = 8
    WAITS = 9
    FAULT = 70
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done",
    Exit.USAGE: "the command line is wrong",
    Exit.BAD_INPUT: "what was given cannot be used: not an image, no face, poor quality, an unknown setting, …",
    Exit.NOT_FOUND: "there is no such gallery, subject or photo",
    Exit.ALREADY_THERE: "it exists already",
    Exit.DENIED: "the vaults or the gate do not allow it: warrant, budget, key, rate",
    Exit.UNAVAILABLE: "a part is down, out of step, or the disk is full; nothing was changed",
    Exit.BREACHED: "a drill obtained something, or its control nothing; or a look from outside found a hole",
    Exit.WAITS: "people must sign first: the question waits, and its id is in the output",
    Exit.FAULT: "the installation is damaged or misconfigured",
    Exit.INTERRUPTED: "interrupted by the user",
}

# The first class that an error is an instance of decides.
_BY_KIND: tuple[tuple[type[Exception], Exit], ...] = (
    (errors.BadInput, Exit.BAD_INPUT),
    (errors.NotFound, Exit.NOT_FOUND),
    (errors.AlreadyThere, Exit.ALREADY_THERE),
    (errors.Unauthenticated, Exit.DENIED),
    (errors.Forbidden, Exit.DENIED),
    (errors.WarrantRefused, Exit.DENIED),
    (errors.TooMany, Exit.DENIED),
    (errors.Unavailable, Exit.UNAVAILABLE),
    (errors.Refusal, Exit.BAD_INPUT),
    (errors.Fault, Exit.FAULT),
)


def exit_of(error: errors.Refusal | errors.Fault) -> Exit:
    """Map an error to its exit code."""
    return next(code for kind, code in _BY_KIND if isinstance(error, kind))
