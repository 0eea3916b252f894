"""The witness's signing page in a real browser: passkeys are made and used, and what does not fit is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from browser.signing import Device, SigningSite, portrait
from moiety.vault.policy import Needs
from moiety.warrants.proofs import Assertion, SessionGrant, by_session
from moiety.warrants.warrant import Warrant
from signed_site import body, raw, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningSite]:
    with SigningSite(tmp_path_factory.mktemp("signing")) as made:
        yield made


@pytest.fixture(scope="module")
def people(browser: Browser, site: SigningSite) -> dict[str, Device]:
    """Ada and Ben, with a passkey each on the vaults' roster; every search needs one of them."""
    found = {name: Device() for name in ("ada", "ben")}
    page = browser.new_page()
    cards = {name: device.register(page, site.witness, name) for name, device in found.items()}
    page.close()
    site.seat(cards, asks=Needs.OPERATOR)
    return found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 390, "height": 844})
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, site: SigningSite, people: dict[str, Device]) -> Iterator[Page]:
    """Open the page on a phone; nothing may go wrong on it, and it asks nobody but the witness."""
    made = context.new_page()
    wrong: list[str] = []
    made.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "request",
        lambda one: None if one.url.startswith((site.witness, "blob:")) else wrong.append(f"request to {one.url}"),
    )
    made.goto(f"{site.witness}/sign")
    made.wait_for_selector("#empty:visible")
    yield made
    assert wrong == []
    assert people


def load(page: Page, question: dict[str, Any]) -> None:
    """Hand a question to the page as a file."""
    content = json.dumps(question).encode()
    page.set_input_files("#file", {"name": "question.json", "mimeType": "application/json", "buffer": content})
    page.wait_for_selector("#asked:visible, #refused:visible")


def refused(page: Page, question: dict[str, Any]) -> str:
    """Hand over what must be refused; gives the reason that the page tells."""
    load(page, question)
    assert page.is_visible("#refused")
    assert not page.is_visible("#sign")
    why = page.inner_text("#why")
    page.click("#refused .another")
    return why


def rewritten(question: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Alter the warrant of a question."""
    (paper,) = question["papers"]
    warrant = replace(Warrant.decode(raw(paper["warrant"])), **more)
    return question | {"papers": [paper | {"warrant": text(warrant.encode())}]}


def test_a_search_is_signed_and_the_vaults_take_it(page: Page, site: SigningSite, people: dict[str, Device]) -> None:
    told = site.ask()
    material = site.material(told["id"])
    load(page, material)
    shown = page.inner_text("#asked")
    assert page.inner_text("#title") == "Look for this face?"
    for words in ("a door of the site", site.gallery.id, "“friends”", "none given"):
        assert words in shown
    assert "min" in page.inner_text("#left")
    people["ada"].sign(page)
    given = json.loads(page.input_value("#signature"))
    warrant = Warrant.decode(raw(material["papers"][0]["warrant"]))
    assertion = Assertion.decode(raw(given["value"]))
    client = json.loads(assertion.client_data)
    assert raw(client["challenge"]) == warrant.digest()
    assert (client["type"], client["origin"]) == ("webauthn.get", site.witness)
    assert site.send(told["id"], given).json()["signed"] == 1
    answer = site.answer(told["id"])
    assert (answer["state"], len(answer["answer"]["faces"][0]["candidates"])) == ("answered", 1)


def test_the_frame_stands_around_the_face_that_is_asked_about(page: Page, site: SigningSite) -> None:
    load(page, site.material(site.ask()["id"]))
    x, y, w, h = page.evaluate(
        """() => {
          const picture = document.getElementById("picture").getBoundingClientRect();
          const frame = document.getElementById("frame").getBoundingClientRect();
          const scale = document.getElementById("picture").naturalWidth / picture.width;
          return [frame.x - picture.x, frame.y - picture.y, frame.width, frame.height].map((one) => one * scale);
        }"""
    )
    assert (round(x), round(y), round(w), round(h)) == pytest.approx((60, 40, 120, 150), abs=1)


def test_two_people_sign_the_same_number(page: Page, site: SigningSite, people: dict[str, Device]) -> None:
    told = site.ask(case="a case")
    material = site.material(told["id"])
    numbers, given = [], []
    for name in ("ada", "ben"):
        load(page, material)
        numbers.append(page.text_content("#digest"))
        assert "a case" in page.inner_text("#facts")
        people[name].sign(page)
        given.append(json.loads(page.input_value("#signature")))
        page.click("#byhand .another")
    assert numbers[0] == numbers[1]
    digest = Warrant.decode(raw(material["papers"][0]["warrant"])).digest().hex()
    assert (numbers[0] or "").replace(" ", "") == digest
    assert given[0]["signer"] != given[1]["signer"]


def test_another_picture_is_refused(page: Page, site: SigningSite) -> None:
    material = site.material(site.ask()["id"])
    assert "not the picture" in refused(page, material | {"picture": text(portrait(77))})
    assert "missing" in refused(page, material | {"picture": None})


def test_a_warrant_that_was_altered_is_refused(page: Page, site: SigningSite) -> None:
    material = site.material(site.ask()["id"])
    warrant = Warrant.decode(raw(material["papers"][0]["warrant"]))
    other = hashlib.sha256(b"another").digest()
    for more, words in (
        ({"box": (0, 0, 9, 9)}, "another face"),
        ({"gallery": "gal_aaaaaaaaaaaaaaaa"}, "different questions"),
        ({"nonce": other}, "different questions"),
        ({"statement_sha256": other}, "another statement"),
        ({"image_sha256": other}, "not the picture"),
        ({"target": other}, "something else"),
        ({"act": "enrol"}, "something else than the warrant says"),
        ({"act": "policy"}, "keepers"),
        ({"expires": warrant.issued + 601}, "longer than vaults allow"),
        ({"issued": warrant.issued - 900, "expires": warrant.issued - 600}, "has passed"),
        ({"issued": warrant.issued + 900, "expires": warrant.issued + 1200}, "future"),
    ):
        assert words in refused(page, rewritten(material, **more)), more
    (paper,) = material["papers"]
    bytes_ = raw(paper["warrant"])
    for broken in (bytes_[:-1], bytes_ + bytes(4), bytes_.replace(b"warrant/1", b"warrant/2"), b""):
        changed = material | {"papers": [paper | {"warrant": text(broken)}]}
        assert "damaged" in refused(page, changed)
    assert "not a question" in refused(page, {"moiety": "signature/1"})
    load(page, material)
    assert page.is_visible("#sign")


def test_what_is_erased_or_opened_is_checked_against_the_warrant(page: Page, site: SigningSite) -> None:
    site.seat_policy(erases=Needs.OPERATOR, reveals=Needs.OPERATOR)
    with site.owner() as owner:
        (subject,) = owner.get("galleries/friends/subjects").json()["subjects"]
        erase = owner.delete(f"galleries/friends/subjects/{subject['id']}", params={"reason": "a test"}).json()
        fields = {"fields": ["reference"], "reason": "a test"}
        reveal = owner.post(f"galleries/friends/subjects/{subject['id']}/reveal", json=fields).json()
    for told, title, about in (
        (erase, "Erase this person?", {"subject": "sub_aaaaaaaaaaaaaaaa"}),
        (reveal, "Open this field?", {"field": "phone"}),
    ):
        material = site.material(told["id"])
        load(page, material)
        assert page.inner_text("#title") == title
        assert subject["id"] in page.inner_text("#facts")
        assert not page.is_visible("#shown")
        (paper,) = material["papers"]
        lie = material | {"papers": [paper | {"about": paper["about"] | about}]}
        assert "something else" in refused(page, lie)


def test_a_session_that_was_opened_here_opens_fields(page: Page, site: SigningSite, people: dict[str, Device]) -> None:
    key = Ed25519PrivateKey.generate()
    now = int(site.api.site.clock.now())
    grant = SessionGrant(key.public_key().public_bytes_raw(), now + 3600)
    for other, words in (
        (replace(grant, expires=now + 13 * 3600), "twelve hours"),
        (replace(grant, expires=now - 1), "over already"),
        (replace(grant, key=bytes(31)), "damaged"),
    ):
        assert words in refused(page, {"moiety": "session/1", "grant": text(other.encode())})
    load(page, {"moiety": "session/1", "grant": text(grant.encode())})
    assert page.inner_text("#title") == "Open a session?"
    assert grant.key.hex() in page.inner_text("#facts").replace(" ", "")
    people["ada"].sign(page)
    given = json.loads(page.input_value("#signature"))
    assert (given["moiety"], raw(given["grant"])) == ("session-signed/1", grant.encode())
    site.seat_policy(reveals=Needs.OPERATOR)
    with site.owner() as owner:
        (subject,) = owner.get("galleries/friends/subjects").json()["subjects"]
        fields = {"fields": ["reference"], "reason": "a test"}
        told = owner.post(f"galleries/friends/subjects/{subject['id']}/reveal", json=fields).json()
    warrant = Warrant.decode(raw(site.material(told["id"])["papers"][0]["warrant"]))
    assertion = Assertion.decode(raw(given["value"]))
    signature = by_session(warrant, grant, raw(given["signer"]), assertion, key)
    assert site.send(told["id"], body(signature)).status_code == 200
    assert site.answer(told["id"])["answer"] == {"fields": {"reference": "Ada"}}


def test_without_the_owner_s_finger_nothing_is_signed(page: Page, site: SigningSite, people: dict[str, Device]) -> None:
    load(page, site.material(site.ask()["id"]))
    stranger = Device()
    stranger.sign(page)
    assert "No passkey was used" in page.inner_text("#trouble")
    people["ada"].verified = False
    people["ada"].sign(page)
    people["ada"].verified = True
    assert "No passkey was used" in page.inner_text("#trouble")
    assert page.is_visible("#asked")
    people["ada"].sign(page)
    assert page.is_visible("#done")


def test_the_page_works_at_its_own_address_only(context: BrowserContext, site: SigningSite) -> None:
    page = context.new_page()
    for path in ("sign", "register"):
        page.goto(site.witness.replace("localhost", "127.0.0.1") + f"/{path}")
        page.wait_for_selector("#elsewhere:visible")
        assert page.get_attribute("#home", "href") == f"{site.witness}/{path}"
        assert not page.is_visible("#stages")


def test_a_handle_that_no_roster_takes_is_not_made(context: BrowserContext, site: SigningSite) -> None:
    page = context.new_page()
    page.goto(f"{site.witness}/register")
    for name in ("", "two words", "-x"):
        page.fill("#name", name)
        page.click("#create")
        assert page.get_attribute("#name", "aria-invalid") == "true"
    assert "A handle has" in page.inner_text("#trouble")


def test_a_stranger_s_window_cannot_hand_over_a_question(
    context: BrowserContext, site: SigningSite, people: dict[str, Device]
) -> None:
    """A page of another origin opens the signing page and posts to it; only the gate's own origin is listened to."""
    material = site.material(site.ask()["id"])
    stranger = context.new_page()
    stranger.goto(site.witness.replace("localhost", "127.0.0.1") + "/")
    with context.expect_page() as opened:
        stranger.evaluate(
            "(at) => { window.told = []; window.onmessage = (e) => window.told.push(e.data); "
            "window.child = window.open(at, '_blank', 'popup'); }",
            f"{site.witness}/sign",
        )
    page = opened.value
    page.wait_for_selector("#empty:visible")
    stranger.evaluate("(question) => window.child.postMessage(question, '*')", material)
    page.wait_for_timeout(300)
    assert page.is_visible("#empty")
    assert stranger.evaluate("window.told") == []
    assert people
