"""Those who may look, and look too much: a scraper who pages through people, somebody who stalks one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from moiety.drill import household
from moiety.drill.colleague import administrator, hired
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.foundation.errors import Fault
from moiety.foundation.settings import number
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moiety.drill.colleague import Browser
    from moiety.drill.ground import Ground

BEYOND = 10
WHY = {"reason": "a drill"}


class Scraper(Drill):
    """An officer who pages through people and opens one after the other."""

    name = "scraper"
    tried = (
        "as an officer who signed in: paged through a gallery's people for names that are not masked, opened a field "
        "of one person after the other, guessed references, then opened a decoy that stands among them, and went on"
    )
    weakness: ClassVar[Mapping[Role, str]] = {
        Role.GATE: "weak_gate:looks_unwatched",
        Role.VAULT_B: "weak_vaults:budgets_off",
    }

    def attack(self, ground: Ground) -> Obtained:
        """Count what was shown beyond the budget of an hour, and what after the decoy."""
        gallery, most = ground.name("scraped"), number("MOIETY_PERSON_FIELDS_HOUR")
        with ground.owner() as line:
            line.ask("POST", "galleries", json={"name": gallery, "purpose": household.PURPOSE})
            for index in range(most + BEYOND):
                person = {"reference": f"Umbelline Wragby {index}", "fields": {"note": f"n{index}"}, **WHY}
                line.ask("POST", f"galleries/{gallery}/people", json=person)
        tally = Tally()
        with administrator(ground) as (ada, _), hired(ground, ada, "officer") as officer:
            decoy = {"reference": "Umbelline Wragby", "fields": {"note": "nobody"}, **WHY}
            planted = ada.ask("POST", f"/v1/galleries/{gallery}/decoys", json=decoy).json()["subject_id"]
            people, pages = _paged(officer, gallery)
            if len(people) != most + BEYOND + 1:
                raise Fault("The drill's officer cannot even list people; nothing would be proved.")
            bare = household.find_words(pages, ["Umbelline", "Wragby"])
            tally.add(len(bare), f"{len(bare)} names that are not masked in lists")
            real = [one for one in people if one != planted]
            got = sum(_opened(officer, gallery, one) for one in real)
            if not got:
                raise Fault("The drill's officer cannot open anything; nothing would be proved.")
            tally.add(max(0, got - most), f"{got} of {len(real)} people opened where {most} an hour are allowed")
            names = [f"Umbelline Wragby {index}" for index in range(BEYOND)]
            before = ada.ask("GET", "/v1/ledger").json()["head"]["size"]
            found = sum(_found(officer, gallery, one) for one in names)
            stand = ada.ask("GET", "/v1/ledger", params={"limit": 1000, "after": before}).text.count('"find"')
            tally.add(max(0, found - stand), f"{found} references guessed, {stand} of them in the ledger")
            shown = _opened(officer, gallery, planted)
            lists = officer.ask("GET", f"/v1/galleries/{gallery}/people", params=WHY).is_success
            tally.add(shown + lists, f"{int(shown)} decoys shown, {int(lists)} lists after it")
            told = {one["kind"] for one in ada.ask("GET", "/v1/alerts").json()["alerts"]}
            missing = {"budget", "canary"} - told
            tally.add(len(missing), f"{len(missing)} of 2 alerts did not reach another unit")
        return tally.obtained()


def _paged(officer: Browser, gallery: str) -> tuple[list[str], list[bytes]]:
    """Page through the people of a gallery; gives their ids, and the pages."""
    people: list[str] = []
    pages: list[bytes] = []
    more: dict[str, str] = {}
    while True:
        reply = officer.ask("GET", f"/v1/galleries/{gallery}/people", params={"limit": 50, **more, **WHY})
        if not reply.is_success:
            return people, pages
        pages.append(reply.content)
        people += [one["subject_id"] for one in reply.json()["people"]]
        if reply.json()["next"] is None:
            return people, pages
        more = {"after": reply.json()["next"]}


def _opened(officer: Browser, gallery: str, subject: str) -> bool:
    """Whether a field of somebody is shown."""
    path = f"/v1/galleries/{gallery}/subjects/{subject}/reveal"
    return officer.ask("POST", path, json={"fields": ["reference"], **WHY}).is_success


def _found(officer: Browser, gallery: str, reference: str) -> bool:
    """Whether somebody is told that there is a person of this reference."""
    asked = {"reference": reference, **WHY}
    return officer.ask("POST", f"/v1/galleries/{gallery}/find", json=asked).is_success


class Stalker(Drill):
    """An officer who searches for the same person again and again."""

    name = "stalker"
    tried = (
        "as an officer who signed in: searched for one person again and again, by photos of them, by comparing and by "
        "the reference; counted those of whom no other unit heard"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:looks_unwatched"}

    def attack(self, ground: Ground) -> Obtained:
        """Search once by each way too often, and look into the inbox of another unit."""
        home, most = household.move_in(ground), number("MOIETY_REPEATS")
        with ground.owner() as line:
            asked = {"reference": household.NAMES["Barack Obama"], **WHY}
            subject = str(line.ask("POST", f"galleries/{home.gallery}/find", json=asked)["subject_id"])
        with administrator(ground) as (ada, _), hired(ground, ada, "officer") as officer:
            _searched(officer, home.gallery, ground.photos.probe.read_bytes(), subject, most)
            alerts = ada.ask("GET", "/v1/alerts").json()["alerts"]
            told = [one for one in alerts if (one["kind"], one["subject_id"]) == ("repeated", subject)]
            own = officer.ask("GET", "/v1/alerts").is_success
        tally = Tally()
        tally.add(not told, f"{most} searches for one person, {len(told)} alerts in another unit's inbox")
        tally.add(own, f"{int(own)} looks of the officer into that inbox")
        return tally.obtained()


def _searched(officer: Browser, gallery: str, picture: bytes, subject: str, times: int) -> None:
    """Search for one person by three ways in turn.

    Raises:
        Fault: a search does not find them, so that nothing would be proved.

    """
    path, image = f"/v1/galleries/{gallery}", {"image": ("picture", picture)}
    for index in range(times):
        if index % 3 == 0:
            reply, sign = officer.ask("POST", f"{path}/identify", data=WHY, files=image), subject
        elif index % 3 == 1:
            reply, sign = officer.ask("POST", f"{path}/subjects/{subject}/verify", data=WHY, files=image), '"same":true'
        else:
            asked = {"reference": household.NAMES["Barack Obama"], **WHY}
            reply, sign = officer.ask("POST", f"{path}/find", json=asked), subject
        if not reply.is_success or sign not in reply.text:
            raise Fault("The drill's officer finds nobody; nothing would be proved.")
