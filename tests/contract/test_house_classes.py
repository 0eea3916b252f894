"""House rule: every column of the gate's tables is of a declared class, and no class is a person's plain text."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy import TypeDecorator as Decorated

from api_in_process import WHY, WordyQuality, api_over, upload
from api_people import consent, entered
from api_people import made as opened
from databases import BOTH, held
from moiety.access import ApiKeys
from moiety.access.kinds import kind_of
from moiety.access.roles import parse_grants
from moiety.foundation.clock import HandClock
from moiety.foundation.errors import BadInput
from moiety.foundation.ids import SubjectId, new_gallery_id, new_subject_id
from moiety.incidents.breaches import check_step
from moiety.incidents.drills import Ran, check_drills
from moiety.incidents.losses import parse as parse_lost
from moiety.ledger import Ledger
from moiety.matching.galleries import NewGallery
from moiety.people.deploying import check_reference
from moiety.people.enrol import Who
from moiety.people.fields import check_fields
from moiety.people.rules import Stated, check_notice, check_rule, record_of
from moiety.storage import Gallery, GalleryState, Store
from moiety.storage.columns import CLASSES, Holds
from moiety.storage.person_records import Rule
from moiety.storage.tables import Base
from moiety.wire.kinds import Role
from parts_in_process import InProcess, PaintedFace

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(__file__).resolve().parents[2] / "src" / "moiety"
PERSON = "Asha K. Menon, born 4 March 1991, +91 98400 12345"
NUMBERS, BYTES, TEXT = (Integer, BigInteger, Double), (LargeBinary,), (Text,)
FORMS: dict[Holds, tuple[type, ...]] = {
    Holds.ID: NUMBERS + BYTES + TEXT,
    Holds.STATE: TEXT,
    Holds.TIME: NUMBERS,
    Holds.COUNT: NUMBERS,
    Holds.CIPHERTEXT: BYTES,
    Holds.BLIND: BYTES,
    Holds.HASH: BYTES + TEXT,
    Holds.CODE: TEXT,
    Holds.FLAG: (Integer,),
    Holds.SIGNATURE: BYTES,
    Holds.WORDS: TEXT,
}
# Ids and hashes take text of any form, so their columns are named as such: nobody calls a name an id.
NAMES = {
    Holds.ID: re.compile(r"(\w+_)?(id|ids|by)|actor|proposer|approver|signer|recipient|credential|galleries"),
    Holds.HASH: re.compile(r"(\w+_)?(sha256|hash|digest|mark)"),
}
# The only texts that an operator writes freely, each about a gallery as a whole or taken from there; no other is.
WORDS = {"gallery.name", "gallery.purpose", "gallery_rule.controller", "ledger_entry.purpose", "consent.purpose"} | {
    "ledger_day.purpose",
    "subject_record.purpose", "subject_record.controller",
}  # fmt: skip
# How pictures begin, with so much of what comes next that no noise looks like it.
MAGIC = {
    "JPEG": re.compile(rb"\xff\xd8\xff(\xe0..JFIF|\xe1..Exif|\xdb\x00[\x43\x84])", re.DOTALL),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
# Numbers that are kept as JSON text.
NUMBER_LISTS = {"gallery.thresholds"}


def form_of(column: Column[object]) -> object:
    return column.type.impl_instance if isinstance(column.type, Decorated) else column.type


def wrong(metadata: MetaData, classes: dict[str, Holds]) -> set[str]:
    """Give the columns that are not declared, or are not of their class's form."""
    found = set()
    for table in metadata.tables.values():
        checks = " ".join(str(one.sqltext) for one in table.constraints if isinstance(one, CheckConstraint))
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            holds = classes.get(name)
            fits = holds is not None and isinstance(form_of(column), FORMS[holds])
            if holds in NAMES:
                fits = fits and bool(NAMES[holds].fullmatch(column.name))
            if holds is Holds.STATE:
                fits = fits and bool(re.search(rf"\b{column.name} IN \(", checks))
            if not fits and not (name in NUMBER_LISTS and holds is Holds.COUNT):
                found.add(name)
    return found


def test_req_45_every_column_is_of_a_declared_class_and_none_is_plain_personal_text() -> None:
    assert wrong(Base.metadata, CLASSES) == set()
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns}
    assert set(CLASSES) == columns, "no class outlives its column"
    assert {name for name, holds in CLASSES.items() if holds is Holds.WORDS} == WORDS


@pytest.mark.parametrize("kind", [Text(), LargeBinary(), Integer(), Double()])
def test_a_column_that_nobody_declared_is_refused(kind: Text) -> None:
    metadata = MetaData()
    Table("subject", metadata, Column("first_name", kind))
    assert wrong(metadata, CLASSES) == {"subject.first_name"}


@pytest.mark.parametrize(
    "holds", [Holds.CIPHERTEXT, Holds.BLIND, Holds.TIME, Holds.COUNT, Holds.STATE, Holds.ID, Holds.HASH]
)
def test_text_cannot_be_declared_away(holds: Holds) -> None:
    metadata = MetaData()
    Table("subject", metadata, Column("first_name", Text()))
    assert wrong(metadata, {"subject.first_name": holds}) == {"subject.first_name"}


# ---- codes: text that takes no person's name ----


def _key(name: str, scope: str) -> Callable[[Path], object]:
    def issue(folder: Path) -> object:
        with Store(folder / "gate.db", HandClock()) as store:
            return ApiKeys(store, HandClock()).issue(name, [scope], 2e9)

    return issue


def _entry(**given: str) -> Callable[[Path], object]:
    def append(folder: Path) -> object:
        told = {"kind": "consultation", "act": "reveal", "actor": "owner"} | given
        with Store(folder / "gate.db", HandClock()) as store, store.begin() as tx:
            detail = {"note": told.pop("note")} if "note" in told else {}
            return Ledger(store, bytes(32)).append(tx, purpose="door", **told, **detail)  # type: ignore[arg-type] # wrong ones too

    return append


def _gallery() -> Gallery:
    model = ("model", "0" * 64, 512, "0" * 32, 1e-4, (1,), ("strong",), None, 1, GalleryState.OPEN, 0.0)
    return Gallery(new_gallery_id(), "doors", "a door", *model)


def _told() -> Rule:
    return Rule(new_gallery_id(), True, "2026-11", "consent", "a school", "person", 30, False)  # noqa: FBT003 - two flags of many


def _stated(**given: str) -> Callable[[Path], object]:
    def keep(folder: Path) -> object:
        with Store(folder / "gate.db", HandClock()) as store, store.read() as tx:
            return record_of(tx, _gallery(), new_subject_id(), Stated(**given), 0.0)  # type: ignore[arg-type] # texts only

    return keep


def _rule(**given: str) -> Callable[[Path], object]:
    return lambda _: check_rule(replace(_told(), **given))  # type: ignore[arg-type] # texts only


GUARDS: dict[str, Callable[[Path], object]] = {
    "subject_field.name": lambda _: check_fields({PERSON: "value"}),
    "api_key.name": _key(PERSON, "gallery:probe:identify"),
    "api_key.scopes": _key("door", PERSON),
    "ledger_entry.kind": _entry(kind=PERSON),
    "ledger_entry.act": _entry(act=PERSON),
    "ledger_entry.actor": _entry(actor=PERSON),
    "ledger_entry.detail": _entry(note=PERSON),
    # Counted from the entries.
    "ledger_day.kind": _entry(kind=PERSON),
    "ledger_day.act": _entry(act=PERSON),
    "ledger_day.actor": _entry(actor=PERSON),
    "ledger_day.band": _entry(band=PERSON),
    "gallery.name": lambda _: NewGallery(PERSON, "a door").check(),
    "operator.roles": lambda _: parse_grants([PERSON]),
    "approval.kind": lambda _: kind_of(PERSON),
    "gallery_rule.notice": _rule(notice=PERSON),
    "gallery_rule.basis": _rule(basis=PERSON),
    "gallery_rule.source": _rule(source=PERSON),
    "subject_record.basis": _stated(basis=PERSON),
    "subject_record.source": _stated(source=PERSON),
    "consent.notice": lambda _: check_notice(PERSON),
    "incident.lost": lambda _: parse_lost([PERSON]),
    "incident.done": lambda _: check_step(PERSON),
    "drill_report.document": lambda _: check_drills([Ran(PERSON, 0, 1, 1.0)], "1.0"),
    "deployment.assessment": lambda _: check_reference(PERSON),
    # Taken from the ledger.
    "follow_up.act": _entry(act=PERSON),
}
# Words of the model's manifest and of the program, which no request can give.
OURS = {"gallery.model_name", "gallery.bands", "receipt.document"}


def test_every_code_has_a_guard_or_is_our_own_word() -> None:
    assert {name for name, holds in CLASSES.items() if holds is Holds.CODE} <= set(GUARDS) | OURS


@pytest.mark.parametrize("column", sorted(GUARDS))
def test_a_code_takes_no_persons_name(column: str, tmp_path: Path) -> None:
    with pytest.raises((BadInput, ValueError)):
        GUARDS[column](tmp_path)


# ---- blind indexes ----


def test_a_blind_index_lies_beside_its_ciphertext_and_can_be_looked_up() -> None:
    for name, holds in CLASSES.items():
        if holds is Holds.BLIND:
            table = Base.metadata.tables[name.partition(".")[0]]
            column = table.columns[name.partition(".")[2]]
            assert any(CLASSES[f"{table.name}.{one.name}"] is Holds.CIPHERTEXT for one in table.columns)
            assert any(index.columns[0] is column for index in table.indexes), "or each look-up reads the whole table"


def test_only_people_writes_blind_indexes_and_ciphertext_of_fields() -> None:
    writers = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("fields.put", "SubjectFieldRow")):
                named = {keyword.arg for keyword in node.keywords}
                if named & {"ciphertext", "blind"}:
                    writers.add(path.relative_to(SOURCES).as_posix())
    assert writers == {"people/fields.py"}


@BOTH
async def test_req_45_a_name_is_found_by_its_blind_index_and_lies_nowhere_in_the_database(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        gallery = await site.gallery()
        made = await site.enrol(gallery, site.sight.person(), Who(reference=PERSON, fields={"note": PERSON[::-1]}))
        assert (
            await site.house.fields.find(gallery, "  ASHA k. menon, Born 4 March 1991, +91 98400 12345") == made.subject
        )
        with site.store.read() as tx:
            found = {one.name: one for one in tx.fields.list(made.subject)}
        value = site.house.fields.value_of("reference", PERSON)
        key = site.place(Role.GATE).identity.keys.secret("blind.key")
        raw = held(site.installation.folder(Role.GATE) / "gate.sqlite")
        keys = [site.place(Role.GATE).identity.keys.secret(f"{one}.key") for one in ("blind", "binding", "reasons")]
        halves = [
            path.read_bytes().rstrip(b"\0")[:64]
            for path in (site.installation.folder(Role.VAULT_A) / "rows").glob("*.rows")
        ]
    assert halves, "vault B grows its half from a seed"
    assert all(len(half) == 64 and half not in raw for half in halves), "a template's half lies in vault A alone"
    assert not any(one in raw for one in keys), "what it would be opened with lies beside it"
    assert len(found["reference"].blind or b"") == 32
    assert found["note"].blind is None
    assert (found["reference"].blind or b"none") in raw
    once = hmac.new(key, value, hashlib.sha256).digest()
    for guess in (PERSON.encode(), PERSON[::-1].encode(), b"Menon", value, hashlib.sha256(value).digest(), once):
        assert guess not in raw


def pictures() -> dict[str, bytes]:
    """Make a picture of noise in each format that is taken."""
    noise = np.random.default_rng(45).integers(0, 256, (64, 64, 3), np.uint8)
    made = {}
    for form in MAGIC:
        stream = io.BytesIO()
        Image.fromarray(noise).save(stream, form)
        made[form] = stream.getvalue()
    return made


@BOTH
async def test_req_45_images_that_are_kept_lie_sealed_only(tmp_path: Path) -> None:
    shots = pictures()
    async with api_over(tmp_path) as api, api.owner as owner:
        site = api.site
        person = site.sight.person()
        gallery = await opened(owner, keep_photos=True)
        subject = await entered(owner)
        assert (await consent(api, owner, subject)).status_code == 201
        for shot in shots.values():
            site.sight._pictures[shot] = (PaintedFace(site.sight.like(person, 0.97), (5, 7, 200, 240), WordyQuality()),)
            photo = f"/v1/galleries/{gallery}/subjects/{subject}/photos"
            assert (await owner.post(photo, data=WHY, files=upload(shot))).status_code == 201
        with site.store.read() as tx:
            assert sum(one.name.startswith("image_") for one in tx.fields.list(SubjectId(subject))) == len(shots)
        found = held(site.installation.folder(Role.GATE) / "gate.sqlite")
    found += b"".join(one.read_bytes() for one in site.installation.data.rglob("*") if one.is_file())
    assert subject.encode() in found
    for form, shot in shots.items():
        assert MAGIC[form].search(shot), "the magic is the format's"
        assert not MAGIC[form].search(found), form
        # From somewhere in the middle: a piece of the picture itself, as it is, and as text at any of its three turns.
        piece = shot[len(shot) // 2 :][:48]
        texts = [base64.b64encode(piece[turn:])[:40] for turn in range(3)]
        assert any(text in base64.b64encode(shot) for text in texts), "one of them is how the picture is carried"
        assert not any(plain in found for plain in (piece, *texts, piece.hex().encode())), form
