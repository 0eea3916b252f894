"""One running installation for all tests that leave it whole."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from harness import Site, eventually, samples
from moiety.wire.kinds import Role
from split_site import DELAY_S, Apart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moiety.cli.samples import Samples


@pytest.fixture(scope="session")
def photos() -> Samples:
    """Give the free photos of three people, and one of somebody enrolled that is not enrolled itself."""
    return samples()


@pytest.fixture(scope="session")
def album(photos: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the photos to enrol as a folder per person."""
    folder = tmp_path_factory.mktemp("album")
    for person, paths in photos.enrol.items():
        (folder / person).mkdir()
        for path in paths:
            shutil.copy(path, folder / person / path.name)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run one installation; tests use galleries of their own."""
    with Site(tmp_path_factory.mktemp("site") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory, album: Path) -> Iterator[Apart]:
    """Carry out the page of the ceremony on six machines, and enrol three people over slow lines."""
    with Apart(tmp_path_factory.mktemp("apart")) as six:
        six.follow("1")
        six.follow("2")
        six.start_all()
        six.slow(DELAY_S)
        six.follow("3")
        six.follow("4")
        for _ in eventually("the gate sees that both vaults have opened the gallery"):
            listed = six.moiety(Role.GATE, "gallery", "list", "--json").json["galleries"]
            if [one["state"] for one in listed] == ["open"]:
                break
        enrolled = six.moiety(Role.GATE, "enrol", album, "-g", "staff", "--json")
        assert enrolled.json["enrolled"] == len(list(album.glob("*/*")))
        yield six
