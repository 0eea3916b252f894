"""A vault that is down, a part that hangs, a full disk: a clear refusal, nothing half-done, and all well after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harness import REASON, Site, eventually, upload
from moiety.wire.kinds import Role
from small_disks import SmallDisk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

G = "galleries/hall"


def _open_hall(site: Site, photos: Samples) -> None:
    """Open a gallery in which one person is enrolled."""
    with site.owner() as owner:
        owner.post("galleries", json={"name": "hall", "purpose": "a test of outages"}).raise_for_status()
        form = REASON | {"reference": "resident"}
        image = upload(photos.enrol["Joe Biden"][0])
        owner.post(f"{G}/subjects", data=form, files=image).raise_for_status()


def _enrol(owner: httpx.Client, photos: Samples) -> httpx.Response:
    form = REASON | {"reference": "guest"}
    return owner.post(f"{G}/subjects", data=form, files=upload(photos.enrol["Barack Obama"][0]))


def _identify(owner: httpx.Client, photos: Samples) -> httpx.Response:
    return owner.post(f"{G}/identify", data=REASON | {"reveal": "true"}, files=upload(photos.probe))


def _says(reply: httpx.Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["type"]) == (status, f"urn:moiety:problem:{code}")
    assert "\n" not in reply.json()["detail"]


def _all_is_well(site: Site, photos: Samples) -> None:
    """Enrol, find and erase the guest, who was never half enrolled."""
    with site.owner() as owner:
        assert _enrol(owner, photos).status_code == 201
        (candidate,) = _identify(owner, photos).raise_for_status().json()["faces"][0]["candidates"]
        assert candidate["subject"] == "guest"
        path = f"{G}/subjects/{candidate['subject_id']}"
        assert owner.delete(path, params=REASON).status_code == 200
    site.holding().check_whole()
    assert site.holding().people == 1


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Iterator[Site]:
    """Run an installation whose parts are killed here."""
    with Site(tmp_path_factory.mktemp("hall") / "data") as site:
        _open_hall(site, photos)
        yield site


def test_a_vault_that_is_down(hall: Site, photos: Samples) -> None:
    before = hall.holding()
    hall.kill(Role.VAULT_B)
    with hall.owner() as owner, hall.owner() as other, ThreadPoolExecutor() as at_once:
        asked = at_once.submit(_identify, other, photos)
        commanded = at_once.submit(hall.cli, "identify", photos.probe, "-g", "hall", code=7)
        _says(_enrol(owner, photos), 503, "part-down")
        _says(asked.result(), 503, "part-down")
        ready = owner.get("ready")
        _says(ready, 503, "part-down")
        assert [part for part, up in ready.json()["parts"].items() if not up] == ["vault-b"]
        said = commanded.result()
    assert (said.problem, len(said.words.splitlines())) == ("part-down", 1)
    hall.restart(Role.VAULT_B)
    _all_is_well(hall, photos)
    assert hall.holding() == before


@pytest.mark.parametrize("role", [Role.EYE, Role.MINT, Role.VAULT_A])
def test_another_part_that_is_down(hall: Site, photos: Samples, role: Role) -> None:
    before = hall.holding()
    hall.kill(role)
    with hall.owner() as owner:
        # Without the mint some questions are still answered: vault B has words in stock.
        for _ in eventually("a question is refused", 60):
            refused = _identify(owner, photos)
            if refused.status_code != 200 or role is not Role.MINT:
                break
        assert refused.status_code == 503
        assert refused.json()["type"].split(":")[-1] in {"part-down", "exchange-aborted"}
        assert owner.get(f"{G}/subjects").status_code == 200
    hall.restart(role)
    _all_is_well(hall, photos)
    assert hall.holding() == before


def test_a_part_that_hangs_is_named(hall: Site) -> None:
    hall.freeze(Role.VAULT_A)
    try:
        said = hall.cli("status", code=7)
    finally:
        hall.thaw(Role.VAULT_A)
    assert said.problem == "part-down"
    with hall.owner() as owner:
        for _ in eventually("it answers again", 20):
            if owner.get("ready").status_code == 200:
                break


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a small disk on the folder `disk`."""
    made = SmallDisk(tmp_path / "disk")
    yield made
    made.close()


def test_a_full_disk(photos: Samples, disk: SmallDisk, tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "Guest.jpg").write_bytes(photos.enrol["Barack Obama"][0].read_bytes())
    with Site(tmp_path / "disk" / "data") as site:
        _open_hall(site, photos)
        with site.owner() as owner:
            assert _identify(owner, photos).status_code == 200
            before = site.holding()
            (resident, *_) = owner.get(f"{G}/subjects").json()["subjects"]
            disk.fill(site)
            for refused in (
                _enrol(owner, photos),
                _identify(owner, photos),
                owner.delete(f"{G}/subjects/{resident['id']}", params=REASON),
                owner.post("galleries", json={"name": "more", "purpose": "no room for it"}),
            ):
                assert refused.status_code in {503, 507}
                assert refused.json()["type"].split(":")[-1] in disk.codes
            assert site.cli("enrol", tmp_path / "album", "-g", "hall", code=7).problem in disk.codes
            # What writes nothing is still answered.
            assert owner.get("galleries").status_code == 200
            disk.free(site)
            assert [site.alive(role) for role in Role] == [True] * len(Role)
            assert _identify(owner, photos).status_code == 200
        assert site.holding() == before
        _all_is_well(site, photos)
        # Nothing that was half written shows after a restart either.
        for role in Role:
            site.kill(role)
        site.restart_all(Role)
        _all_is_well(site, photos)
        assert site.holding() == before
