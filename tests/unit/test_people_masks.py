"""Masks, sheets and redaction: what is shown before a reason, what a spreadsheet runs, what is about others."""

from __future__ import annotations

import csv
import io

import pytest

from moiety.people.masks import masked
from moiety.people.redaction import ABOUT_OTHERS, Redaction
from moiety.people.sheets import as_csv, harmless
from moiety.people.typefaces import MAIN, needed, showable


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ada King", "A••• K•••"),
        ("  Ada   Byron King Lovelace Fifth ", "A••• B••• K••• L•••"),
        ("555-0142-77", "•••77"),
        ("12345", "•••"),
        ("staff-0042", "s•••"),
        ("王小明", "王•••"),
        ("सुनीता शर्मा", "स••• श•••"),
        ("مريم", "م•••"),
        ("x", "x•••"),
        ("", "•••"),
        ("!?", "•••"),
    ],
)
def test_a_mask_shows_first_letters_or_last_digits(value: str, shown: str) -> None:
    assert masked(value) == shown


def test_a_mask_tells_no_length() -> None:
    assert masked("Ada") == masked("Alexandrina")
    assert masked("0142377") == masked("99999999999977")


@pytest.mark.parametrize(
    "bad", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u00a0@x", "\uff1d1", "|cmd", "%x"]
)
def test_no_cell_is_a_formula(bad: str) -> None:
    assert harmless(bad).startswith("'")
    (row,) = list(csv.reader(io.StringIO(as_csv((bad,), []).lstrip("\ufeff"))))
    assert row[0].startswith("'")


def test_a_plain_cell_stays_as_it_is() -> None:
    assert harmless("Ada, King") == "Ada, King"
    assert harmless("a\0b") == "ab"


def test_what_is_about_others_is_left_out_wherever_it_stands() -> None:
    values = {"guardian_name": "Maria King", "note": "MARIA KING called", "tip_by": "X", "age": "X is 7"}
    redaction = Redaction(values)
    assert redaction.of("guardian_name", "Maria King") == ABOUT_OTHERS
    assert redaction.of("note", values["note"]) == f"{ABOUT_OTHERS} called"
    assert redaction.of("age", values["age"]) == values["age"]
    assert redaction.names == ["guardian_name", "note"]


def test_fonts_are_loaded_only_for_what_a_text_needs() -> None:
    assert [one.name for one in needed("Ada Ελένη Иван مريم")] == [MAIN]
    faces = needed("தமிழ் ⴰ")
    assert [one.name for one in faces][:2] == [MAIN, "Tamil"]
    assert showable("தமிழ்\tⴰ", faces) == "தமிழ் [U+2D30]"
