"""`moiety vault …` as keepers run it: on running vaults and stopped ones, with good keys, wrong keys and bad drafts."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import Site, command
from moiety.cli import books, installation
from moiety.cli.books import BookLine
from moiety.cli.starting import take_lock
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.foundation.errors import PartDown, Unavailable
from moiety.wire.kinds import Role
from moiety.wire.local import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
ORIGIN, RP_ID = "https://sign.example.org", "sign.example.org"


def keeps(words: str, found: dict[str, Any]) -> bool:
    """Whether a command printed the keys that the document promises."""
    part = re.split(rf"^### moiety {words}\b.*$", DOCUMENT.read_text(), flags=re.MULTILINE)[1].split("\n### ")[0]
    promised = re.findall(r"JSON keys[^:]*: ([^.]+)\.", part)
    return set(found) in [set(re.findall(r"`([^`]+)`", line)) for line in promised]


class Desk:
    """A keeper at the vaults' machine; the vaults run or not."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder

    def vault(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        said = command("vault", *words, "--data", self.data, "--json")
        assert said.code == code, f"{words}: exit {said.code}\n{said.out}\n{said.words}"
        if code == 0:
            assert keeps(" ".join(["vault", *map(str, words[:2])]), said.json)
        else:
            assert len(said.words.strip().splitlines()) == 1, said.words
        return said.json

    def keeper(self, name: str) -> tuple[Path, str]:
        """Make a keeper's key; gives file and public key."""
        path = self.folder / f"{name}.key"
        said = command("vault", "keeper", "new", path, "--name", name, "--json")
        assert said.code == 0
        assert keeps("vault keeper new", said.json)
        return path, said.json["public_key"]

    def book(self) -> Any:
        """Give everything in both books, to see that nothing changed."""
        return [self.vault(what, "show") for what in ("roster", "standing", "policy")]

    def card(self, key: SoftwareAuthenticator) -> Path:
        """Write what the signing page shows after a registration."""
        path = self.folder / "card.json"
        data = base64.urlsafe_b64encode(key.register()).rstrip(b"=").decode()
        path.write_text(json.dumps({"moiety": "passkey/1", "authenticator_data": data}))
        return path


@pytest.fixture
def stopped(tmp_path: Path) -> Desk:
    """Vaults that have a book each and do not run."""
    installation.create(tmp_path / "site").introduce()
    return Desk(tmp_path / "site", tmp_path)


def test_a_keepers_key_is_private_and_never_overwritten(stopped: Desk) -> None:
    path, public = stopped.keeper("second")
    assert path.stat().st_mode & 0o777 == 0o600
    assert bytes.fromhex(public) not in path.read_bytes()
    before = path.read_bytes()
    again = command("vault", "keeper", "new", path, "--name", "second", "--json")
    assert (again.code, again.problem) == (5, "already-there")
    assert path.read_bytes() == before
    path.chmod(0o640)
    stopped.vault("standing", "set", "--change", "labels_per_hour=5", "--key", path, code=3)


def test_rosters_are_changed_and_refused_while_the_vaults_are_stopped(stopped: Desk) -> None:
    key = SoftwareAuthenticator(origin=ORIGIN, rp_id=RP_ID)
    second, public = stopped.keeper("second")
    before = stopped.book()
    for words in (
        ("add-person", "anna", "--role", "operator", "--passkey", stopped.card(key)),  # no page yet
        ("page", "http://sign.example.org"),
        ("add-device", "cam", "--public-key", "00", "--gallery", "gal_x", "--door", "7"),
        ("add-device", "cam", "--public-key", "zz", "--gallery", "gal_x", "--door", "7"),
        ("add-keeper", "bad name", "--public-key", public),
        ("remove", "keeper"),  # the last one
    ):
        stopped.vault("roster", *words, code=3)
    stopped.vault("roster", "remove", "nobody", code=4)
    stopped.vault("roster", "page", ORIGIN, "--key", second, code=6)
    assert stopped.book() == before
    stopped.vault("roster", "page", ORIGIN)
    stopped.vault("roster", "add-person", "anna", "--role", "operator", "--passkey", stopped.card(key))
    elsewhere = SoftwareAuthenticator(origin="https://evil.example.com", rp_id="evil.example.com")
    stopped.vault("roster", "add-person", "bob", "--role", "operator", "--passkey", stopped.card(elsewhere), code=3)
    stopped.vault("roster", "add-device", "cam", "--public-key", public, "--gallery", "gal_x", "--door", "door 7")
    stopped.vault("roster", "add-device", "cam", "--public-key", public, "--gallery", "gal_x", "--door", "8", code=5)
    told = stopped.vault("roster", "add-keeper", "second", "--public-key", public, "--quorum", "2")
    assert told["put"] == ["vault-a", "vault-b"]
    for half in stopped.vault("roster", "show")["halves"].values():
        assert (half["version"], half["quorum"], half["origin"]) == (5, 2, ORIGIN)
        assert [one["passkeys"][0]["credential"] for one in half["people"]] == [key.credential.hex()]
        assert [one["door"] for one in half["devices"]] == ["door 7"]
    stopped.vault("roster", "remove", "anna", code=6)
    own = stopped.data / "keys" / "keeper" / "keeper.key"
    stopped.vault("roster", "remove", "anna", "--key", own, "--key", second)


def test_drafts_are_read_signed_and_put_by_several_hands(stopped: Desk) -> None:
    own = stopped.data / "keys" / "keeper" / "keeper.key"
    path = stopped.folder / "draft.json"
    stopped.vault("standing", "draft", "--out", path, "--change", "labels_per_hour=7")
    stopped.vault("standing", "put", path, code=6)
    signed = command("vault", "standing", "sign", path, "--key", own, "--json")
    assert keeps("vault standing sign", signed.json)
    good = path.read_text()
    before = stopped.book()
    for old, new, code in (
        ('"version": 2', '"version": 1', 5),
        ('"version": 2', '"version": 3', 3),
        ('"labels_per_hour": 7', '"labels_per_hour": 8', 6),
        ('"labels_per_hour": 7', '"labels_per_hour": -1', 3),
        ('"labels_per_hour": 7', '"labels": 7', 3),
        ('"kind": "standing"', '"kind": "roster"', 3),
        ('"moiety": "draft/1"', '"moiety": "draft/2"', 3),
        ("{", "", 3),
    ):
        path.write_text(good.replace(old, new, 1))
        if code in {5, 3} and "version" in new:
            assert command("vault", "standing", "sign", path, "--key", own).code == 0
        stopped.vault("standing", "put", path, code=code)
        assert stopped.book() == before
    path.write_text(good)
    assert stopped.vault("standing", "put", path)["version"] == 2
    stopped.vault("standing", "put", path, code=5)
    assert {half["labels_per_hour"] for half in stopped.vault("standing", "show")["halves"].values()} == {7}
    stopped.vault("standing", "put", stopped.folder / "missing.json", code=3)


def test_a_vault_alone_on_its_machine_and_the_wrong_half(stopped: Desk) -> None:
    stopped.vault("standing", "set", "--half", "a", "--change", "labels_per_hour=5")
    stopped.vault("standing", "set", "--change", "labels_per_hour=6", code=3)  # the two are not the same before
    stopped.vault("standing", "set", "--half", "b", "--change", "labels_per_hour=5")
    stopped.vault("standing", "set", "--change", "labels_per_hour=6")
    stopped.vault("standing", "set", "--half", "c", "--change", "labels_per_hour=7", code=3)
    stopped.vault("standing", "set", "--change", "version=9", code=3)
    stopped.vault("standing", "set", "--change", "nonsense=9", code=3)
    stopped.vault("standing", "set", "--change", "service_opens=2", code=3)
    for path in (stopped.data / "vault-b" / "book").iterdir():
        path.unlink()
    stopped.vault("standing", "show", "--half", "b", code=3)
    assert list(stopped.vault("standing", "show")["halves"]) == ["vault-a"]


def test_an_altered_file_of_a_book_is_named(stopped: Desk) -> None:
    path = stopped.data / "vault-a" / "book" / "standing.kept"
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    told = stopped.vault("standing", "show", code=70)
    assert "vault-a/book/standing.kept" in told["error"]["detail"]
    assert "backup" in told["error"]["detail"]


def test_a_stopped_vault_is_changed_only_while_nobody_can_start_it(
    stopped: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "WAIT_SECONDS", 0.2)
    at = installation.load(stopped.data)
    line = BookLine(at, Role.VAULT_A)
    (at.folder(Role.VAULT_A) / NAME).touch()  # a socket that a crash left
    assert line.show()["roster"]["version"] == 1
    with take_lock(at.run), pytest.raises(PartDown, match="does not answer"):
        line.show()
    assert line.show()["roster"]["version"] == 1


# ---- running ----


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Desk]]:
    """Vaults that run, with one gallery, all in their own processes."""
    folder = tmp_path_factory.mktemp("vaults")
    with Site(folder / "site") as site:
        site.cli("gallery", "create", "doors", "--purpose", "a test of policies")
        yield site, Desk(folder / "site", folder)


def test_policies_change_in_running_vaults_at_once(running: tuple[Site, Desk]) -> None:
    site, desk = running
    gallery = site.cli("gallery", "list").json["galleries"][0]["id"]
    stranger, public = desk.keeper("stranger")
    before = desk.vault("policy", "show")
    assert [one["origin"] for half in before["halves"].values() for one in half] == ["service"] * 2
    assert before["differ"] == before["wishes"]["vault-a"] == []
    desk.vault("policy", "set", gallery, "--asks", "two-person", "--key", stranger, code=6)
    desk.vault("policy", "set", gallery, "--threshold", "1", code=3)
    desk.vault("policy", "set", gallery, code=3)
    desk.vault("policy", "set", "gal_unknown", "--asks", "operator", code=4)
    assert desk.vault("policy", "show") == before
    desk.vault("policy", "set", gallery, "--asks", "two-person", "--half", "a")
    shown = desk.vault("policy", "show", gallery)
    assert shown["differ"] == [gallery]
    assert "refused until both" in command("vault", "policy", "show", "--data", desk.data).out
    # The same draft goes to the other vault.
    desk.vault("policy", "set", gallery, "--asks", "two-person", "--half", "b")
    shown = desk.vault("policy", "show")
    assert shown["differ"] == []
    assert {(one["version"], one["asks"], one["origin"]) for half in shown["halves"].values() for one in half} == {
        (2, "two-person", "keepers")
    }
    # A lowered threshold needs a second keeper, also in one's own installation.
    lower = [str(one - 1) for one in shown["halves"]["vault-a"][0]["thresholds"]]
    words = [word for one in lower for word in ("--threshold", one)]
    desk.vault("policy", "set", gallery, *words, code=6)
    desk.vault("roster", "add-keeper", "stranger", "--public-key", public)
    own = desk.data / "keys" / "keeper" / "keeper.key"
    desk.vault("policy", "set", gallery, *words, "--key", own, "--key", stranger)
    higher = [word for one in lower for word in ("--threshold", str(int(one) + 2))]
    told = desk.vault("policy", "set", gallery, *higher, code=6)
    assert "week" in told["error"]["detail"]


def test_what_was_put_while_stopped_is_in_force_after_the_start_and_an_altered_book_stops_it(
    running: tuple[Site, Desk],
) -> None:
    site, desk = running
    gallery = site.cli("gallery", "list").json["galleries"][0]["id"]
    site.stop()
    desk.vault("policy", "set", gallery, "--erases", "operator")
    path = desk.data / "vault-b" / "book" / f"gallery-{gallery}.kept"
    good = path.read_bytes()
    path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    with pytest.raises(Unavailable, match=f"vault-b.*book/gallery-{gallery}"):
        site.start()
    path.write_bytes(good)
    site.start()
    for half in desk.vault("policy", "show")["halves"].values():
        assert [one["erases"] for one in half] == ["operator"]
