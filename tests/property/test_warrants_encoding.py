"""Records have one encoding: reading gives back what was written, and no other bytes mean the same."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.foundation.envelopes import pack, unpack
from moiety.foundation.errors import Unverified
from moiety.vault.policy import GalleryPolicy, Needs
from moiety.warrants.statement import Made, Pad, Statement
from moiety.warrants.warrant import Act, Scheme, Signature, SignedWarrant, Warrant

if TYPE_CHECKING:
    from moiety.warrants.records import Record

texts = st.text(max_size=12)
hashes = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**64 - 1)
boxes = st.tuples(numbers, numbers, numbers, numbers)

statements = st.builds(
    Statement,
    made=st.sampled_from(Made),
    tenant=texts,
    gallery=texts,
    image_sha256=hashes,
    box=boxes,
    model=hashes,
    rotation=hashes,
    pad=st.sampled_from(Pad),
    row=st.sampled_from([b"", bytes(16)]),
    epoch=numbers,
    commitment=hashes,
    nonce=hashes,
    issued=numbers,
)
warrants = st.builds(
    Warrant,
    act=st.sampled_from(Act),
    tenant=texts,
    gallery=texts,
    policy_version=numbers,
    purpose=texts,
    case=texts,
    image_sha256=hashes,
    box=boxes,
    statement_sha256=hashes,
    target=hashes,
    issued=numbers,
    expires=numbers,
    nonce=hashes,
)
policies = st.builds(
    GalleryPolicy,
    tenant=texts,
    gallery=texts,
    version=numbers,
    purpose=texts,
    model=hashes,
    rotation=hashes,
    dim=numbers,
    thresholds=st.lists(numbers, max_size=4).map(tuple),
    asks=st.sampled_from(Needs),
    enrols=st.sampled_from(Needs),
    erases=st.sampled_from(Needs),
    reveals=st.sampled_from(Needs),
    erasures_alone_per_day=numbers,
    probes_per_hour=numbers,
    templates_per_hour=numbers,
    erasures_per_hour=numbers,
    reveals_per_hour=numbers,
)
records = st.one_of(statements, warrants, policies)
signed = st.builds(
    SignedWarrant,
    warrants,
    st.lists(st.builds(Signature, st.just(Scheme.SERVICE), hashes, st.binary(max_size=64)), max_size=3).map(tuple),
)


@given(records)
def test_reading_gives_back_what_was_written(record: Record) -> None:
    assert type(record).decode(record.encode()) == record


@given(signed)
def test_a_signed_warrant_travels_whole(one: SignedWarrant) -> None:
    assert SignedWarrant.decode(one.encode()) == one


@given(records, records)
def test_different_records_have_different_digests(one: Record, other: Record) -> None:
    assert (one == other) == (one.digest() == other.digest())


@given(records, st.data())
def test_a_changed_byte_is_refused_or_another_record(record: Record, data: st.DataObject) -> None:
    raw = bytearray(record.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        read = type(record).decode(bytes(raw))
    except Unverified:
        return
    assert read != record
    assert read.encode() == bytes(raw)


@given(records, st.data())
def test_what_is_cut_or_has_more_behind_it_is_refused(record: Record, data: st.DataObject) -> None:
    raw = record.encode()
    for altered in (raw[: data.draw(st.integers(0, len(raw) - 1))], raw + data.draw(st.binary(min_size=1, max_size=9))):
        with pytest.raises(Unverified):
            type(record).decode(altered)


@given(statements, warrants)
def test_one_kind_of_record_is_never_read_as_another(statement: Statement, warrant: Warrant) -> None:
    for kind, raw in ((Warrant, statement.encode()), (Statement, warrant.encode()), (GalleryPolicy, warrant.encode())):
        with pytest.raises(Unverified):
            kind.decode(raw)
    assert len(fields(Statement)) == len(fields(Warrant)), "only the domains tell these two apart"


@given(warrants, st.sampled_from([bytes(7), bytes(9), b"\x01" + bytes(8), b"\xff" * 40, b""]))
def test_a_number_that_is_not_eight_bytes_is_refused(warrant: Warrant, number: bytes) -> None:
    parts = unpack(warrant.encode())
    parts[4] = number  # policy_version
    with pytest.raises(Unverified):
        Warrant.decode(pack(*parts))


@given(warrants, st.lists(numbers, max_size=6).filter(lambda box: len(box) != 4))
def test_a_box_has_four_numbers(warrant: Warrant, box: list[int]) -> None:
    parts = unpack(warrant.encode())
    parts[8] = pack(*box)
    with pytest.raises(Unverified):
        Warrant.decode(pack(*parts))


@given(warrants, st.sampled_from([b"SEARCH", b"", b"service", b"\xff"]))
def test_an_act_that_does_not_exist_is_refused(warrant: Warrant, act: bytes) -> None:
    parts = unpack(warrant.encode())
    parts[1] = act
    with pytest.raises(Unverified):
        Warrant.decode(pack(*parts))


@given(st.binary(max_size=80))
def test_noise_is_no_signed_warrant(noise: bytes) -> None:
    with pytest.raises(Unverified):
        SignedWarrant.decode(noise)
