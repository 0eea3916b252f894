"""Fingerprints as words that can be read over a phone: proquints (D. Wilkerson, 2009, arXiv 0901.4016).

Sixteen bits become five letters, consonants and vowels in turn: `lusab` is 0x7F00. Six words are 96 bits: who wants to
pass off a card of his own under the words of another has to find a second key with the same 96 bits.
"""

from __future__ import annotations

import hmac

_CONSONANTS = "bdfghjklmnprstvz"
_VOWELS = "aiou"
WORDS = 6


def proquints(raw: bytes) -> str:
    """Write bytes (an even number) as words joined by hyphens."""
    numbers = (int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2))
    return "-".join(
        _CONSONANTS[n >> 12]
        + _VOWELS[n >> 10 & 3]
        + _CONSONANTS[n >> 6 & 15]
        + _VOWELS[n >> 4 & 3]
        + _CONSONANTS[n & 15]
        for n in numbers
    )


def spoken(fingerprint: str) -> str:
    """Give the words of a fingerprint (SHA-256 in hex): its first 96 bits."""
    return proquints(bytes.fromhex(fingerprint)[: 2 * WORDS])


def same(heard: str, fingerprint: str) -> bool:
    """Say whether words that somebody read out are those of a fingerprint; case, spaces and hyphens do not count."""
    plain = "".join(letter for letter in heard.casefold() if letter.isalnum())
    return hmac.compare_digest(plain.encode(), spoken(fingerprint).replace("-", "").encode())
