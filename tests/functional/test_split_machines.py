"""Six machines, six folders, six key folders: the ceremony's page is carried out, then the lines between them break."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from harness import REASON, Holding, eventually, upload
from moiety.cli import places
from moiety.cli.apart import KNOWS
from moiety.cli.supervisor import ASKS
from moiety.foundation.clock import HandClock
from moiety.foundation.envelopes import KeyRing
from moiety.foundation.errors import PartDown
from moiety.wire.frames import HEADER, MAGIC, Frame, encode
from moiety.wire.identity import Identity
from moiety.wire.kinds import Kind, Role
from moiety.wire.links import Client
from split_site import DELAY_S, PORTS, blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness import Said
    from moiety.cli.samples import Samples
    from split_site import Apart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAY = 86_400
VAULTS = (Role.VAULT_A, Role.VAULT_B)


def _identify(apart: Apart, photo: Path, code: int | None = 0) -> Said:
    return apart.moiety(Role.GATE, "identify", photo, "-g", "staff", "--json", code=code)


def _found(apart: Apart, photos: Samples) -> str | None:
    """Say whom the gate takes the person for that is in the photo nobody enrolled."""
    candidates = _identify(apart, photos.probe).json["faces"][0]["candidates"]
    return str(candidates[0]["subject"]) if candidates else None


def _found_again(apart: Apart, photos: Samples) -> None:
    """Check that all is well again: a question may still meet a line that nobody knew to be cut."""
    for _ in eventually("the lines are found again", 60):
        if _answered_or_refused(_identify(apart, photos.probe, code=None), photos.probe_shows):
            return


def _place(apart: Apart, role: Role) -> places.Place:
    """Take a role's keys, and where it finds the others."""
    return places.place(apart.made(role), role, apart.where(role).peers)


def _asked(apart: Apart, asker: Role, other: Role) -> float:
    """Ping one part as another; gives how long it took."""

    async def ask() -> float:
        line = _place(apart, asker).client(other)
        began = time.monotonic()
        try:
            await line.call(Kind.PING, {}, (), 10.0)
        finally:
            await line.close()
        return time.monotonic() - began

    return asyncio.run(ask())


# ---- the page ----


def test_the_page_names_every_part_and_every_card() -> None:
    begun = [whose for whose, _ in blocks("1")]
    assert sorted(begun) == sorted(Role)
    added = {Role(whose): lines for whose, lines in blocks("2") if whose != "all"}
    assert added == {role: ["moiety card add " + " ".join(f"{one}.card" for one in KNOWS[role])] for role in Role}
    for role, asked in ASKS.items():
        for one in asked:
            assert one in KNOWS[role], "who asks must know whom"
            assert role in KNOWS[one], "who is asked must know who asks"


def test_each_machine_holds_its_own_part_and_keys_alone(apart: Apart) -> None:
    for role in Role:
        made = apart.made(role)
        assert (made.part, made.tenant) == (role, apart.tenant)
        assert {path.name for path in made.keys.iterdir()} <= {role, "keeper"}
        assert {path.name for path in made.data.iterdir() if path.is_dir()} == {role, "keys", "run", "logs"}
        listed = apart.moiety(role, "card", "list", "--json").json
        assert listed["missing"] == []
        for card in listed["cards"]:
            assert card["words"] == apart.heard[f"{card['role']}.card"]


def test_each_machine_says_how_its_part_is(apart: Apart) -> None:
    for role in Role:
        told = apart.moiety(role, "status", "--json").json
        assert (told["ready"], told["part"]["role"]) == (True, role)
        assert set(told["part"]["peers"]) == set(ASKS[role])
        for peer in told["part"]["peers"].values():
            assert peer["answers"]
            assert abs(peer["clock_off_s"]) < 5
    galleries = [apart.moiety(role, "status", "--json").json["part"]["galleries"] for role in VAULTS]
    assert galleries[0] == galleries[1]
    assert [one["epoch"] for one in galleries[0].values()] == [1]


# ---- work over slow lines ----


def test_people_are_found_and_compared_over_slow_lines(apart: Apart, photos: Samples) -> None:
    assert _asked(apart, Role.GATE, Role.VAULT_A) > 2 * DELAY_S, "the lines are as slow as this test says"
    began = time.monotonic()
    assert _found(apart, photos) == photos.probe_shows
    # Sixteen rounds there and back, the meeting, both bands: a search takes seconds here, not minutes.
    assert time.monotonic() - began < 60
    same = apart.moiety(
        Role.GATE, "verify", photos.probe, "--subject", photos.probe_shows, "-g", "staff", "--json"
    ).json
    assert same["same"] is True
    apart.holding().check_whole()


# ---- lines that break ----


def _during(work: Callable[[], Any], trouble: Callable[[], None], after_s: float) -> Any:
    """Let trouble come while something is going on; gives what came of it."""
    came: list[Any] = []
    doing = threading.Thread(target=lambda: came.append(work()))
    doing.start()
    time.sleep(after_s)
    trouble()
    doing.join(200)
    assert came, "it did not come to an end"
    return came[0]


def _answered_or_refused(said: Said, shows: str) -> bool:
    """Check that a question that met trouble was answered rightly or refused plainly; says whether it was answered."""
    if said.code == 0:
        assert said.json["faces"][0]["candidates"][0]["subject"] == shows
        return True
    assert (said.code, said.problem) in {(7, "part-down"), (7, "exchange-aborted"), (7, "unavailable")}, said.words
    return False


@pytest.mark.parametrize("role", VAULTS)
def test_a_line_that_falls_silent_ends_the_question_and_is_found_again(
    apart: Apart, photos: Samples, role: Role
) -> None:
    _found(apart, photos)
    with apart.trouble(role) as line:
        line.stall()
        began = time.monotonic()
        assert not _answered_or_refused(_identify(apart, photos.probe, code=None), photos.probe_shows)
        assert time.monotonic() - began < 75
    _found_again(apart, photos)


@pytest.mark.parametrize("role", [Role.EYE, *VAULTS, Role.MINT])
def test_a_line_that_is_cut_ends_the_question_at_once_and_is_found_again(
    apart: Apart, photos: Samples, role: Role
) -> None:
    _found(apart, photos)
    for count in (0, 40, 3000):
        apart.lines[role].cut_after(count)
        began = time.monotonic()
        answered = _answered_or_refused(_identify(apart, photos.probe, code=None), photos.probe_shows)
        assert answered or time.monotonic() - began < 30
    apart.lines[role].cut()
    _found_again(apart, photos)


def test_an_enrolment_and_an_erasure_that_meet_cuts_are_whole_in_the_end(apart: Apart, photos: Samples) -> None:
    before = apart.holding()
    photo = next(iter(photos.enrol.values()))[0].read_bytes()
    owner = Owner(apart)
    guests = {f"guest-{n}": role for n, role in enumerate((Role.VAULT_A, Role.VAULT_B, Role.EYE))}
    for n, (guest, role) in enumerate(guests.items()):
        # Bytes behind its end make it another photo of the same person.
        enrol = partial(owner.enrol, guest, photo + bytes(n + 1))
        assert _during(enrol, apart.lines[role].cut, 0.3 + 0.4 * n) in {201, 503}
    for _ in eventually("all that was begun is finished or undone", 90):
        if not apart.holding().intents:
            break
    apart.holding().check_whole()
    for n, (guest, role) in enumerate(guests.items()):
        assert _during(partial(owner.erase, guest), apart.lines[role].cut, 0.1 * n) in {200, 404, 503}
    for _ in eventually("the guests are gone", 90):
        if {owner.erase(guest) for guest in guests} == {404} and not apart.holding().intents:
            break
    apart.holding().check_whole()
    assert _people(apart.holding()) == _people(before)
    assert _found(apart, photos) == photos.probe_shows


def _people(holding: Holding) -> set[str]:
    return {str(subject) for subject, _ in holding.subjects}


class Owner:
    """Asks the gate over HTTP as its owner, and takes every answer."""

    def __init__(self, apart: Apart) -> None:
        told = json.loads((apart.made(Role.GATE).run / "gate.json").read_bytes())
        headers = {"authorization": f"Bearer run_{told['token']}"}
        base = f"http://127.0.0.1:{told['port']}/v1/galleries/staff/"
        self._http = httpx.Client(base_url=base, headers=headers, timeout=150, trust_env=False)

    def enrol(self, reference: str, photo: bytes) -> int:
        return self._http.post("subjects", files=upload(photo), data={"reference": reference, **REASON}).status_code

    def erase(self, reference: str) -> int:
        found = self._http.post("find", json={"reference": reference, **REASON})
        if not found.is_success:
            return found.status_code
        subject = found.json()["subject_id"]
        return self._http.delete(f"subjects/{subject}", params=REASON).status_code if subject else 404


# ---- peers that do not keep to the rules ----


def test_half_a_frame_and_4_gib_harm_nobody(apart: Apart, photos: Samples) -> None:
    at = _place(apart, Role.GATE)
    context = at.identity.context(at.peers, server=False)

    async def bad(role: Role) -> None:
        host, port = apart.lines[role].address
        whole = b"".join(bytes(piece) for piece in encode(Frame(Kind.PING, meta={"n": "x" * 100})))
        _, half = await asyncio.open_connection(host, port, ssl=context)
        half.write(whole[: len(whole) // 2])
        await half.drain()
        reader, huge = await asyncio.open_connection(host, port, ssl=context)
        huge.write(HEADER.pack(MAGIC, Kind.PING, 0, 1, 2, 1) + b"\xff\xff\xff\xff")
        assert await asyncio.wait_for(reader.read(), 10) == b"", "4 GiB are not waited for"
        huge.close()
        await asyncio.to_thread(_asked, apart, Role.GATE, role)
        half.close()

    for role in PORTS:
        asyncio.run(bad(role))
        assert "closed a link from gate: broken frame" in apart.log(role)
    assert _found(apart, photos) == photos.probe_shows


def _refused(apart: Apart, identity: Identity, role: Role) -> str:
    """Ask a part as somebody; gives the refusal."""
    at = _place(apart, Role.GATE)

    async def ask() -> str:
        line = Client(identity, at.peers, role, *apart.lines[role].address)
        with pytest.raises(PartDown) as caught:
            await line.call(Kind.PING, {}, (), 10.0)
        await line.close()
        return str(caught.value)

    return asyncio.run(ask())


def test_a_stranger_and_a_certificate_of_yesterday_are_refused_with_a_reason(apart: Apart, tmp_path: Path) -> None:
    stranger = Identity(Role.GATE, KeyRing(tmp_path / "stranger"), HandClock(time.time()))
    yesterday = KeyRing(tmp_path / "yesterday")
    for name in ("signing.key", "sealing.key", "link.key"):
        yesterday.path(name).write_bytes(apart.made(Role.GATE).ring(Role.GATE).path(name).read_bytes())
    ended = Identity(Role.GATE, yesterday, HandClock(time.time() - 399 * DAY))
    assert ended.card() == apart.made(Role.EYE).peers(Role.EYE)[Role.GATE], "the right key, and an old certificate"
    for role in PORTS:
        assert "it does not know our card" in _refused(apart, stranger, role)
        assert "certificate is not of the key on its card" in apart.log(role)
        assert "our certificate has ended" in _refused(apart, ended, role)
        assert "its certificate has ended" in apart.log(role)


def test_a_part_that_began_anew_is_not_believed_until_its_words_were_compared(apart: Apart, photos: Samples) -> None:
    """The page's `When something happens`: the mint's key folder is lost."""
    apart.stop(Role.MINT)
    old = apart.heard["mint.card"]
    os.rename(apart.data(Role.MINT), apart.folder / "lost")  # noqa: PTH104 - a folder with what is in it
    (whose, begin), (_, replace) = [
        (whose.removesuffix(" lost"), lines) for whose, lines in blocks("When something happens")
    ]
    for line in begin:
        apart.do(Role(whose), line)
    assert apart.heard["mint.card"] != old
    apart.do(Role.MINT, "moiety card add " + " ".join(f"{one}.card" for one in KNOWS[Role.MINT]))
    apart.start(Role.MINT)
    down = apart.moiety(Role.VAULT_B, "status", code=7)
    assert "mint: No link to mint: its certificate is not of the key on its card" in down.out
    # What the old mint dealt ahead may still be used.
    for _ in eventually("what the old mint has dealt is used up"):
        if not _answered_or_refused(_identify(apart, photos.probe, code=None), photos.probe_shows):
            break
    # Without --replace, and with the old words, nothing is stored.
    known = apart.made(Role.VAULT_B).peers(Role.VAULT_B)[Role.MINT]
    shown = apart.moiety(Role.VAULT_B, "card", "add", "mint.card", typed=apart.heard["mint.card"], code=5)
    assert "add --replace" in shown.words
    apart.moiety(Role.VAULT_B, "card", "add", "mint.card", "--replace", typed=old, code=3)
    assert apart.made(Role.VAULT_B).peers(Role.VAULT_B)[Role.MINT] == known
    for role in KNOWS[Role.MINT]:
        apart.do(role, replace[0])
        apart.stop(role)
        apart.start(role)
    assert _found(apart, photos) == photos.probe_shows
    apart.holding().check_whole()


def test_a_part_that_was_killed_is_found_again(apart: Apart, photos: Samples) -> None:
    for role in VAULTS:
        apart.running[role].kill()
        apart.running.pop(role).wait(10)
        refused = _identify(apart, photos.probe, code=7)
        assert refused.problem == "part-down"
        down = apart.moiety(role, "status", "--json", code=7)
        assert down.problem == "part-down"
        apart.start(role)
    assert _found(apart, photos) == photos.probe_shows


def test_a_part_stops_when_it_is_told_and_runs_once(apart: Apart) -> None:
    twice = apart.moiety(Role.MINT, "serve", code=3)
    assert "running already" in twice.words
    wrong = apart.moiety(Role.MINT, "serve", "vault-a", code=3)
    assert "holds mint, not vault-a" in wrong.words
    up = apart.moiety(Role.MINT, "up", "--port", "0", code=3)
    assert "moiety serve" in up.words
    assert apart.stop(Role.MINT) == 0
    apart.start(Role.MINT)


def test_a_lost_key_stops_the_part_and_is_not_made_anew(apart: Apart) -> None:
    apart.stop(Role.VAULT_B)
    made = apart.made(Role.VAULT_B)
    lost = made.keys / Role.VAULT_B / "blind.key"
    kept = lost.read_bytes()
    lost.unlink()
    refused = apart.moiety(Role.VAULT_B, "serve", code=70)
    assert "'blind.key' is missing" in refused.words
    assert not lost.exists()
    lost.write_bytes(kept)
    apart.start(Role.VAULT_B)


def test_tls_is_all_that_answers(apart: Apart) -> None:
    """A caller without a certificate learns nothing from any part."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    async def ask(address: tuple[str, int]) -> bytes:
        try:
            reader, writer = await asyncio.open_connection(*address, ssl=context)
            writer.writelines(encode(Frame(Kind.PING)))
            return await asyncio.wait_for(reader.read(100), 10)
        except (OSError, ssl.SSLError):
            return b""

    for role in PORTS:
        assert asyncio.run(ask(apart.lines[role].address)) == b""
