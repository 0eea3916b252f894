"""Those who work at the gate: a password, a stolen session, an administrator who wants to look."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import httpx

from moiety.access import DUTIES
from moiety.access import Role as Duty
from moiety.access.device_proofs import HEADER, to_text
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.drill.colleague import CALL_SECONDS, Browser, administrator
from moiety.drill.drill import Drill, Obtained, Tally
from moiety.drill.sweep_routes import FILLED
from moiety.foundation.errors import Fault
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moiety.drill.ground import Ground

ASKED = "/v1/operators"
WORDS = ("admin", "password", "moiety", "123456", "")
SHUT = frozenset({401, 403, 429})
MINE = frozenset(one.value for one in DUTIES[Duty.ADMINISTRATOR].may)


class Password(Drill):
    """Somebody with words, and with a passkey of his own."""

    name = "password"
    tried = (
        "with words and a colleague's credential id: signed in with passwords in bodies and headers, with a passkey of "
        "his own under that id, and with one that was used on another page or without a finger"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:passkey_unchecked"}

    def attack(self, ground: Ground) -> Obtained:
        """Count the sessions that were opened."""
        tally = Tally()
        with administrator(ground) as (_, passkey):
            words = sum(_by_words(ground, word) for word in WORDS)
            tally.add(words, f"{words} ways in by {len(WORDS)} passwords")
            own = SoftwareAuthenticator(origin=passkey.origin, rp_id=passkey.rp_id, credential=passkey.credential)
            elsewhere = SoftwareAuthenticator(rp_id=passkey.rp_id, secret=passkey.secret, credential=passkey.credential)
            no_finger = SoftwareAuthenticator(
                origin=passkey.origin,
                rp_id=passkey.rp_id,
                secret=passkey.secret,
                credential=passkey.credential,
                verified=False,
            )
            forged = sum(Browser(ground.url).sign_in(one).is_success for one in (own, elsewhere, no_finger))
            tally.add(forged, f"{forged} of 3 sessions by signatures that are none")
        return tally.obtained()


def _by_words(ground: Ground, word: str) -> int:
    """Count the ways in that a word opens."""
    browser = Browser(ground.url)
    record, _ = browser.begin()
    tries = [
        browser.ask("POST", "/v1/session", json={"record": record, "signer": "admin", "value": word}),
        browser.ask("POST", "/v1/session", json={"user": "admin", "password": word}),
        browser.ask("POST", "/v1/session", json={"record": record, "signer": to_text(b"admin"), "value": "AA"}),
    ]
    with httpx.Client(base_url=ground.url, trust_env=False, timeout=CALL_SECONDS) as anyone:
        tries.append(anyone.get(ASKED, auth=("admin", word)))
        tries.append(anyone.get(ASKED, headers={"authorization": f"Bearer {word or 'none'}"}))
    return sum(one.is_success for one in tries)


class StolenSession(Drill):
    """An operator's cookie in another's hands."""

    name = "stolen-session"
    tried = (
        "with an operator's cookie and requests that were seen, on another device: the cookie alone, with a key of his "
        "own, a proof once more, a proof for another address, and for another body"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:proof_unchecked"}

    def attack(self, ground: Ground) -> Obtained:
        """Count what was answered."""
        tally = Tally()
        with administrator(ground) as (browser, _):
            seen = browser.built("GET", ASKED)
            if not browser.http.send(seen).is_success:
                raise Fault("The operator's own request is refused; nothing would be proved.")
            thief = Browser(ground.url, session=browser.session)
            thief.http.cookies.update(browser.http.cookies)
            bare, own = thief.built("GET", ASKED), thief.built("GET", ASKED)
            del bare.headers[HEADER]
            again, moved = thief.built("GET", ASKED), thief.built("GET", "/v1/approvals")
            body = {"name": "a thief", "roles": ["officer"], "reason": "a drill"}
            changed = thief.built("POST", ASKED, json=body)
            again.headers[HEADER] = seen.headers[HEADER]
            moved.headers[HEADER] = browser.proof(browser.built("GET", ASKED))
            changed.headers[HEADER] = browser.proof(browser.built("POST", ASKED, json=body | {"name": "a colleague"}))
            tries = {"alone": bare, "with his key": own, "again": again, "elsewhere": moved, "changed": changed}
            opened = [how for how, request in tries.items() if thief.http.send(request).is_success]
            thief.http.close()
            tally.add(len(opened), f"{len(opened)} of {len(tries)} requests answered")
        return tally.obtained()


class Administrator(Drill):
    """An administrator who wants to look for people, or at them."""

    name = "administrator"
    tried = (
        "as an administrator who signed in: called every route that the gate describes and that is not theirs, "
        "made a key that looks for people, and asked for a role beside the own that does, alone"
    )
    weakness: ClassVar[Mapping[Role, str]] = {Role.GATE: "weak_gate:administrator_looks"}

    def attack(self, ground: Ground) -> Obtained:
        """Count the routes that let the administrator in."""
        tally = Tally()
        with administrator(ground) as (browser, _):
            routes = list(_not_mine(browser))
            if not routes or not browser.ask("GET", ASKED).is_success:
                raise Fault("The administrator cannot even administrate; nothing would be proved.")
            let_in = [path for method, path in routes if browser.ask(method, path).status_code not in SHUT]
            tally.add(len(let_in), f"let in by {len(let_in)} of {len(routes)} routes for others")
            key = {"name": "mine", "scopes": ["gallery:probe:identify"], "days": 1}
            made = browser.ask("POST", "/v1/keys", json=key).is_success
            tally.add(made, f"{int(made)} keys that look")
            me = browser.ask("GET", "/v1/session").json()["id"]
            roles = {"roles": ["officer"], "reason": "a drill"}
            given = browser.ask("PUT", f"{ASKED}/{me}/roles", json=roles).is_success
            tally.add(given, f"{int(given)} roles proposed for himself")
        return tally.obtained()


def _not_mine(browser: Browser) -> Iterator[tuple[str, str]]:
    """List every route that asks for what administrators do not have, by the gate's own description."""
    mine = MINE | {None, "that of the question"}
    for path, methods in browser.ask("GET", "/v1/openapi.json").json()["paths"].items():
        for method, about in methods.items():
            if about.get("x-moiety-permission") not in mine:
                yield method.upper(), FILLED.sub("any", path)
