"""Words to read over a phone: the published examples, and what counts as the same."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.wire.words import WORDS, proquints, same, spoken


@pytest.mark.parametrize(
    ("address", "words"),
    [
        # The examples of the article.
        ("127.0.0.1", "lusab-babad"),
        ("63.84.220.193", "gutih-tugad"),
        ("63.118.7.35", "gutuk-bisog"),
        ("140.98.193.141", "mudof-sakat"),
        ("64.255.6.200", "haguz-biram"),
        ("212.58.253.68", "tibup-zujah"),
    ],
)
def test_the_words_are_those_of_the_article(address: str, words: str) -> None:
    assert proquints(ipaddress.ip_address(address).packed) == words


@given(st.binary(min_size=2, max_size=2), st.binary(min_size=2, max_size=2))
def test_different_bits_are_different_words(one: bytes, other: bytes) -> None:
    assert (proquints(one) == proquints(other)) == (one == other)


@given(st.binary(min_size=32, max_size=32))
def test_six_words_stand_for_the_first_96_bits(raw: bytes) -> None:
    words = spoken(raw.hex())
    assert len(words.split("-")) == WORDS
    assert spoken((raw[:12] + bytes(20)).hex()) == words
    assert same(words, raw.hex())
    assert same(words.upper().replace("-", "  "), raw.hex())
    assert not same(words[:-1], raw.hex())
    assert not same("", raw.hex())
    assert not same(words, (bytes([raw[0] ^ 1]) + raw[1:]).hex())
