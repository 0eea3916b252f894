"""Safeguards 27 and 57: stop and kill, pressed by one, kept by every part, lifted by two and by the vaults' keepers."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api_in_process import DAY, WHY, Api, upload, wired
from databases import BOTH
from moiety.foundation.errors import AlreadyThere, BadInput, Forbidden, Halted
from moiety.incidents.emergencies import press
from moiety.ledger import Ledger
from moiety.storage import Switch
from moiety.vault.emergency import Emergency
from moiety.vault.endorsed import Endorsed
from moiety.vault.policy import Needs
from moiety.warrants import targets
from moiety.warrants.warrant import Act, signed_with
from moiety.wire.kinds import Kind, Role
from parts_in_process import ASKER, VAULTS
from staffed import SIGN_AT, Person, first, invited
from vault_office import A, B, Office, office_in
from vault_people import Camera

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from vault_people import Session

pytestmark = BOTH

HERE = "/v1/emergencies"
REASON = {"reason": "a stranger has a colleague's phone"}
BOUND_SECONDS = 60.0


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with office_in(tmp_path) as made:
        yield made


@pytest.fixture
def api(office: Office) -> Api:
    return wired(office.site, sign_at=SIGN_AT)


async def team(api: Api) -> tuple[Person, Person, Person]:
    """Let an administrator, a vault operator and an officer come in."""
    ada = await first(api)
    ben = await invited(api, ada, "Ben Ali", "vault-operator")
    return ada, ben, await invited(api, ada, "Cy Young", "officer", second=ben)


async def lifted(by: Person, second: Person, switch: str) -> int:
    """Let go by two people; gives the status of the last step."""
    made = await by.post(f"{HERE}/{switch}/lift", json={"reason": "it was a drill"})
    assert made.status_code == 201, made.text
    assert (await by.post(f"/v1/approvals/{made.json()['id']}/carry-out")).status_code == 409
    assert (await second.approve(made.json()["id"])).status_code == 200
    return (await by.post(f"/v1/approvals/{made.json()['id']}/carry-out")).status_code


async def acts(api: Api, kind: str) -> list[Any]:
    ledger = api.site.desk.ledger
    return [one for one in await asyncio.to_thread(lambda: ledger.entries(limit=1000)) if one.act == kind]


async def seconds_until(state: Callable[[], Awaitable[bool]]) -> float:
    """Wait for a state; gives how long it took, and fails at the bound."""
    began = time.monotonic()
    async with asyncio.timeout(BOUND_SECONDS):
        while not await state():  # noqa: ASYNC110 - each look asks the running site; there is no event to wait for
            await asyncio.sleep(0)
    return time.monotonic() - began


async def test_req_27_the_stop_button_halts_matching_and_survives_restart_of_every_part(
    api: Api, office: Office
) -> None:
    site, gallery = office.site, office.gallery
    face = site.sight.person()
    subject = (await site.enrol(gallery, face)).subject
    people = await team(api)
    cy = people[2]

    async def asked(who: Person) -> set[tuple[int, str]]:
        """Ask in every way that matches; gives how each ended."""
        about = f"/v1/galleries/{gallery.id}"
        picture = api.photo(face)
        replies = [
            await who.post(f"{about}/identify", data=WHY, files=upload(picture)),
            await who.post(f"{about}/subjects/{subject}/verify", data=WHY, files=upload(picture)),
        ]
        return {(one.status_code, one.json().get("type", "").rpartition(":")[2]) for one in replies}

    assert await asked(cy) == {(200, "")}
    pressed = await cy.post(f"{HERE}/stop", json=REASON)
    assert (pressed.status_code, pressed.json()["stop"]["pressed_by"]) == (200, cy.id)
    assert {told["stopped"] for told in pressed.json()["vaults"].values()} == {True}
    assert await asked(cy) == {(403, "halted")}
    (entry,) = await acts(api, "stop-press")
    assert (entry.actor, site.desk.ledger.reasons(entry.seq)) == (cy.id, REASON["reason"])

    for role in VAULTS:
        await site.stop(role)
        await site.start(role)
    await site.restart_gate()
    after = wired(site, sign_at=SIGN_AT)
    with pytest.raises(Halted):
        await site.house.identifier.identify(gallery, api.photo(face), ASKER)

    await _a_gate_that_forgot_lets_nothing_go_on(office, api.photo(face))
    await _pressed_again_two_let_go(after, people)
    assert await asked(cy) == {(403, "halted")}, "the vaults still hold it"
    await site.let_go()
    assert await asked(cy) == {(200, "")}


async def _a_gate_that_forgot_lets_nothing_go_on(office: Office, picture: bytes) -> None:
    """See that each vault has a stop for itself, whatever a gate that was taken over forgets or tells."""
    site = office.site
    with site.store.begin() as tx:
        tx.emergencies.lift(Switch.STOP, "an-intruder", 0.0)
    with pytest.raises(Halted):
        await site.house.identifier.identify(office.gallery, picture, ASKER)
    await site.links.both(Kind.EMERGENCY, {"stop": False, "kill": False}, (), ())
    for role in VAULTS:
        assert site.vault(role)._policies.book.emergencies.now.stopped


async def _pressed_again_two_let_go(after: Api, people: tuple[Person, Person, Person]) -> None:
    """See that at a gate that began anew one person presses, but only two let go."""
    ada, ben, cy = people
    for one in people:
        one.device.api, one.device.http = after, after.client(base="http://localhost")
        assert (await one.device.sign_in(one.passkey)).status_code == 201
    assert (await cy.post(f"{HERE}/stop", json=REASON)).status_code == 200
    assert (await cy.post(f"{HERE}/stop/lift", json=REASON)).status_code == 403
    assert await lifted(ada, ben, "stop") == 200
    assert [one.actor for one in await acts(after, "stop-lift")] == [ada.id]


async def test_req_57_the_kill_switch_revokes_sessions_tokens_and_device_keys_within_60_s(
    api: Api, office: Office
) -> None:
    site = office.site
    ada, ben, cy = await team(api)
    await office.needs(asks=Needs.DEVICE, reveals=Needs.OPERATOR)
    key = api.key("gallery:manage:list")
    async with api.owner as owner:
        ticket = (await owner.post("/v1/tickets")).json()["path"]
        invitation = (await ada.post("/v1/operators", json={"name": "D", "roles": ["guard"], **REASON})).json()["id"]
        assert (await cy.approve(invitation)).status_code == 200
        way = (await ada.post(f"/v1/approvals/{invitation}/carry-out")).json()["result"]["way"]
    browser = api.client()
    await browser.get(ticket)
    session = office.ann.session(site.clock.now() + 8 * 3600)

    async def living() -> set[str]:
        """Give what still opens something."""
        found = set()
        for person in (ada, ben, cy):
            found |= {"session"} if (await person.get("/v1/galleries")).status_code == 200 else set()
        async with api.client(key) as program:
            found |= {"token"} if (await program.get("/v1/galleries")).status_code == 200 else set()
        found |= {"owner's session"} if (await browser.get("/v1/galleries")).status_code == 200 else set()
        found |= {"device"} if await office.answered(office.by_camera()) else set()
        return found | _sessions_at_vaults(office, session)

    everything = {"session", "token", "owner's session", "device", "session at vault-a", "session at vault-b"}
    assert await living() == everything
    assert (await cy.post(f"{HERE}/kill", json=REASON)).status_code == 403

    began = time.monotonic()
    assert (await ben.post(f"{HERE}/kill", json=REASON)).status_code == 200

    async def dead() -> bool:
        return await living() == set()

    await seconds_until(dead)
    assert time.monotonic() - began <= BOUND_SECONDS
    (entry,) = await acts(api, "kill-press")
    assert (entry.actor, '"keys_revoked":1' in entry.detail) == (ben.id, True)

    await _nobody_comes_in_anew(api, (ada, ben, cy), way)
    assert await lifted(ada, ben, "kill") == 200
    await site.let_go()
    assert await living() == {"session"}, "those who signed in since"
    assert (await cy.device.sign_in(cy.passkey)).status_code == 201
    await _a_device_is_enrolled_anew(office)


def _sessions_at_vaults(office: Office, session: Session) -> set[str]:
    """Give the vaults that still take what a person's session signs."""
    found = set()
    warrant = office.plain(Act.REVEAL, targets.of_policy(b"anything"))
    for role in VAULTS:
        guard = office.site.vault(role)._guard
        policy = office.site.vault(role)._cabinet.policy(office.gallery.id)
        with suppress(BadInput):
            guard.signers([signed_with(warrant, session.sign(warrant))], Act.REVEAL, policy)
            found.add(f"session at {role}")
    return found


async def _nobody_comes_in_anew(api: Api, people: tuple[Person, Person, Person], way: str) -> None:
    """See that only those come in who can lift it, and that nothing is let in by them."""
    ada, ben, cy = people
    assert (await cy.device.sign_in(cy.passkey)).status_code == 403
    assert (await ada.device.ask("POST", "/v1/join/begin", json={"code": way})).status_code == 401
    for one in (ada, ben):
        assert (await one.device.sign_in(one.passkey)).status_code == 201
    with pytest.raises(Forbidden):
        api.keys.issue("a-door", ["gallery:manage:list"], api.site.clock.now() + DAY)


async def _a_device_is_enrolled_anew(office: Office) -> None:
    """See that another key is let in, and the one that was killed never again."""
    site = office.site
    fresh = Camera(office.gallery.id, name="camera-8")
    roster = site.vault(A)._policies.book.roster
    await site.put_roster(devices=(*roster.devices, replace(fresh.device, door="door 8")))
    fresh.door = "door 8"
    assert await office.answered(office.by_camera(fresh))
    assert not await office.answered(office.by_camera())


async def test_a_kill_from_the_machine_while_the_console_hangs_ends_the_sessions_of_the_running_gate(api: Api) -> None:
    ada, _, _ = await team(api)
    store = api.site.store
    ledger = Ledger(store, api.site.place(Role.GATE).identity.keys.secret("reasons.key"))
    await asyncio.to_thread(press, store, ledger, Switch.KILL, "owner", "the console is out of reach")
    assert (await ada.get("/v1/galleries")).status_code == 401
    told = await api.app.state.gate.incidents.emergencies.carry()
    assert {one["killed"] for one in told.vaults.values()} == {True}


async def test_a_vault_that_was_away_is_told_when_it_is_back(api: Api, office: Office) -> None:
    await office.site.stop(B)
    emergencies = api.app.state.gate.incidents.emergencies
    told = await emergencies.press(Switch.STOP, "owner", "a drill")
    assert told.vaults["vault-b"] is None
    await office.site.start(B)
    assert (await emergencies.carry()).vaults["vault-b"]["stopped"]


async def test_only_keepers_let_go_and_never_of_a_dead_key(office: Office) -> None:
    book = office.site.vault(B)._policies.book
    emergencies = book.emergencies
    emergencies.press(stop=True, kill=True)
    now = emergencies.now
    assert emergencies.press(stop=True, kill=True) == now, "pressed already"
    free = replace(now, version=now.version + 1, stopped=0, killed=0)
    stranger = Endorsed(free.encode()).by(Ed25519PrivateKey.generate())
    for wrong, why in (
        (Endorsed(free.encode()), Forbidden),
        (stranger, Forbidden),
        (office.site.endorsed(replace(free, dead=())), BadInput),
        (office.site.endorsed(replace(free, version=now.version)), AlreadyThere),
        (office.site.endorsed(replace(free, tenant="another")), BadInput),
    ):
        with pytest.raises(why):
            emergencies.put(wrong)
    assert emergencies.put(office.site.endorsed(free)).stopped == 0
    assert Emergency.decode(free.encode()).dead == (office.camera.device.key,)


async def test_where_nobody_works_the_owner_of_the_machine_lets_go_and_no_program_does(api: Api) -> None:
    button = api.key("incident:stop:press")
    with pytest.raises(BadInput):
        api.key("incident:kill:press")
    async with api.client(button) as program:
        assert (await program.post(f"{HERE}/stop", json=REASON)).status_code == 200
        assert (await program.post(f"{HERE}/stop/lift-alone", json=REASON)).status_code == 403
    async with api.owner as owner:
        assert (await owner.post(f"{HERE}/stop/lift-alone", json=REASON)).json()["stop"] is None
        assert (await owner.post(f"{HERE}/stop/lift-alone", json=REASON)).status_code == 409
        assert (await owner.post(f"{HERE}/stop", json=REASON)).status_code == 200
    await first(api)
    async with api.owner as owner:
        assert (await owner.post(f"{HERE}/stop/lift-alone", json=REASON)).status_code == 403
