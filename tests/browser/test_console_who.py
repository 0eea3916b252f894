"""The page "Who is this?" in a real browser, over a real installation and real photos."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from moiety.people.masks import masked
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.watched import Watched
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


def said(page: Page) -> str:
    return page.inner_text("#said")


def test_a_stranger_learns_how_to_come_in_and_nothing_else(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.site.url)
    assert page.inner_text("h1") == "You are not signed in"
    assert "moiety open" in page.inner_text("main")
    assert "friends" not in page.content()


def test_a_ticket_opens_the_console_once(watched: Watched) -> None:
    ticket = watched.ticket()
    watched.page.goto(ticket)
    assert watched.page.url == watched.site.url + "/"
    assert watched.page.inner_text("h1") == "What needs you now"
    (cookie,) = watched.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    watched.expected.add("401")
    again = watched.page.goto(ticket)
    assert again is not None
    assert again.status == 401
    assert "spent" in watched.page.inner_text("main")


def test_a_chosen_photo_is_answered_with_a_name(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    watched.choose(photos.probe)
    assert page.inner_text(".face .name") == masked(photos.probe_shows)
    assert page.inner_text(".face .band").strip() == "strong match"
    assert "1 in 1,000,000" in page.inner_text(".face .meaning")
    assert page.inner_text(".face .remarks").startswith("Picture:")
    assert said(page) == "One face, with a candidate."
    assert page.text_content("#spoken") == f"Face 1: {masked(photos.probe_shows)}, strong match."
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_selector("#proof .entries a")
    page.click(".face button")
    page.wait_for_selector(f".face .name:has-text('{photos.probe_shows}')")


def test_the_frame_lies_on_the_face(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    watched.choose(photos.probe)
    with watched.site.owner() as owner:
        files = {"image": ("picture", photos.probe.read_bytes())}
        face = owner.post("galleries/friends/identify", data={"reason": "a test"}, files=files).json()["faces"][0]
    place = page.evaluate(
        """() => {
          const picture = document.getElementById("picture").getBoundingClientRect();
          const frame = document.querySelector(".frame").getBoundingClientRect();
          const { naturalWidth: w, naturalHeight: h } = document.getElementById("picture");
          const scale = Math.min(picture.width / w, picture.height / h);
          const left = picture.x + (picture.width - w * scale) / 2;
          const top = picture.y + (picture.height - h * scale) / 2;
          return [(frame.x - left) / scale, (frame.y - top) / scale, frame.width / scale, frame.height / scale];
        }"""
    )
    assert place == pytest.approx(face["box"], abs=1.5)


def test_a_dropped_photo_is_answered(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    page.evaluate(
        """(encoded) => {
          const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
          const event = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
          document.getElementById("stage").dispatchEvent(event);
        }""",
        base64.b64encode(photos.probe.read_bytes()).decode(),
    )
    watched.answered()
    assert page.inner_text(".face .name") == masked(photos.probe_shows)


def test_the_camera_takes_a_picture_and_goes_out(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    page.click("#camera")
    page.wait_for_selector("#live-actions", state="visible")
    assert "Nothing is sent" in said(page)
    page.click("#shoot")
    watched.answered()
    assert page.inner_text(".face .name") == masked(photos.probe_shows)
    assert page.evaluate("document.getElementById('live').srcObject") is None


def test_the_keyboard_alone_is_enough(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    page.reload()
    # Whoever listens this early has the browser's dialogue replaced before the key is pressed.
    page.on("filechooser", lambda _: None)
    order = []
    for _ in range(30):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate(
            """() => {
              const at = document.activeElement;
              return getComputedStyle(at.type === "file" ? at.parentElement : at).outlineStyle;
            }"""
        )
        assert outline == "solid", f"the focus on {order[-1]} cannot be seen"
        if order[-1] == "file":
            break
    assert order[:3] == ["skip", "brand", "leave"]
    assert order[-4:] == ["gallery", "reason", "case", "file"]
    page.fill("#reason", "a test")
    page.focus("#file")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photos.probe)
    watched.answered()
    page.focus("#reason")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(" ")
    page.keyboard.press("Enter")
    assert "must not be empty" in said(page)
    assert page.evaluate("document.activeElement.id") == "reason"
    page.keyboard.type("asked by the keyboard")
    page.keyboard.press("Enter")
    page.wait_for_selector("#said:has-text('One face')")


def test_another_gallery_knows_nobody(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    page.select_option("#gallery", label="strangers")
    assert page.inner_text("#purpose") == "a gallery with nobody in it"
    watched.choose(photos.probe)
    assert page.inner_text(".face .name") == "Nobody in this gallery"
    assert said(page) == "One face, without a candidate."


def test_a_name_that_looks_like_markup_is_shown_as_text(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    other = next(paths[0] for person, paths in photos.enrol.items() if person != photos.probe_shows)
    watched.choose(other)
    assert page.inner_text(".face .name").startswith("i•••")
    page.click(".face button")
    page.wait_for_selector(".face .name:has-text('<img src=x')")
    assert page.title() == "Who is this? · moiety"
    assert page.locator(".face img").count() == 0


def test_a_file_that_is_no_picture_is_refused_in_words(watched: Watched) -> None:
    page = watched.enter()
    watched.expected.add("415")
    page.set_input_files("#file", {"name": "note.jpg", "mimeType": "image/jpeg", "buffer": b"not a picture"})
    page.wait_for_selector("#said.wrong")
    assert said(page).startswith("The file is not a picture")
    assert page.is_visible("#invite")


def test_a_part_that_is_down_is_named(watched: Watched, photos: Samples) -> None:
    page = watched.enter()
    page.wait_for_selector("[data-part=vault-b][data-state=up]")
    assert "not against someone who owns the running machine" in page.inner_text("footer")
    watched.expected.add("503")
    watched.site.kill(Role.VAULT_B)
    try:
        page.reload()
        page.wait_for_selector("[data-part=vault-b][data-state=down]")
        assert "does not answer" in page.inner_text("[data-part=vault-b]")
        page.fill("#reason", "a test")
        page.set_input_files("#file", photos.probe)
        page.wait_for_selector("#said.wrong")
    finally:
        watched.site.restart(Role.VAULT_B)


def test_signing_out_ends_the_session(watched: Watched) -> None:
    page = watched.enter()
    (cookie,) = page.context.cookies()
    page.click("#leave")
    page.wait_for_selector("h1:has-text('You are not signed in')")
    page.context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": watched.site.url}])
    page.goto(watched.site.url)
    assert page.inner_text("h1") == "Your session has ended"


def test_a_script_from_elsewhere_does_not_run(watched: Watched) -> None:
    """The page itself cannot be made to: no foreign script, no markup from text, no inline style."""
    page = watched.enter()
    watched.expected |= {"Content Security Policy", "requires 'Trusted"}
    tried = page.evaluate(
        """() => [
          () => { const one = document.createElement("script"); one.src = "data:text/javascript,1"; },
          () => { document.body.innerHTML = "<p>x</p>"; },
          () => { setTimeout("document.title = 'broken'", 0); },
        ].map((act) => { try { act(); return "done"; } catch { return "refused"; } })"""
    )
    assert tried == ["refused"] * 3
    coloured = page.evaluate(
        """() => {
          const one = document.createElement("p");
          one.setAttribute("style", "color: rgb(1, 2, 3)");
          document.body.append(one);
          return getComputedStyle(one).color;
        }"""
    )
    assert coloured != "rgb(1, 2, 3)"


def test_nothing_jumps_while_the_page_loads_and_answers(watched: Watched, photos: Samples) -> None:
    page = watched.page
    page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    watched.enter()
    page.wait_for_selector("[data-part=eye][data-state=up]")
    assert sum(page.evaluate("window.shifts")) < 0.01
    watched.choose(photos.probe)
    page.wait_for_timeout(200)
    # The good mark of Core Web Vitals is below 0.1.
    assert sum(page.evaluate("window.shifts")) < 0.1
