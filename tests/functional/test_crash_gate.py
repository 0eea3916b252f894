"""The gate is killed at each step of an enrolment and of an erasure; after its restart nothing is half there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import REASON, Site, eventually, upload
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Holding
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

CRASHING = Path(__file__).resolve().parents[1] / "crashing"
G = "galleries/lobby"

# Step by step; the second says what stands after the restart. From the decision on the person is enrolled.
ENROLMENT = [
    ("before:TEMPLATE", "absent"),
    ("inside:_begin", "absent"),
    ("after:_begin", "absent"),
    ("after:WRAP", "absent"),
    ("after:_write_fields", "absent"),
    ("only:PREPARE:vault-a", "absent"),
    ("only:PREPARE:vault-b", "absent"),
    ("after:PREPARE", "absent"),
    ("inside:_decide", "absent"),
    ("after:_decide", "there"),
    ("only:COMMIT:vault-a", "there"),
    ("only:COMMIT:vault-b", "there"),
    ("after:COMMIT", "there"),
    ("after:close", "there"),
]
ERASURE = [
    ("inside:_begin_subject", "there"),
    ("after:_begin_subject", "absent"),
    ("only:ERASE:vault-a", "absent"),
    ("only:ERASE:vault-b", "absent"),
    ("after:ERASE", "absent"),
    ("inside:_erase", "absent"),
    ("after:_erase", "absent"),
]


@pytest.fixture(scope="module")
def fuse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that names the step."""
    path = tmp_path_factory.mktemp("fuse") / "step"
    path.write_text("")
    return path


@pytest.fixture(scope="module")
def lobby(tmp_path_factory: pytest.TempPathFactory, fuse: Path, photos: Samples) -> Iterator[Site]:
    """Run an installation whose gate can be cut off; somebody else is enrolled already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(CRASHING))
        patch.setenv("CRASH_AT", str(fuse))
        with Site(tmp_path_factory.mktemp("lobby") / "data") as site:
            with site.owner() as owner:
                owner.post("galleries", json={"name": "lobby", "purpose": "a lobby"}).raise_for_status()
                resident = upload(photos.enrol["Joe Biden"][0])
                form = REASON | {"reference": "resident"}
                owner.post(f"{G}/subjects", data=form, files=resident).raise_for_status()
            yield site


def _cut(site: Site, fuse: Path, step: str, method: str, path: str, **what: object) -> None:
    """Arm the fuse, ask, see the gate die, start it again."""
    fuse.write_text(step)
    with site.owner() as owner, pytest.raises(httpx.HTTPError):
        owner.request(method, path, **what)  # type: ignore[arg-type]  # httpx's own arguments
    fuse.write_text("")
    site.restart(Role.GATE)


def _settled(site: Site) -> Holding:
    """Wait until the gate has tidied up by itself, without being asked anything."""
    for _ in eventually("the gate settles what was left", 30):
        if not site.holding().intents:
            break
    return site.holding()


def _enrol(owner: httpx.Client, photos: Samples) -> httpx.Response:
    form = REASON | {"reference": "guest", "fields": '{"room": "12"}'}
    return owner.post(f"{G}/subjects", data=form, files=upload(photos.enrol["Barack Obama"][0]))


def _who(owner: httpx.Client, photos: Samples) -> list[str]:
    found = owner.post(f"{G}/identify", data=REASON | {"reveal": "true"}, files=upload(photos.probe)).json()
    return [candidate["subject"] for candidate in found["faces"][0]["candidates"]]


def _check(site: Site, photos: Samples, *, there: bool) -> None:
    """Check that the guest is all there or not at all, in every database and in the answers."""
    site.holding().check_whole()
    assert site.holding().people == (2 if there else 1)
    with site.owner() as owner:
        assert _who(owner, photos) == (["guest"] if there else [])
        found = owner.post(f"{G}/find", json=REASON | {"reference": "guest"}).json()["subject_id"]
        assert (found is not None) == there
        if there:
            for name, value in {"reference": "guest", "room": "12"}.items():
                opened = owner.post(f"{G}/subjects/{found}/reveal", json=REASON | {"fields": [name]}).json()
                assert opened["fields"] == {name: value}


def _enrol_once_more(site: Site, photos: Samples, *, there: bool) -> str:
    """Enrol the same photo again: it works exactly once; gives the subject."""
    with site.owner() as owner:
        assert _enrol(owner, photos).status_code == (409 if there else 201)
        assert _enrol(owner, photos).status_code == 409
        _check(site, photos, there=True)
        found: str = owner.post(f"{G}/find", json=REASON | {"reference": "guest"}).json()["subject_id"]
        return found


def _erase(site: Site, subject: str) -> None:
    with site.owner() as owner:
        assert owner.delete(f"{G}/subjects/{subject}", params=REASON).status_code == 200


@pytest.mark.parametrize(("step", "after"), ENROLMENT)
def test_an_enrolment_that_is_cut_is_whole_or_nothing(
    lobby: Site, fuse: Path, photos: Samples, step: str, after: str
) -> None:
    image = upload(photos.enrol["Barack Obama"][0])
    form = REASON | {"reference": "guest", "fields": '{"room": "12"}'}
    _cut(lobby, fuse, step, "POST", f"{G}/subjects", data=form, files=image)
    _settled(lobby)
    _check(lobby, photos, there=after == "there")
    _erase(lobby, _enrol_once_more(lobby, photos, there=after == "there"))
    _check(lobby, photos, there=False)


@pytest.mark.parametrize(("step", "after"), ERASURE)
def test_an_erasure_that_is_cut_is_finished_or_never_began(
    lobby: Site, fuse: Path, photos: Samples, step: str, after: str
) -> None:
    subject = _enrol_once_more(lobby, photos, there=False)
    _cut(lobby, fuse, step, "DELETE", f"{G}/subjects/{subject}", params=REASON)
    _settled(lobby)
    _check(lobby, photos, there=after == "there")
    if after == "there":
        _erase(lobby, subject)
        _check(lobby, photos, there=False)
