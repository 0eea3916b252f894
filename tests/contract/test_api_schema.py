"""The description of the API against the API itself, over real HTTP: every answer is as it says (schemathesis)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema_rs import Draft202012Validator
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from api_in_process import WHY, Served, upload
from moiety.access import Permission
from moiety.api.problems import HTTP, PROBLEMS, URN
from moiety.api.watching import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = ("score", "embedding", "distance", "cosine", "similarity", "threshold", "vector", "template")
# A number that judges the face before any comparison, a table that a gallery's maker may bring, and what a person
# who keeps their own template brings: no answers about a face that was compared.
ALLOWED = {"embedding_length", "templates_per_hour", "template"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as made:
        owner = {"authorization": f"Bearer run_{made.api.token}"}
        with httpx.Client(base_url=made.url, headers=owner) as client:
            gallery = {"name": "doors", "purpose": "a door of the site"}
            assert client.post("/v1/galleries", json=gallery).status_code == 201
            photo = upload(made.api.photo(made.api.site.sight.person()))
            made.subject = client.post("/v1/galleries/doors/subjects", data=WHY, files=photo).json()["subject_id"]
        yield made


@pytest.fixture(scope="module")
def described(served: Served) -> dict[str, Any]:
    made: dict[str, Any] = httpx.get(f"{served.url}/v1/openapi.json").json()
    return made


# The formats of transparency logs, of Prometheus and of spreadsheets are not JSON.
BESIDE_JSON = {
    ("get", "/v1/ledger/checkpoint"): "text/plain",
    ("get", "/v1/ledger/tile/{where}"): "application/octet-stream",
    ("get", "/metrics"): MEDIA_TYPE,
    ("get", "/v1/galleries/{gallery}/people.csv"): "text/csv",
    ("get", "/v1/ledger/search.csv"): "text/csv",
    ("get", "/v1/incidents/{incident}/notices/{notice}"): "text/plain",
}
# What strangers may ask: whether it lives, and to be heard when they report a hole.
OPEN = {"/v1/health", "/v1/live", "/v1/ready", "/v1/reports", "/v1/reports/answer", "/v1/reports/clock"}
SWITCHES = "/v1/emergencies/"
# Calls without a key are tested for every route in test_api_permissions. And no schema can say that bytes show a face.
NOT_ASKED = [ignored_auth, positive_data_acceptance]


def test_every_answer_is_as_described(served: Served, described: dict[str, Any]) -> None:
    """Draw requests, good and bad, for each operation; the gallery and mostly the subject are ones that exist."""
    headers = {"authorization": f"Bearer run_{served.api.token}"}
    asked, operations = 0, []
    for found in schemathesis.openapi.from_url(f"{served.url}/v1/openapi.json").get_all_operations():
        assert isinstance(found, Ok)
        operations.append(found.ok())
    # Whoever presses stop or kill hears little else afterwards.
    for operation in sorted(operations, key=lambda one: SWITCHES in one.path):

        @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            if "gallery" in case.path_parameters:
                case.path_parameters["gallery"] = "doors"
            if "subject" in case.path_parameters and case.method != "DELETE":
                case.path_parameters["subject"] = served.subject
            case.call_and_validate(headers=headers, excluded_checks=NOT_ASKED)

        ask()
        asked += 1
    assert asked == sum(len(operations) for operations in described["paths"].values())


def test_every_operation_says_who_may(described: dict[str, Any]) -> None:
    schemes = {frozenset(one) for one in ({"bearer"}, {"apiKey"}, {"session"})}
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            if one["security"]:
                assert {frozenset(need) for need in one["security"]} == schemes, (method, path)
                waits = path.startswith(("/v1/questions", "/v1/follow-ups"))
                assert one["x-moiety-permission"] in ({"that of the question"} if waits else set(Permission))
                assert {"401", "403", "429"} <= set(one["responses"])
            else:
                assert path in OPEN
    assert set(described["components"]["securitySchemes"]) == {"bearer", "apiKey", "session"}


def test_every_refusal_is_problem_json(described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            for status, response in one["responses"].items():
                kinds = set(response.get("content", ()))
                plain = set() if status == "204" else {BESIDE_JSON.get((method, path), "application/json")}
                assert kinds == ({"application/problem+json"} if int(status) >= 400 else plain)
    known = set(described["components"]["schemas"]["Problem"]["properties"]["type"]["enum"])
    assert known == {URN + kind.slug for kind in PROBLEMS} | {URN + slug for slug, _, _ in HTTP.values()}


def test_no_word_of_the_description_is_a_score(described: dict[str, Any]) -> None:
    names = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            names.update(node.get("properties", {}))
            names.update(one["name"] for one in node.get("parameters", ()))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(described)
    assert {"band", "candidates", "subject_id"} <= names
    assert {name for name in names - ALLOWED if any(word in name for word in WORDS)} == set()


def test_the_examples_fit_their_schemas(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    tried = 0
    for name, one in schemas.items():
        validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})
        for example in one.get("examples", ()):
            validator.validate(example)
            tried += 1
    assert tried >= 3
