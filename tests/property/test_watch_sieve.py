"""Nothing that is personal gets through the shapes of keys, whatever it looks like and however it is said."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from moiety.watch import KEYS, Withheld, clean, known, span, spans
from moiety.watch.counts import Counts, heard, number
from moiety.watch.shapes import NUMBER_MAX, Shape
from moiety.wire import kinds
from watched_lines import written

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(kinds.__name__)
MARK = "Quokka"
# What people are called, have, and give as reasons: any script, with a mark by which the test finds it again.
names = st.text(min_size=0, max_size=40).map(lambda text: f"{text}{MARK}")
numbers = st.integers(NUMBER_MAX, 10**18)
embeddings = st.lists(st.floats(-1, 1), min_size=8, max_size=64)
personal: st.SearchStrategy[Any] = st.one_of(
    names,
    names.map(str.encode),
    numbers,
    numbers.map(str),
    st.integers(max_value=-1),
    embeddings,
    embeddings.map(lambda values: bytes(int(127 * one) & 255 for one in values)),
    st.dictionaries(names, names, max_size=3),
    st.tuples(names, numbers),
    st.just(float("nan")),
    st.just(float("inf")),
    st.none(),
    st.booleans(),
)
keys = st.sampled_from([*KEYS, "reason", "subject", "name", "event", "time", "_record"])


class Sly(str):
    """A word that is in every set and says something else when it is written."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__

    def __str__(self) -> str:
        return MARK


@given(keys, personal)
def test_req_42_no_key_takes_what_is_personal(key: str, value: Any) -> None:
    try:
        passed = clean(key, value)
    except Withheld:
        return
    # What passes: numbers of moderate size under keys for numbers, and no text.
    assert KEYS[key] in {Shape.COUNT, Shape.MEASURE}
    assert abs(float(passed)) < NUMBER_MAX


@given(st.text(max_size=60), st.sampled_from(sorted(key for key, shape in KEYS.items() if shape is Shape.WORD)))
def test_a_word_passes_only_if_it_was_declared(word: str, key: str) -> None:
    try:
        assert clean(key, word) == word
    except Withheld:
        assert not known(key, word)
    else:
        assert known(key, word)


def test_a_word_that_lies_about_itself_is_written_as_what_it_is() -> None:
    assert clean("gallery", Sly("gal_abcdefgh234567ab")) == "gal_abcdefgh234567ab"
    assert type(clean("gallery", Sly("gal_abcdefgh234567ab"))) is str
    assert not known("part", Sly(MARK))


def said_as(way: int, value: Any) -> None:
    """Say a value in one of the ways in which programs say things."""
    ways: tuple[Callable[[], Any], ...] = (
        lambda: log.info("%(part)s came to %(gallery)s", {"part": value, "gallery": value}),
        lambda: log.info("came: %s", value),
        lambda: log.info(f"came: {value}"),  # noqa: G004 - what must do no harm
        lambda: log.info(value),
        lambda: log.warning("refused: %(why)s", {"why": ValueError(value)}),
        lambda: log.error("failed", exc_info=ValueError(value)),
        lambda: log.info("came", extra={"part": value}),
        lambda: log.info("came", stack_info=True),
        lambda: logging.getLogger(f"moiety.{value}").info("came"),
        lambda: log.log(37, "%(kind)s", {"kind": value, str(value): value}),
        lambda: log.info("%(part)d %(rows)d %(ms).1f", {"part": value, "rows": value, "ms": value}),
    )
    ways[way % len(ways)]()


@given(st.lists(st.tuples(st.integers(0, 10), names | embeddings | numbers.map(str)), min_size=1, max_size=6))
def test_req_42_no_way_of_saying_it_writes_it(said: list[tuple[int, Any]]) -> None:
    with written() as out:
        for way, value in said:
            said_as(way, value)
    assert MARK not in out.getvalue()
    for _, value in said:
        if not isinstance(value, list):
            assert json.dumps(str(value))[1:-1] not in out.getvalue()
            continue
        assert str(value)[1:40] not in out.getvalue()
    assert len(out.lines()) == len(said)


@given(st.dictionaries(keys, personal, max_size=6))
def test_spans_take_no_more_than_lines(given_: dict[str, Any]) -> None:
    exporter = InMemorySpanExporter()
    spans.begin("gate", SimpleSpanProcessor(exporter))
    try:
        with span("http", **given_) as mark:
            mark.put(**given_)
    finally:
        spans.end()
    (found,) = exporter.get_finished_spans()
    assert MARK not in found.to_json()
    assert all(isinstance(one, str | int | float) for one in (found.attributes or {}).values())
    assert len(found.events) == len(found.links) == 0


@given(st.lists(st.tuples(names | st.sampled_from(["SEARCH"]), names | st.just("ok"), personal), max_size=9))
def test_counts_have_our_words_alone(asked: list[tuple[str, str, Any]]) -> None:
    counts = Counts()
    for kind, outcome, _ in asked:
        counts.answered(kind, outcome, 0.25)
    assert MARK not in json.dumps(counts.told())
    assert sum(count for *_, count, _ in counts.told()["answered"]) == sum(
        (kind, outcome) == ("SEARCH", "ok") for kind, outcome, _ in asked
    )
    # And what another part tells, whatever that is, is read as our words and numbers or not at all.
    told = [[kind, outcome, value, value] for kind, outcome, value in asked]
    assert all(one[:2] == ("SEARCH", "ok") and one[2] >= 0 for one in heard(told))
    assert all(number(value) >= 0 for _, _, value in asked)
    assert heard(asked) == heard(None) == heard([[], 3, ["SEARCH", "ok", 1]]) == []
