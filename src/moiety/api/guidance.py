"""What somebody before a camera should do, told from what the eye says is wrong; a few words that pages translate."""

from typing import Final

# How the eye's sentences (`vision/quality.py`) begin, and the hint for each.
_BEGINNINGS: Final = {
    "the face is too small": "closer",
    "the face is blurred": "still",
    "the face is too dark": "light",
    "the face is too bright": "shade",
    "the face is turned": "straight",
    "the face looks too far up": "lower",
    "the face looks too far down": "higher",
    "the head leans": "upright",
    "the face is cut off": "middle",
    "the face is hard to recognise": "uncovered",
}
_ALONE: Final = "alone"
_NOBODY: Final = "nobody"
HINTS: Final = (*_BEGINNINGS.values(), _ALONE, _NOBODY)


def hints(wrong: str, reasons: list[str]) -> list[str]:
    """Say what to change: `wrong` is the refusal's slug, `reasons` are the eye's sentences about the face."""
    if wrong == "no-face":
        return [_NOBODY]
    found = [hint for reason in reasons for start, hint in _BEGINNINGS.items() if reason.startswith(start)]
    return [_ALONE, *found] if wrong == "many-faces" else found
