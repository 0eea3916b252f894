"""How newcomers look in lists, and people who are nobody after them."""

from __future__ import annotations

import pytest

from moiety.people.looks import Look, look_of
from moiety.people.masks import masked
from moiety.people.rules import Stated


def look(reference: str | None, *fields: str, minor: bool = False) -> Look | None:
    return look_of(reference, dict.fromkeys(fields, "555-0142"), Stated(minor=minor), face=True)


@pytest.mark.parametrize(
    "reference",
    [
        "Ada King",
        "ada",
        "ADA KING",
        "अनिता शर्मा",
        "அருண் குமார்",
        "Ольга Зуйко",
        "K-1042",
        "555-0142-77",
        "4711",
        "KA 01 ab 1234",
    ],
)
def test_somebody_who_is_nobody_is_masked_as_a_newcomer_is_and_is_somebody_else(reference: str) -> None:
    seen = look(reference)
    assert seen is not None
    made = {seen.reference() for _ in range(40)}
    assert len(made) > 5

    def form(text: str) -> str:
        marks = (
            "0" if one.isdigit() else "A" if one.isupper() else "a" if one.isalpha() else one for one in masked(text)
        )
        return "".join(one for one in marks if one.isascii() or one == "•")

    assert {form(one) for one in made} == {form(reference)}
    assert reference.rsplit(maxsplit=1)[-1] not in repr(seen)


def test_other_scripts_the_young_and_those_without_a_reference_are_not_copied() -> None:
    assert look("Γιώργος") is None
    assert look(None) is None
    assert look("Ada King", minor=True) is None


def test_fields_have_the_newcomers_names_and_none_of_their_values() -> None:
    seen = look("Ada King", "phone", "birth_date")
    assert seen is not None
    values = seen.values()
    assert set(values) == {"phone", "birth_date"}
    assert "555" not in repr(seen)
    assert 1950 <= int(values["birth_date"][:4]) <= 2004
