"""A thief in the gate reaches for rows, personal keys and policies: what he gets without the right warrant."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hacked import THIEF, refused
from moiety.foundation.errors import WarrantRefused
from moiety.vault.policy import GalleryPolicy
from moiety.warrants import targets
from moiety.warrants.statement import Statement
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from hacked import Thief
    from moiety.foundation.ids import SubjectId
    from moiety.storage import Gallery
    from moiety.wire.links import Answer

pytestmark = pytest.mark.slow


async def test_rows_are_named_and_not_shown(thief: Thief) -> None:
    lines = thief.house.desk.links
    for line in (lines.a, lines.b):
        answer = await line.call(Kind.ROWS, {"gallery": thief.gallery.id})
        assert set(answer.meta) == {"order"}
        assert [len(buffer) for buffer in answer.buffers] == [16 * 3]


async def test_rows_that_were_never_prepared_are_not_made_live(thief: Thief) -> None:
    before = thief.site.holding()
    meta = {"gallery": thief.gallery.id, "places": [[os.urandom(16).hex(), 99]], "people": []}
    answers = await thief.ask(Kind.COMMIT, meta, meta, [], [])
    assert [getattr(answer, "slug", None) for answer in answers] == ["not-found", "not-found"]
    named = bytes((await thief.house.desk.links.a.call(Kind.ROWS, {"gallery": thief.gallery.id})).buffers[0])
    live = [[named[:16].hex(), 77], [named[16:32].hex(), 78]]
    moved = meta | {"places": live}
    answers = await thief.ask(Kind.COMMIT, moved, moved, [], [])
    assert [getattr(answer, "slug", None) for answer in answers] == ["out-of-step", "out-of-step"]
    assert thief.site.holding() == before


async def test_live_rows_and_keys_do_not_go_without_a_warrant_for_them(thief: Thief) -> None:
    before = thief.site.holding()
    row = bytes(before.a[0][0])
    gallery = {"gallery": thief.gallery.id}
    for answer in await thief.ask(Kind.LEFT, gallery, gallery, [], []):
        assert [bytes(buffer) for buffer in answer.buffers] == [b"", b""]
    await thief.ask(Kind.ABORT, gallery, gallery, [row], [row])
    for handle, _ in before.keys:
        await thief.house.desk.links.b.call(Kind.FORGET, gallery, [handle])
    desk = thief.house.desk
    for_another = desk.plain_warrant(Act.ERASE, thief.gallery, "", targets.of_erasure([os.urandom(16)], b""))
    no_erasure = desk.plain_warrant(Act.REVEAL, thief.gallery, "", targets.of_erasure([row], b""))
    for warrant in (for_another, no_erasure):
        parts = [warrant, row, b""]
        refused(await thief.ask(Kind.ERASE, gallery, gallery, parts, parts), WarrantRefused)
    dropped = await thief.ask(Kind.POLICY_DROP, gallery, gallery, [], [])
    assert [getattr(answer, "slug", None) for answer in dropped] == ["already-there", "already-there"]
    assert thief.site.holding() == before


async def test_an_eyes_template_is_enrolled_where_and_as_it_was_made(thief: Thief) -> None:
    before = thief.site.holding()
    asking = thief.house.identifier._asking
    answer = await thief.house.desk.links.eye.call(
        Kind.TEMPLATE, asking.setting(thief.gallery), [os.urandom(32), thief.photo]
    )
    statement, signature, to_a, to_b = map(bytes, answer.buffers)
    desk = thief.house.desk

    async def prepare(gallery: Gallery, act: Act, a: bytes, b: bytes, said: bytes = statement) -> tuple[Any, Any]:
        warrant = desk.warrant_for(act, gallery, said, THIEF)
        meta = {"gallery": gallery.id}
        return await thief.ask(Kind.PREPARE, meta, meta, [warrant, said, signature, a], [warrant, said, signature, b])

    refused(await prepare(thief.guests, Act.ENROL, to_a, to_b), WarrantRefused)
    refused(await prepare(thief.gallery, Act.SEARCH, to_a, to_b), WarrantRefused)
    refused(await prepare(thief.gallery, Act.ENROL, to_b, to_a), WarrantRefused)
    seen = Statement.decode(statement)
    forged = replace(seen, row=bytes(16))
    refused(await prepare(thief.gallery, Act.ENROL, to_a, to_b, forged.encode()), WarrantRefused)
    probe = await thief.probe()
    warrant = desk.warrant_for(Act.ENROL, thief.gallery, probe.statement, THIEF)
    parts = [warrant, probe.statement, probe.signature, probe.to_a]
    meta = {"gallery": thief.gallery.id}
    refused(await thief.ask(Kind.PREPARE, meta, meta, parts, [*parts[:3], probe.to_b]), WarrantRefused)
    assert thief.site.holding() == before


async def _reveal(thief: Thief, subject: SubjectId, name: str, wrapped: bytes, **change: Any) -> Answer:
    """Ask B for one field key, with parts of the warrant changed."""
    desk = thief.house.desk
    handle = change.get("handle", targets.person_handle(desk.tenant, thief.gallery.id, subject))
    target = targets.of_field(handle, subject, name, change.get("target_wrapped", wrapped))
    warrant = desk.plain_warrant(change.get("act", Act.REVEAL), change.get("gallery", thief.gallery), "", target)
    meta = {"gallery": thief.gallery.id, "names": [[subject, name, change.get("klass", "label")]]}
    return await desk.links.b.call(Kind.REVEAL, meta, [warrant, handle, wrapped])


async def test_field_keys_come_only_by_a_warrant_for_that_field(thief: Thief) -> None:
    rows = thief.site.read(
        Role.GATE,
        "SELECT f.subject_id, f.wrapped_key FROM subject_field f JOIN subject s ON s.id = f.subject_id"
        " WHERE s.gallery_id = ?",
        thief.gallery.id,
    )
    (subject, wrapped), (other, foreign) = rows[0], rows[1]
    answer = await _reveal(thief, subject, "reference", wrapped)
    assert [len(key) for key in answer.buffers] == [32]
    wrong: list[dict[str, Any]] = [
        {"act": Act.SEARCH},
        {"gallery": thief.guests},
        {"target_wrapped": foreign},
        {"klass": "field"},
        {"handle": targets.person_handle(thief.house.desk.tenant, thief.gallery.id, other)},
    ]
    for change in wrong:
        with pytest.raises(WarrantRefused):
            await _reveal(thief, subject, "reference", wrapped, **change)
    with pytest.raises(WarrantRefused):
        await _reveal(thief, subject, "room", wrapped)
    with pytest.raises(WarrantRefused):
        await _reveal(thief, subject, "reference", foreign)


async def test_wrapping_gives_new_keys_and_no_old_one(thief: Thief) -> None:
    subject = thief.site.read(Role.GATE, "SELECT id FROM subject WHERE gallery_id = ?", thief.gallery.id)[0][0]
    handle = targets.person_handle(thief.house.desk.tenant, thief.gallery.id, subject)
    meta = {"gallery": thief.gallery.id, "names": [[subject, "reference", "label"]]}
    (old,) = thief.site.read(Role.GATE, "SELECT wrapped_key FROM subject_field WHERE subject_id = ?", subject)[0]
    opened = bytes((await _reveal(thief, subject, "reference", old)).buffers[0])
    drawn = [await thief.house.desk.links.b.call(Kind.WRAP, meta, [handle]) for _ in range(2)]
    keys = {bytes(answer.buffers[0]) for answer in drawn} | {opened}
    assert len(keys) == 3
    # What is wrapped anew opens as itself, and as no other field.
    fresh = bytes(drawn[0].buffers[1])
    assert bytes((await _reveal(thief, subject, "reference", fresh)).buffers[0]) == bytes(drawn[0].buffers[0])
    with pytest.raises(WarrantRefused):
        await _reveal(thief, subject, "room", fresh)


async def test_a_policy_cannot_be_loosened(thief: Thief) -> None:
    before = thief.site.read(Role.VAULT_A, "SELECT raw FROM policy WHERE gallery = ?", thief.gallery.id)
    policy = GalleryPolicy.decode(before[0][0])
    changes: tuple[dict[str, Any], ...] = ({"thresholds": (3300,)}, {"probes_per_hour": 99_999}, {"thresholds": (1,)})
    for change in changes:
        looser = replace(policy, **change)
        target = targets.of_policy(looser.encode())
        warrants = [thief.house.desk.plain_warrant(Act.POLICY, thief.gallery, "", target) for _ in "ab"]
        answers = await thief.ask(
            Kind.POLICY_SET, {}, {}, [warrants[0], looser.encode()], [warrants[1], looser.encode()]
        )
        assert {getattr(answer, "slug", None) for answer in answers} <= {"already-there", "warrant-refused"}
    for role in (Role.VAULT_A, Role.VAULT_B):
        after = thief.site.read(role, "SELECT raw FROM policy WHERE gallery = ?", thief.gallery.id)
        assert after == before
