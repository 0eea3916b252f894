"""Somebody has taken over the gate, with its memory and keys, and reaches for rows, fields and policies."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.hacked import THIEF, Thief, answered, take_over
from moiety.drill.hacked_questions import HOUR_SECONDS, REFUSED, VAULTS
from moiety.foundation.envelopes import seal_to
from moiety.foundation.errors import AlreadyThere, NotFound, OutOfStep, Unavailable, WarrantRefused
from moiety.foundation.ids import ROW_ID_BYTES
from moiety.kernel import quantise, split
from moiety.people.enrol import Who
from moiety.vault.policy import GalleryPolicy
from moiety.warrants import targets
from moiety.warrants.statement import Made, Pad, Statement, commit_row, face_nonce, row_label, sign
from moiety.warrants.warrant import Act
from moiety.wire.kinds import Kind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from moiety.drill.ground import Ground
    from moiety.foundation.ids import SubjectId
    from moiety.storage import Gallery

DIM = 512


class Enrol(Drill):
    """Puts numbers of his own into a gallery."""

    name = "hacked-enrol"
    tried = (
        "owned the gate and enrolled numbers of his choice, split and sealed by himself, under statements that he "
        "signed; enrolled the eye's own templates in other galleries, for other acts, changed and mixed up"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:statements_unsigned")

    def attack(self, ground: Ground) -> Obtained:
        """Enrol."""
        return take_over(ground, self._enrol)

    async def _enrol(self, thief: Thief) -> Obtained:
        """Count the rows that both vaults take."""
        gallery, other = await thief.gallery("enrol"), await thief.gallery("enrol-other")
        tally = Tally()
        to_a, to_b = _chosen_row(thief, gallery, thief.house.desk.secrets.service)
        got = await _prepare(thief, gallery, to_a, to_b)
        tally.add(got, f"{got} vaults took chosen numbers")
        picture = thief.ground.photos.probe.read_bytes()
        answer = await thief.house.desk.links.eye.call(Kind.TEMPLATE, thief.setting(gallery), [os.urandom(32), picture])
        statement, signature, for_a, for_b = map(bytes, answer.buffers)
        changed = replace(Statement.decode(statement), row=bytes(16)).encode()
        ways: tuple[tuple[str, Gallery, Act, bytes, bytes, bytes], ...] = (
            ("in another gallery", other, Act.ENROL, statement, for_a, for_b),
            ("under a search warrant", gallery, Act.SEARCH, statement, for_a, for_b),
            ("with halves mixed up", gallery, Act.ENROL, statement, for_b, for_a),
            ("with another row's id", gallery, Act.ENROL, changed, for_a, for_b),
        )
        for what, where, act, said, a, b in ways:
            warrant = thief.house.desk.warrant_for(act, where, said, THIEF)
            both = [warrant, said, signature]
            got = await _prepare(thief, where, [*both, a], [*both, b])
            tally.add(got, f"{got} took the eye's own template {what}")
        probe = await thief.probe(gallery)
        to_a, to_b = thief.face(gallery, probe, Act.ENROL)
        got = await _prepare(thief, gallery, to_a, to_b)
        tally.add(got, f"{got} took a probe for a template")
        return tally.obtained()


async def _prepare(thief: Thief, gallery: Gallery, to_a: list[bytes], to_b: list[bytes]) -> int:
    """Offer a row to both vaults."""
    meta = {"gallery": gallery.id}
    return answered(await thief.ask(Kind.PREPARE, meta, meta, to_a, to_b), *REFUSED)


def _chosen_row(thief: Thief, gallery: Gallery, key: Ed25519PrivateKey) -> tuple[list[bytes], list[bytes]]:
    """Make a template of chosen numbers, split and seal it as the eye would, and sign the statement with `key`."""
    drawn = np.random.default_rng().standard_normal(DIM)
    template = quantise((drawn / np.linalg.norm(drawn)).astype(np.float32))
    row_id, seed, salt, nonce = os.urandom(16), os.urandom(32), os.urandom(32), face_nonce(os.urandom(32), 0)
    setting, desk = thief.setting(gallery), thief.house.desk
    at = (desk.tenant, str(gallery.id), row_id, int(setting["epoch"]))
    row = split(template, seed, row_label(*at)).tobytes()
    commitment = commit_row(*at, salt, row)
    statement = Statement(
        made=Made.TEMPLATE,
        tenant=desk.tenant,
        gallery=gallery.id,
        image_sha256=bytes(32),
        box=(0, 0, 1, 1),
        model=bytes.fromhex(gallery.model_sha256),
        rotation=bytes.fromhex(gallery.rotation_id),
        pad=Pad.UNKNOWN,
        row=row_id,
        epoch=int(setting["epoch"]),
        commitment=commitment,
        nonce=nonce,
        issued=int(desk.clock.now()),
    )
    both = [desk.warrant_for(Act.ENROL, gallery, statement.encode(), THIEF), statement.encode(), sign(statement, key)]
    gate = thief.ground.place(Role.GATE)
    halves = ((Role.VAULT_A, "a", salt + row), (Role.VAULT_B, "b", seed + commitment))
    to_a, to_b = (seal_to(gate.sealing(role), raw, targets.sealing_bound(half, nonce)) for role, half, raw in halves)
    return [*both, to_a], [*both, to_b]


class ReadBeyond(Drill):
    """Reads people's fields beyond the budget."""

    name = "hacked-read"
    FIELDS = 30
    BUDGET = 10
    tried = (
        f"owned the gate and revealed {FIELDS} fields of people where the documented budget is {BUDGET} an hour; "
        "opened fields with warrants for other acts, galleries, fields and people"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.VAULT_B: "weak_vaults:budgets_off"}

    def attack(self, ground: Ground) -> Obtained:
        """Read."""
        return take_over(ground, self._read)

    async def _read(self, thief: Thief) -> Obtained:
        """Count the fields that come beyond the budget, and those that come by a wrong warrant."""
        gallery = await thief.gallery("read", reveals_per_hour=self.BUDGET)
        other = await thief.gallery("read-other")
        fields = {f"f{number}": f"value {number}" for number in range(self.FIELDS)}
        image = thief.ground.photos.enrol["Barack Obama"][0].read_bytes()
        subject = (await thief.house.enroller.enrol(gallery, image, Who(reference="one", fields=fields), THIEF)).subject
        second = (await thief.enrol(gallery, "Joe Biden")).subject
        sealed = dict(
            thief.ground.read(Role.GATE, "SELECT name, wrapped_key FROM subject_field WHERE subject_id = ?", subject)
        )
        began = int(time.time()) // HOUR_SECONDS
        wrong: tuple[dict[str, Any], ...] = (
            {"act": Act.SEARCH},
            {"gallery": other},
            {"target_wrapped": sealed["f2"]},
            {"klass": "label"},
            {"handle": targets.person_handle(thief.house.desk.tenant, gallery.id, second)},
            {"name": "f3"},
        )
        tally = Tally()
        got = sum([await _reveal(thief, gallery, subject, "f1", sealed["f1"], **change) for change in wrong])
        tally.add(got, f"{got} of {len(wrong)} fields opened by wrong warrants")
        asked = {"gallery": gallery.id, "names": [[subject, "f1", "field"]]}
        handle = targets.person_handle(thief.house.desk.tenant, gallery.id, subject)
        drawn = await thief.house.desk.links.b.call(Kind.WRAP, asked, [handle])
        old = bytes(drawn.buffers[1]) == sealed["f1"]
        tally.add(old, f"{int(old)} old keys by asking for a new one")
        read = sum([await _reveal(thief, gallery, subject, name, sealed[name]) for name in fields])
        hours = int(time.time()) // HOUR_SECONDS - began + 1
        beyond = max(0, read - hours * self.BUDGET)
        tally.add(beyond, f"{read} of {self.FIELDS} fields read, {beyond} beyond the budget of {hours} h")
        return tally.obtained()


async def _reveal(thief: Thief, where: Gallery, subject: SubjectId, field: str, wrapped: bytes, **change: Any) -> int:
    """Ask B for one field key, with parts of the warrant or question changed."""
    desk = thief.house.desk
    handle = change.get("handle", targets.person_handle(desk.tenant, where.id, subject))
    target = targets.of_field(handle, subject, field, change.get("target_wrapped", wrapped))
    warrant = desk.plain_warrant(change.get("act", Act.REVEAL), change.get("gallery", where), "", target)
    names = [[subject, change.get("name", field), change.get("klass", "field")]]
    asked = desk.links.b.call(Kind.REVEAL, {"gallery": where.id, "names": names}, [warrant, handle, wrapped])
    return answered(await asyncio.gather(asked, return_exceptions=True), WarrantRefused)


class Erase(Drill):
    """Takes people out of a gallery, or moves their rows."""

    name = "hacked-erase"
    tried = (
        "owned the gate and reached for live rows: erased them under warrants for other rows and acts, aborted, moved "
        "and forgot them, dropped the gallery"
    )
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:erasures_of_anything")

    def attack(self, ground: Ground) -> Obtained:
        """Reach for rows."""
        return take_over(ground, self._erase)

    @staticmethod
    async def _erase(thief: Thief) -> Obtained:
        """Count the rows that are gone or moved afterwards."""
        gallery = await thief.gallery("erase")
        people = [await thief.enrol(gallery, person) for person in ("Barack Obama", "Joe Biden")]
        before, desk = await thief.rows(gallery), thief.house.desk
        row, meta = before[0], {"gallery": gallery.id}
        everything = meta | {"all": True}
        await thief.ask(Kind.ABORT, everything, everything, [b""], [b""])
        await thief.ask(Kind.ABORT, meta, meta, [row], [row])
        for person in people:
            await desk.links.b.call(Kind.FORGET, meta, [targets.person_handle(desk.tenant, gallery.id, person.subject)])
        tally = Tally()
        never = meta | {"places": [[os.urandom(16).hex(), 99]], "people": []}
        moved = meta | {"places": [[row.hex(), 77]], "people": []}
        for what, about in (("made up", never), ("moved", moved)):
            got = answered(await thief.ask(Kind.COMMIT, about, about, [], []), NotFound, OutOfStep)
            tally.add(got, f"{got} vaults {what} a row")
        shown = await thief.ask(Kind.ROWS, meta, meta, [], [])
        more = sum(len(bytes(buffer)) - ROW_ID_BYTES * len(before) for one in shown for buffer in one.buffers)
        tally.add(more, f"{more} bytes of rows shown beside their ids")
        got = answered(await thief.ask(Kind.POLICY_DROP, meta, meta, [], []), AlreadyThere)
        tally.add(got, f"{got} dropped the gallery")
        for_another = targets.of_erasure([os.urandom(16)], b"")
        for act in (Act.ERASE, Act.REVEAL):
            parts = [desk.plain_warrant(act, gallery, "", for_another), row, b""]
            got = answered(await thief.ask(Kind.ERASE, meta, meta, parts, parts), *REFUSED)
            tally.add(got, f"{got} erased a row by a warrant to {act} another")
        after = await thief.rows(gallery)
        tally.add(before != after, f"{len(after)} of {len(before)} rows are where they were")
        keys = thief.ground.read(Role.VAULT_B, "SELECT count(*) FROM person WHERE gallery = ?", gallery.id)[0][0]
        tally.add(len(people) - keys, f"{keys} of {len(people)} personal keys are there")
        return tally.obtained()


class Loosen(Drill):
    """Loosens a gallery's policy."""

    name = "hacked-loosen"
    tried = "owned the gate and put looser policies over one in force: lower thresholds, larger budgets"
    weakness: ClassVar[Mapping[Role, str]] = dict.fromkeys(VAULTS, "weak_vaults:galleries_opened_anew")

    def attack(self, ground: Ground) -> Obtained:
        """Put policies."""
        return take_over(ground, self._loosen)

    @staticmethod
    async def _loosen(thief: Thief) -> Obtained:
        """Count the vaults that take a looser policy."""
        gallery = await thief.gallery("loosen")
        query = "SELECT raw FROM policy WHERE gallery = ?"
        policy = GalleryPolicy.decode(thief.ground.read(Role.VAULT_A, query, gallery.id)[0][0])
        changes: tuple[dict[str, Any], ...] = (
            {"thresholds": (3300, *policy.thresholds[1:])},
            {"thresholds": (1,)},
            {"probes_per_hour": 99_999},
            {"version": 2, "probes_per_hour": 99_999},
        )
        got = 0
        for change in changes:
            looser = replace(policy, **change).encode()
            target = targets.of_policy(looser)
            warrants = [thief.house.desk.plain_warrant(Act.POLICY, gallery, "", target) for _ in VAULTS]
            told = await thief.ask(Kind.POLICY_SET, {}, {}, [warrants[0], looser], [warrants[1], looser])
            got += answered(told, WarrantRefused, AlreadyThere, Unavailable)
        return Obtained(got, f"{got} vaults took one of {len(changes)} looser policies")
