"""What all tests share: where the photos lie, and no silent skips in CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from databases import database, pytest_generate_tests

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["database", "pytest_generate_tests"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_skipped: list[str] = []
# Gates plant canaries and decoys by themselves, in the middle of whatever a test counts; those that test them say so.
os.environ["MOIETY_CANARIES"] = os.environ["MOIETY_DECOYS"] = "0"
# So do those that test what is asked for by default before anybody is kept or looked for.
os.environ["MOIETY_RECORDS"] = os.environ["MOIETY_ASSESSMENT"] = "optional"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder with test photos of real people, which is never part of the repository."""
    if not SHARED.is_dir():
        pytest.skip("shared data: the folder ../shared/data with test photos is not here")
    return SHARED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note every skip that CI must not have."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if SHARED.is_dir() or "../shared/data" not in reason:
            _skipped.append(f"{item.nodeid}: {reason}")
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run in CI when a test was skipped: everything it needs has been installed."""
    if os.environ.get("MOIETY_NO_SKIPS") and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skips made the run fail."""
    if os.environ.get("MOIETY_NO_SKIPS") and _skipped:
        terminalreporter.section("skipped, which CI does not allow")
        for line in _skipped:
            terminalreporter.line(line)
