"""Parts restored from moments that do not belong together: after a reconciliation nobody is half there, nobody undead.

All parts run in one process over real TLS; backups, restores and the start after them are the product's own.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from moiety.archive import age_keys
from moiety.archive.holdings import STATE, Holdings
from moiety.archive.reading import key_of
from moiety.archive.restoring import Expected, Folders, restore
from moiety.archive.tables import snapshot
from moiety.archive.writing import Order, Writer
from moiety.cli.backup.reconciling_gate import Reconciling
from moiety.cli.backup.reviving_gate import revive_gate
from moiety.foundation.disk import SYSTEM_DISK
from moiety.foundation.errors import BadInput
from moiety.matching.links import Links
from moiety.people.enrol import Who
from moiety.storage import IntentKind, IntentState
from moiety.vault import burial
from moiety.warrants import targets
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, InProcess

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from moiety.archive.places import Backup
    from moiety.foundation.ids import SubjectId
    from moiety.storage import Gallery

VAULTS = (Role.VAULT_A, Role.VAULT_B)
PEOPLE = (Role.GATE, *VAULTS)


@dataclass
class Life:
    """One installation, its people, and backups of its parts."""

    site: InProcess
    gallery: Gallery
    folder: Path
    operator: Path
    people: dict[SubjectId, NDArray[Any]] = field(default_factory=dict)
    erased: dict[SubjectId, NDArray[Any]] = field(default_factory=dict)
    kept: dict[Role, list[list[Backup]]] = field(default_factory=lambda: {role: [] for role in PEOPLE})

    @classmethod
    async def begin(cls, site: InProcess, folder: Path) -> Life:
        operator = folder / "operator.key"
        age_keys.new_operator(operator)
        return cls(site, await site.gallery(), folder, operator)

    # ---- what happens ----

    async def enrol(self, reference: str | None = None) -> SubjectId:
        face = self.site.sight.person()
        done = await self.site.enrol(self.gallery, face, Who(reference=reference))
        self.people[done.subject] = face
        return done.subject

    async def erase(self, subject: SubjectId) -> None:
        await self.site.house.eraser.subject(self.gallery, subject, ASKER)
        self.erased[subject] = self.people.pop(subject)
        handle = targets.person_handle(self.site.installation.tenant, self.gallery.id, subject)
        for _ in range(1000):
            if handle in self.tombstones():
                return
            await asyncio.sleep(0.01)
        pytest.fail("the witness was not told")

    def tombstones(self) -> set[bytes]:
        with snapshot(self.site.installation.folder(Role.WITNESS) / "tombstones.sqlite") as moment:
            return {row for (row,) in moment.read("SELECT row_id FROM tombstone")}

    def holdings(self, role: Role) -> Holdings:
        made = self.site.installation
        return Holdings(role, made.folder(role), made.keys / role)

    async def back_up(self, role: Role) -> None:
        self.site.clock.move(1)
        to = self.folder / "store" / role
        recipient = str(age_keys.operator(self.operator)[0].to_public())
        at = self.site.place(role)
        writer = Writer(at.installation.tenant, self.holdings(role), at.identity.signing, at.clock, SYSTEM_DISK)
        order = Order(to, to / "seeds", to / "keys", recipient, 30, 7)
        self.kept[role].append(await asyncio.to_thread(writer.take, order))

    async def restore(self, role: Role, number: int) -> None:
        """Put a part back to one of its backups, and start it."""
        files = sorted(self.kept[role][number], key=lambda one: one.about.part != STATE)
        pairs = [(one.path, key_of(one.path, age_keys.operator(self.operator), None)) for one in files]
        made = self.site.installation
        folders = Folders(made.data, made.keys / role, role)
        if role is Role.GATE:
            self.site.store.close()
        else:
            await self.site.stop(role)
        restore(folders, pairs, Expected(made.tenant, ()), self.site.clock, SYSTEM_DISK, replace=True)
        if role is Role.GATE:
            self.site.open_gate()
            await revive_gate(self.site.place(Role.GATE), self.site.desk)
        else:
            await self.site.start(role)

    async def reconcile(self) -> dict[str, Any]:
        """Reconcile as `moiety reconcile --apply` does; gives what was told of the one gallery."""
        reconciling = Reconciling(self.site.place(Role.GATE), self.site.house)
        told = await reconciling.reconcile({"apply": True})
        if told["plan"]:
            for role in VAULTS:
                await self.site.vault(role).words()["drop"]({"plan": told["plan"]})
        found: dict[str, Any] = told["galleries"][0]
        return found

    # ---- what must be true ----

    def rows(self, role: Role) -> list[tuple[bytes, int]]:
        queries = {
            Role.GATE: "SELECT row_id, seq FROM template WHERE state = 'active' ORDER BY seq",
            Role.VAULT_A: "SELECT row_id, seq FROM row WHERE state = 'live' ORDER BY seq",
        }
        name = "gate.sqlite" if role is Role.GATE else "journal.sqlite"
        with snapshot(self.site.installation.folder(role) / name) as moment:
            return [tuple(row) for row in moment.read(queries.get(role, queries[Role.VAULT_A]))]

    async def check(self) -> set[SubjectId]:
        """Check that nobody is half there and nobody undead; gives who is found."""
        assert self.rows(Role.GATE) == self.rows(Role.VAULT_A) == self.rows(Role.VAULT_B)
        buried = self.tombstones()
        assert not buried & {row for row, _ in self.rows(Role.VAULT_A)}
        with snapshot(self.site.installation.folder(Role.VAULT_B) / "journal.sqlite") as moment:
            handles = {handle for (handle,) in moment.read("SELECT handle FROM person WHERE state = 'live'")}
        assert not buried & handles
        listed = {one.id for one in await self.site.house.directory.page(self.gallery)}
        assert not listed & self.erased.keys()
        assert handles <= {targets.person_handle(self.site.installation.tenant, self.gallery.id, one) for one in listed}
        for face in self.erased.values():
            assert await self.site.found(self.gallery, face) == set()
        found = {subject for subject, face in self.people.items() if await self.site.found(self.gallery, face)}
        for subject in found:
            assert await self.site.found(self.gallery, self.people[subject]) == {subject}
        return found


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the witness hear at once."""
    monkeypatch.setattr(burial, "LOOK_SECONDS", 0.01)


@pytest.mark.parametrize("role", PEOPLE)
async def test_a_part_that_was_restored_loses_who_came_later_and_nobody_else(tmp_path: Path, role: Role) -> None:
    async with InProcess(tmp_path) as site:
        life = await Life.begin(site, tmp_path)
        stays, goes = await life.enrol("stays"), await life.enrol("goes")
        await life.back_up(role)
        await life.erase(goes)
        named, nameless = await life.enrol("named"), await life.enrol()
        await life.restore(role, 0)
        told = await life.reconcile()
        assert await life.check() == {stays}
        if role is Role.GATE:
            assert (told["dropped"], told["photo_lost"]) == ([], [])
            assert (told["at_vault_a"], told["at_vault_b"]) == (2, 2)
        elif role is Role.VAULT_A:
            assert (told["dropped"], told["photo_lost"]) == ([nameless], [named])
        else:
            # B's personal key of who came later is gone too: what was sealed can be read no more.
            assert (set(told["dropped"]), told["photo_lost"]) == ({nameless, named}, [])
        again = await life.reconcile()
        assert (again["whole"], again["at_vault_a"], again["at_vault_b"], again["dropped"]) == (1, 0, 0, [])
        late = await life.enrol("later still")
        assert await life.check() == {stays, late}


async def test_a_subject_who_lost_the_photo_can_be_named_and_enrolled_again(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        life = await Life.begin(site, tmp_path)
        await life.enrol()
        await life.back_up(Role.VAULT_A)
        named = await life.enrol("somebody")
        await life.restore(Role.VAULT_A, 0)
        assert (await life.reconcile())["photo_lost"] == [named]
        assert await site.house.fields.labels(life.gallery, [named], ASKER) == {named: "somebody"}
        again = await site.enrol(life.gallery, life.people[named], Who(reference="somebody"))
        assert again.subject == named
        assert named in await life.check()


async def test_an_enrolment_that_was_decided_and_whose_row_is_gone_is_closed(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        life = await Life.begin(site, tmp_path)
        stays = await life.enrol()
        await life.back_up(Role.VAULT_A)
        lost = await life.enrol()
        # As after a crash between the gate's decision and the vaults' answer.
        with site.store.begin() as tx:
            rows = [template.row_id for template in tx.templates.of_subject(lost)]
            tx.intents.open(
                IntentKind.ENROL, life.gallery.id, subject_id=lost, row_ids=rows, state=IntentState.COMMITTING
            )
        await life.restore(Role.VAULT_A, 0)
        told = await life.reconcile()
        assert told["dropped"] == [lost]
        assert await life.check() == {stays}
        with site.store.read() as tx:
            assert tx.intents.pending() == ()


async def test_an_enrolment_that_a_restored_gate_had_not_decided_goes_at_the_vaults_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with InProcess(tmp_path) as site:
        life = await Life.begin(site, tmp_path)
        stays = await life.enrol()
        real = Links.both

        async def both(self: Links, kind: Kind, *given: Any) -> Any:
            answers = await real(self, kind, *given)
            if kind is Kind.PREPARE:
                await life.back_up(Role.GATE)
            return answers

        with monkeypatch.context() as patched:
            patched.setattr(Links, "both", both)
            lost = await life.enrol()
        life.erased[lost] = life.people.pop(lost)
        await life.restore(Role.GATE, 0)
        await life.reconcile()
        assert await life.check() == {stays}
        # Its place is free again.
        came = await life.enrol()
        assert await life.check() == {stays, came}


async def test_a_plan_is_carried_out_only_where_it_belongs(tmp_path: Path) -> None:
    async with InProcess(tmp_path) as site:
        life = await Life.begin(site, tmp_path)
        stays = await life.enrol()
        row = life.rows(Role.VAULT_A)[0][0].hex()
        plan = {"tenant": "ten_other", "galleries": {life.gallery.id: {"vault-a": [row], "vault-b": [], "people": []}}}
        path = tmp_path / "plan.json"
        drop = site.vault(Role.VAULT_A).words()["drop"]
        for content in (json.dumps(plan), "[]", json.dumps({"tenant": 1}), ""):
            path.write_text(content)
            with pytest.raises(BadInput):
                await drop({"plan": str(path)})
        assert await life.check() == {stays}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_restored_in_whatever_order_nobody_is_half_there_or_undead(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a seeded walk, no secret
    async with InProcess(tmp_path, seed=seed + 1) as site:
        life = await Life.begin(site, tmp_path)
        for role in PEOPLE:
            await life.enrol()
            await life.back_up(role)
        for step in range(24):
            act = dice.choice(["enrol", "enrol", "named", "erase", "back up", "back up", "restore"])
            there = sorted(await life.check())
            if act == "enrol":
                await life.enrol()
            elif act == "named":
                await life.enrol(f"somebody {step}")
            elif act == "erase" and there:
                await life.erase(dice.choice(there))
            elif act == "back up":
                await life.back_up(dice.choice(PEOPLE))
            elif act == "restore":
                for role in dice.sample(PEOPLE, dice.randint(1, 3)):
                    await life.restore(role, dice.randrange(len(life.kept[role])))
                await life.reconcile()
                # Who was let go may be enrolled again; until then they are nobody.
                found = await life.check()
                life.people = {one: face for one, face in life.people.items() if one in found}
        await life.check()
