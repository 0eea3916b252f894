"""Closed sets of words: who owns a set declares it when its module is loaded, before anybody asks anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moiety.foundation import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = "ok"

_SETS: dict[str, set[str]] = {"slug": {*errors.slugs(), OK}}


def declare(key: str, words: Iterable[str]) -> None:
    """Add words that may stand under `key`; only constants of the program belong here."""
    _SETS.setdefault(key, set()).update(map(str, words))


def known(key: str, word: object) -> bool:
    """Say whether `word` is one of those declared for `key`."""
    return isinstance(word, str) and word in _SETS.get(key, ())
