"""`moiety gallery rules`: a rule that the gate takes from two people alone is proposed, and set with the approval."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

from moiety.cli.commands import galleries
from moiety.cli.gateway import PROBLEM_PREFIX, Gate
from moiety.foundation.errors import NotApproved

if TYPE_CHECKING:
    from collections.abc import Iterator

APPROVAL, GALLERY = "apr_" + "a" * 16, "gal_" + "b" * 16
SAID = {"--notice": "2026-11", "--basis": "consent", "--controller": "Works", "--keep-days": "400"}
RULE = ["rules", "staff", "--keep-photos", "--json", *(word for pair in SAID.items() for word in pair)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any]]]:
    """Stand in for a gate that takes this rule with the approval alone; gives what it was asked."""
    seen: list[tuple[str, str, dict[str, Any]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        seen.append((request.method, request.url.path, body))
        if request.method == "PUT" and body.get("approval") != APPROVAL:
            return httpx.Response(403, json={"type": f"{PROBLEM_PREFIX}{NotApproved.slug}", "detail": "two"})
        return httpx.Response(200, json={"id": GALLERY if request.method == "GET" else APPROVAL})

    @contextmanager
    def gate(*_: object) -> Iterator[Gate]:
        yield Gate(httpx.Client(base_url="http://gate", transport=httpx.MockTransport(answer)))

    monkeypatch.setattr(galleries, "gate", gate)
    return seen


def test_a_looser_rule_is_proposed_with_all_its_lines(asked: list[tuple[str, str, dict[str, Any]]]) -> None:
    done = CliRunner().invoke(galleries.app, RULE)
    assert (done.exit_code, json.loads(done.stdout.splitlines()[-1])["id"]) == (0, APPROVAL)
    assert f"--approval {APPROVAL}" in done.output
    method, path, body = asked[-1]
    assert (method, path, body["kind"], body["gallery"]) == ("POST", "/v1/approvals", "rules", GALLERY)
    assert {one["name"]: one["value"] for one in body["facts"]} == {
        "consent": "no",
        "notice": "2026-11",
        "basis": "consent",
        "controller": "Works",
        "source": "person",
        "keep days": "400",
        "keep photos": "yes",
    }


def test_with_its_approval_it_is_set_and_with_another_refused(asked: list[tuple[str, str, dict[str, Any]]]) -> None:
    assert CliRunner().invoke(galleries.app, [*RULE, "--approval", APPROVAL]).exit_code == 0
    other = CliRunner().invoke(galleries.app, [*RULE, "--approval", "apr_" + "c" * 16])
    assert isinstance(other.exception, NotApproved)
    assert [method for method, _, _ in asked] == ["PUT", "PUT"]
