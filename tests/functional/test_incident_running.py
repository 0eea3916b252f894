"""`moiety incident` and `moiety drill --report` against an installation that runs: stop outlives every restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import Site, command, eventually
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

WHY = ("--reason", "a stranger has a colleague's phone")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("incident") / "data") as running:
        running.cli("gallery", "create", "doors", "--purpose", "the doors of the site")
        yield running


def test_matching_is_stopped_over_restarts_until_the_vaults_and_the_gate_let_go(here: Site, photos: Samples) -> None:
    asked = ("identify", photos.probe, "--gallery", "doors")
    here.cli(*asked)
    here.cli("incident", "stop", *WHY)
    assert here.cli(*asked, code=6).problem == "halted"
    gone = (Role.VAULT_A, Role.VAULT_B, Role.GATE)
    for role in gone:
        here.kill(role)
    here.restart_all(gone)
    assert here.cli(*asked, code=6).problem == "halted"
    told = here.cli("incident", "status").json["emergency"]
    assert told["stop"]["pressed_by"] == "owner"
    assert {part: (now["stopped"], now["killed"]) for part, now in told["vaults"].items()} == dict.fromkeys(
        ("vault-a", "vault-b"), (True, False)
    )
    here.cli("incident", "lift", "stop", *WHY)
    assert here.cli(*asked, code=6).problem == "halted"  # the vaults have not let go
    here.cli("vault", "emergency", "lift", "--stop")
    here.cli(*asked)


def test_req_30_the_gate_erases_by_itself_whose_time_is_over(here: Site) -> None:
    subject, stays = [here.cli("person", "add", one, "-g", "doors").json["subject_id"] for one in ("Ada", "Ben")]
    here.cli("person", "contact", subject, "-g", "doors", "--over")
    here.kill(Role.GATE)
    here.restart(Role.GATE)
    for _ in eventually("nobody asked for it, and the record is gone"):
        with here.owner() as owner:
            if owner.get(f"galleries/doors/subjects/{subject}/record").status_code == httpx.codes.NOT_FOUND:
                break
    with here.owner() as owner:
        assert owner.get(f"galleries/doors/subjects/{stays}/record").status_code == httpx.codes.OK
        entries = owner.get("ledger/search", params={"subject": subject, "kind": "erasure"}).json()["entries"]
    assert [one["actor"] for one in entries] == ["retention"]


def test_evidence_of_a_breach_is_checked_by_an_outsider(here: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    breach = {
        "happened": "A disk of the gate was stolen.",
        "began_at": (now - timedelta(hours=2)).isoformat(),
        "ended_at": now.isoformat(),
        "aware_at": now.isoformat(),
    }
    with here.owner() as owner:
        reply = owner.post("incidents", json=breach)
    assert reply.status_code == 201, reply.text
    name = reply.json()["id"]
    assert [one["id"] for one in here.cli("incident", "list").json["incidents"]] == [name]
    file = tmp_path / "evidence.json"
    assert here.cli("incident", "evidence", name, file).json["entries"] > 0
    keys = here.cli("ledger", "keys").json
    words = ["--key", keys["log"], "--key", *keys["witnesses"], "--json"]
    outside = {"MOIETY_DATA": str(tmp_path / "nowhere")}
    assert command("ledger", "verify", "--evidence", file, *words, env=outside).code == 0
    draft = tmp_path / "authority.txt"
    here.cli("incident", "notice", name, "authority", draft)
    assert "72 hours" in draft.read_text()


def test_a_report_of_drills_is_signed_and_stands_in_the_ledger(here: Site, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    ran = command("drill", "hacked-stopped", "--report", "--out", file, "--data", here.data, seconds=500)
    assert ran.code == 0, ran
    said = command("drill", "verify-report", file, "--json", env={"MOIETY_DATA": str(tmp_path / "nowhere")})
    assert (said.code, [one["held"] for one in said.json["drills"]]) == (0, [True])
    file.write_text(file.read_text().replace("hacked-stopped", "hacked-started"))
    assert command("drill", "verify-report", file, "--json").problem == "unverified"
    with here.owner() as owner:
        assert "drill-report" in {one["act"] for one in owner.get("ledger").json()["entries"]}
