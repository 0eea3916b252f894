"""Traces: an option that is not there unless it is asked for, and that says of a request no more than the log."""

from __future__ import annotations

import builtins
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api_in_process import Api, api_over, upload
from moiety.foundation.errors import BadInput, UnknownGallery
from moiety.foundation.settings import SETTINGS
from moiety.watch import span, spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

CANARY = "Zanzibarquokka"
# Every name of an attribute that a span of ours has.
ATTRIBUTES = {f"moiety.{key}" for key in ("method", "route", "status", "peer", "part", "kind", "slug", "error")}


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    spans.begin("gate", SimpleSpanProcessor(made))
    yield made
    spans.end()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_over(tmp_path) as made:
        yield made


def test_without_a_word_nothing_is_imported_and_spans_cost_nothing() -> None:
    program = (
        "import sys, moiety.cli.gate, moiety.cli.parts, moiety.cli.part\n"
        "import moiety.cli.roles.vaults, moiety.cli.roles.eye, moiety.cli.roles.mint, moiety.cli.roles.witness\n"
        "from moiety.watch import span\n"
        "with span('http', part='gate') as mark: mark.put(status=200)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    assert next(one.default for one in SETTINGS if one.name == "MOIETY_TRACES") == ""


def test_without_the_extra_the_setting_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *given: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BadInput, match=r"moiety\[otel\]"):
        spans.send_to("gate", "http://localhost:4318")


def test_an_address_of_no_collector_is_refused() -> None:
    with pytest.raises(BadInput, match="MOIETY_TRACES"):
        spans.send_to("gate", CANARY)


def test_an_error_leaves_its_class_or_slug(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=CANARY), span("ask", part="gate"):
        raise ValueError(CANARY)
    with pytest.raises(UnknownGallery), span("ask", part="gate"):
        raise UnknownGallery(CANARY)
    with span(CANARY):
        pass
    first, second, third = exporter.get_finished_spans()
    assert dict(first.attributes or {}) == {"moiety.part": "gate", "moiety.error": "ValueError"}
    assert dict(second.attributes or {}) == {"moiety.part": "gate", "moiety.slug": "unknown-gallery"}
    assert third.name == spans.OTHER
    assert not [one for one in (first, second, third) if CANARY in one.to_json() or one.events]


async def test_req_42_no_span_of_a_request_holds_what_was_sent(api: Api, exporter: InMemorySpanExporter) -> None:
    person = api.site.sight.person()
    who = {"reference": CANARY, "reason": f"because {CANARY}", "fields": f'{{"phone": "{CANARY}"}}'}
    async with api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "doors", "purpose": "a door of the site"})
        enrolled = await owner.post("/v1/galleries/doors/subjects", data=who, files=upload(api.photo(person)))
        subject = enrolled.json()["subject_id"]
        asked = {"reason": CANARY, "case": CANARY, "reveal": "true"}
        found = await owner.post("/v1/galleries/doors/identify", data=asked, files=upload(api.photo(person)))
        await owner.post(
            f"/v1/galleries/doors/subjects/{subject}/reveal", json={"fields": ["reference", "phone"], "reason": CANARY}
        )
        await owner.get(f"/v1/galleries/{CANARY}/subjects", params={"after": CANARY})
        await owner.request("DELETE", f"/v1/galleries/doors/subjects/{subject}", params={"reason": CANARY})
    assert CANARY in found.text, "the question was answered with what spans must not have"
    made = exporter.get_finished_spans()
    assert {one.name for one in made} == {"http", "ask", "answer"}
    told = "".join(one.to_json() for one in made)
    assert CANARY not in told
    assert subject not in told
    assert {name for one in made for name in one.attributes or {}} <= ATTRIBUTES
    assert dict(made[-1].resource.attributes) == {"service.name": "moiety-gate"}
    asked_of = {(one.attributes or {})["moiety.peer"] for one in made if one.name == "ask"}
    assert {"eye", "vault-a", "vault-b"} <= asked_of
