"""Settings, ids, errors and the clock that tests move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moiety.foundation import ids, settings
from moiety.foundation.clock import HandClock, SystemClock
from moiety.foundation.errors import (
    BadInput,
    NoFace,
    PartDown,
    Refusal,
    Unverified,
    WarrantRefused,
    refusal_of,
    slugs,
)

NAMES = sorted(setting.name for setting in settings.SETTINGS)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_every_default_is_itself_allowed_and_every_setting_has_a_meaning() -> None:
    for one in settings.SETTINGS:
        assert settings.setting(one.name) == one.default
        assert one.name.startswith("MOIETY_")
        assert one.meaning.endswith(".")
    assert len(NAMES) == len(set(NAMES))


def test_the_environment_wins_and_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_PORT", "9000")
    monkeypatch.setenv("MOIETY_LOG", "")
    assert settings.number("MOIETY_PORT") == 9000
    assert settings.setting("MOIETY_LOG") == "info"


@pytest.mark.parametrize(("name", "value"), [("MOIETY_RUNTIME", "tensorflow"), ("MOIETY_LOG", "INFO")])
def test_a_value_that_is_not_allowed_is_named_with_those_that_are(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=f"{name} must be one of"):
        settings.setting(name)


def test_a_word_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_PORT", "eighty")
    with pytest.raises(BadInput, match="whole number"):
        settings.number("MOIETY_PORT")


def test_a_setting_that_is_not_in_the_table_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOIETY_SECRET_SWITCH", "1")
    with pytest.raises(KeyError):
        settings.setting("MOIETY_SECRET_SWITCH")


def test_a_folder_may_be_unset_or_lie_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.folder("MOIETY_KEYS") is None
    monkeypatch.setenv("MOIETY_KEYS", "~/keys")
    assert settings.folder("MOIETY_KEYS") == Path.home() / "keys"


def test_the_code_names_no_setting_that_is_not_in_the_table() -> None:
    source = Path(settings.__file__).parents[1]
    named = {name for path in source.rglob("*.py") for name in re.findall(r"\bMOIETY_[A-Z_]+\b", path.read_text())}
    assert named <= set(NAMES)


def test_ids_are_random_and_say_what_they_are() -> None:
    for make, prefix in (
        (ids.new_gallery_id, "gal"),
        (ids.new_subject_id, "sub"),
        (ids.new_photo_id, "pho"),
        (ids.new_key_id, "key"),
    ):
        drawn = {make() for _ in range(100)}
        assert len(drawn) == 100
        assert all(re.fullmatch(prefix + "_[a-z2-7]{16}", one) for one in drawn)
    rows = {ids.new_row_id() for _ in range(100)}
    assert {len(row) for row in rows} == {ids.ROW_ID_BYTES}
    assert len(rows) == 100


def test_every_refusal_travels_by_its_own_slug() -> None:
    known = slugs()
    kinds = set(_kinds(Refusal))
    assert set(known.values()) == kinds, "two refusals share a slug"
    for slug, kind in known.items():
        back = refusal_of(slug, "a sentence.")
        assert type(back) is kind
        assert str(back) == "a sentence."
    assert type(refusal_of("from-the-future", "x")) is Refusal


def _kinds(kind: type[Refusal]) -> list[type[Refusal]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _kinds(child))]


def test_a_refusal_without_a_sentence_speaks_for_itself() -> None:
    assert str(NoFace()) == "No face was found in the picture."
    assert isinstance(Unverified(), BadInput)
    assert not isinstance(WarrantRefused(), Unverified)
    assert PartDown.slug == "part-down"


def test_the_hand_clock_stands_still_until_it_is_moved() -> None:
    clock = HandClock(100.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 100.0)
    clock.move(3600)
    assert (clock.now(), clock.monotonic()) == (3700.0, 3700.0)
    real = SystemClock()
    assert real.monotonic() <= real.monotonic()
    assert real.now() > 1_700_000_000
