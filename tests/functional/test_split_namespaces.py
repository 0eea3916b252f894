"""The same six machines with network stacks of their own; cables are pulled. Only where the system has namespaces."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from moiety.cli.supervisor import ASKS
from moiety.wire.kinds import Role
from network_namespaces import Switch, usable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import Said
    from moiety.cli.samples import Samples
    from split_site import Apart

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PORT = 7100


class Cabled:
    """The machines of the ceremony, moved to the switch."""

    def __init__(self, apart: Apart, switch: Switch) -> None:
        self.apart, self.switch = apart, switch

    def serve(self, role: Role) -> None:
        """Start a part at its new address."""
        options = ["--listen", f"{self.switch.host(role)}:{PORT}"]
        for peer in ASKS[role]:
            options += ["--peer", f"{peer}={self.switch.host(peer)}:{PORT}"]
        self.apart.start(role, *options, around=self.switch.on(role))

    def identify(self, photo: Path, code: int | None = 0) -> Said:
        """Ask at the gate's machine who is in a photo."""
        words = "identify", photo, "-g", "staff", "--json"
        return self.apart.moiety(Role.GATE, *words, code=code, around=self.switch.on(Role.GATE))

    def found(self, photo: Path) -> str:
        """Say who is in a photo."""
        return str(self.identify(photo).json["faces"][0]["candidates"][0]["subject"])


@pytest.fixture(scope="module")
def cabled(apart: Apart) -> Iterator[Cabled]:
    """Move every part to the switch, and back to its old place afterwards."""
    with Switch(list(Role)) as switch:
        for role in Role:
            apart.stop(role)
        made = Cabled(apart, switch)
        for role in Role:
            made.serve(role)
        yield made
        for role in Role:
            apart.stop(role)
    apart.start_all()


# Where the system has no namespaces there is no such test, rather than one that is skipped: the claim is that of
# test_split_machines.py, which runs everywhere.
if usable():

    @pytest.mark.parametrize("role", [Role.VAULT_A, Role.VAULT_B])
    def test_a_cable_that_is_pulled_for_a_moment_costs_a_moment(cabled: Cabled, photos: Samples, role: Role) -> None:
        assert cabled.found(photos.probe) == photos.probe_shows
        came: list[str] = []
        asking = threading.Thread(target=lambda: came.append(cabled.found(photos.probe)))
        asking.start()
        time.sleep(0.5)
        for _ in range(4):
            cabled.switch.pull(role)
            time.sleep(0.3)
            cabled.switch.plug(role)
            time.sleep(0.7)
        asking.join(120)
        assert came == [photos.probe_shows]

    @pytest.mark.parametrize("role", [Role.VAULT_A, Role.VAULT_B, Role.MINT])
    def test_a_cable_that_stays_out_ends_the_question_and_is_found_again(
        cabled: Cabled, photos: Samples, role: Role
    ) -> None:
        assert cabled.found(photos.probe) == photos.probe_shows
        cabled.switch.pull(role)
        began = time.monotonic()
        refused = cabled.identify(photos.probe, code=7)
        assert refused.problem in {"part-down", "exchange-aborted"}
        assert time.monotonic() - began < 100
        cabled.switch.plug(role)
        assert cabled.found(photos.probe) == photos.probe_shows
        cabled.apart.holding().check_whole()
