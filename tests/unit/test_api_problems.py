"""Every error has its place in the map to HTTP, and no answer repeats what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from moiety.api.problems import HTTP, PROBLEMS, URN, of_refusal, of_status, of_validation
from moiety.api.schemas import GalleryNew
from moiety.foundation.errors import (
    DiskFull,
    DuplicatePhoto,
    KeyExpired,
    PartDown,
    RateLimited,
    Refusal,
    slugs,
)

CANARY = "Zanzibar-Quokka"


def body_of(problem: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(problem.response().body)
    return made


def test_every_refusal_of_the_foundation_has_a_line_of_its_own() -> None:
    foundation = {kind for kind in slugs().values() if kind.__module__ == "moiety.foundation.errors"}
    assert set(PROBLEMS) == foundation


def test_every_status_is_an_error_and_every_title_is_one_line() -> None:
    for status, title in PROBLEMS.values():
        assert 400 <= status <= 599
        assert 3 <= len(title) <= 40
    assert all(400 <= status <= 599 for status in HTTP)


def test_a_refusal_becomes_problem_json() -> None:
    problem = of_refusal(DuplicatePhoto())
    response = problem.response()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, body_of(problem)) == (
        409,
        {
            "type": URN + "duplicate-photo",
            "title": "Duplicate photo",
            "status": 409,
            "detail": str(DuplicatePhoto()),
        },
    )


def test_a_refusal_of_another_layer_speaks_with_its_parents_status_and_its_own_code() -> None:
    class Elsewhere(DuplicatePhoto):
        """It was seen elsewhere."""

    assert of_refusal(Elsewhere()).status == 409


def test_waiting_and_signing_in_are_said_in_headers() -> None:
    assert of_refusal(RateLimited(wait_s=7)).headers == {"Retry-After": "7"}
    assert of_refusal(PartDown()).headers == {"Retry-After": "1"}
    assert of_refusal(DiskFull()).headers == {}
    assert of_refusal(KeyExpired()).headers == {"WWW-Authenticate": 'Bearer realm="moiety"'}
    assert of_refusal(Refusal()).headers == {}


@pytest.mark.parametrize("status", [418, 200, 599])
def test_a_status_nobody_foresaw_is_an_internal_error(status: int) -> None:
    assert (of_status(status).status, of_status(status).slug) == (500, "internal")


@pytest.mark.parametrize(
    "sent",
    [
        {"name": CANARY + "!", "purpose": CANARY, "fmr": CANARY},
        {"name": CANARY, "purpose": CANARY, CANARY: CANARY},
        {"name": CANARY, "purpose": CANARY, "table": {CANARY: CANARY, "0.5": CANARY}},
        {"name": [CANARY], "purpose": {CANARY: CANARY}, "retention_days": CANARY},
        {"name": CANARY, "purpose": CANARY * 50, "retention_days": float("nan")},
    ],
)
def test_what_does_not_fit_is_told_without_repeating_it(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        GalleryNew.model_validate(sent)
    problem = of_validation(caught.value.errors(), frozenset(GalleryNew.model_fields))
    said = json.dumps(body_of(problem))
    assert CANARY not in said
    assert body_of(problem)["errors"]
    assert all(one["what"] for one in body_of(problem)["errors"])


def test_at_most_ten_are_told() -> None:
    found = [{"loc": ("body", "name"), "type": "missing", "msg": "Field required"}] * 30
    assert len(body_of(of_validation(found, frozenset({"body", "name"})))["errors"]) == 10
