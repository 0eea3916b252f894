"""Signatures as operators use them: rosters and policies on the vaults' machines, questions at the command line."""

from __future__ import annotations

import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from functional.test_cli_transcripts import keeps
from harness import REASON, Said, Site, eventually, upload
from moiety.drill.authenticator import SoftwareAuthenticator
from moiety.warrants.proofs import by_passkey
from moiety.warrants.warrant import Warrant
from moiety.wire.kinds import Role
from signed_site import body, raw, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow


class Signed:
    """An installation with a gallery in which Ada's passkey is needed, made by commands alone."""

    def __init__(self, site: Site, folder: Path, album: Path) -> None:
        self.site, self.folder = site, folder
        self.origin = f"http://localhost:{site.parts.page_port}"
        self.key = SoftwareAuthenticator(origin=self.origin, rp_id="localhost")
        made = site.cli("gallery", "create", "cases", "--purpose", "missing children").json
        self.gallery = str(made["id"])
        site.cli("enrol", album, "--gallery", "cases")
        card = folder / "ada.json"
        card.write_text(json.dumps({"moiety": "passkey/1", "authenticator_data": text(self.key.register())}))
        site.cli("vault", "roster", "page", self.origin)
        people = ("--role", "operator", "--role", "registrar", "--passkey", card)
        site.cli("vault", "roster", "add-person", "ada", *people)
        site.cli("vault", "policy", "set", self.gallery, "--asks", "operator")

    def signature(self, material: dict[str, Any]) -> dict[str, Any]:
        """Sign as the witness's page does."""
        warrant = Warrant.decode(raw(material["papers"][0]["warrant"]))
        made = by_passkey(self.key.credential, self.key.sign(warrant.digest()))
        return {"moiety": "signature/1", "question": material["id"], "paper": 0, **body(made)}


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, album: Path) -> Iterator[Signed]:
    with Site(tmp_path_factory.mktemp("signed") / "data") as site:
        yield Signed(site, tmp_path_factory.mktemp("cards"), album)


def test_a_question_is_asked_signed_and_answered_by_commands(signed: Signed, photos: Samples, tmp_path: Path) -> None:
    site = signed.site
    asked = site.cli("identify", photos.probe, "-g", "cases", "--case", "C-17", code=9)
    assert keeps("identify", asked.json)
    question = asked.json["question"]
    assert f"{signed.origin}/sign" in asked.words
    listed = site.cli("question", "list")
    assert keeps("question list", listed.json)
    assert [one["id"] for one in listed.json["questions"]] == [question["id"]]
    waits = site.cli("question", "answer", question["id"], code=9)
    assert keeps("question answer", waits.json)
    file = tmp_path / "question.json"
    told = site.cli("question", "material", question["id"], file)
    assert keeps("question material", told.json)
    assert file.stat().st_mode & 0o077 == 0
    assert site.cli("question", "material", question["id"], file, code=5).problem == "already-there"
    material = json.loads(file.read_bytes())
    assert Warrant.decode(raw(material["papers"][0]["warrant"])).case == "C-17"
    paper = tmp_path / "signature.json"
    paper.write_text(json.dumps(signed.signature(material)))
    done = site.cli("question", "sign", question["id"], paper)
    assert keeps("question sign", done.json)
    found = site.cli("question", "answer", question["id"], "--wait")
    assert keeps("question answer", found.json)
    (face,) = found.json["answer"]["faces"]
    assert len(face["candidates"]) == 1
    assert site.cli("question", "answer", question["id"], code=4).problem == "not-found"


def test_a_command_waits_for_the_signature(signed: Signed, photos: Samples) -> None:
    said: list[Said] = []
    words = ("identify", photos.probe, "-g", "cases", "--wait")
    asking = threading.Thread(target=lambda: said.append(signed.site.cli(*words)))
    asking.start()
    with signed.site.owner() as owner:
        for _ in eventually("a question waits"):
            listed = [one for one in owner.get("questions").json()["questions"] if one["state"] == "waiting"]
            if listed:
                break
        (question,) = listed
        material = owner.get(f"questions/{question['id']}/material").json()
        reply = owner.post(f"questions/{question['id']}/signatures", json=signed.signature(material))
        assert reply.status_code == 200, reply.text
    asking.join(60)
    assert keeps("identify", said[0].json)
    assert len(said[0].json["faces"][0]["candidates"]) == 1


def test_a_restart_of_the_gate_forgets_questions_and_says_so(signed: Signed, photos: Samples) -> None:
    with signed.site.owner() as owner:
        asked = owner.post("galleries/cases/identify", data=REASON, files=upload(photos.probe))
        assert asked.status_code == 202
    signed.site.kill(Role.GATE)
    signed.site.restart(Role.GATE)
    with signed.site.owner() as owner:
        gone = owner.get(f"questions/{asked.json()['id']}")
        assert gone.status_code == 404
        assert "restarted" in gone.json()["detail"]
        assert owner.get("questions").json() == {"questions": []}


def test_nothing_of_a_question_that_waits_is_on_any_disk(signed: Signed, photos: Samples) -> None:
    image = photos.probe.read_bytes()
    with signed.site.owner() as owner:
        asked = owner.post("galleries/cases/identify", data=REASON | {"case": "CASE-NOWHERE"}, files=upload(image))
        material = owner.get(f"questions/{asked.json()['id']}/material").json()
    marks = [b"CASE-NOWHERE", image[1000:1040], raw(material["papers"][0]["warrant"])[-40:]]
    for path in signed.site.files():
        content = path.read_bytes()
        assert not any(mark in content for mark in marks), path.name


def test_without_the_witness_the_site_answers_and_erasures_are_told_later(signed: Signed, album: Path) -> None:
    site = signed.site
    site.cli("gallery", "create", "doors", "--purpose", "a door of the site")
    report = site.cli("enrol", album, "-g", "doors").json["report"]
    site.kill(Role.WITNESS)
    ready = {}
    with site.owner() as owner:
        for _ in eventually("the gate sees that the witness is away"):
            reply = owner.get("ready")
            assert reply.status_code == 200
            ready = reply.json()["parts"]
            if not ready["witness"]:
                break
    assert [part for part, up in ready.items() if not up] == ["witness"]
    site.cli("erase", report[0]["subject_id"], "-g", "doors")
    erased = {bytes(row) for (row,) in site.read(Role.VAULT_A, "SELECT row_id FROM tombstone")}
    assert erased
    site.restart(Role.WITNESS)
    path = site.made.folder(Role.WITNESS) / "tombstones.sqlite"
    for _ in eventually("the witness knows what was erased"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            told = {bytes(row) for (row,) in db.execute("SELECT row_id FROM tombstone")}
        db.close()
        if erased <= told:
            break
