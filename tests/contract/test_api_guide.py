"""docs/api.md: its examples run, and its tables say what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api_in_process import Served
from moiety.access import Permission
from moiety.api import Limits
from moiety.api.problems import HTTP, PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("guide")) as made:
        yield made


def test_the_examples_run(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ada = served.api.site.sight.person()
    for name in "ada.jpg", "door.jpg":
        Path(name).write_bytes(served.api.photo(ada))
    names: dict[str, Any] = {"URL": served.url, "KEY": served.api.key(*(one for one in Permission if not one.personal))}
    for block in blocks("python"):
        exec(compile(block, "docs/api.md", "exec"), names)  # noqa: S102 - the guide's own lines
    assert len(blocks("python")) >= 6
    assert names["refused"].json()["status"] == 415


def test_the_curl_line_is_a_request_of_the_api(served: Served) -> None:
    described = httpx.get(f"{served.url}/v1/openapi.json").json()
    (line,) = blocks("sh")
    words = shlex.split(line)
    fields = {words[i + 1].partition("=")[0] for i, word in enumerate(words) if word == "-F"}
    path = words[-1].removeprefix("$URL").replace("/staff/", "/{gallery}/")
    assert "post" in described["paths"][path]
    form = described["components"]["schemas"]["IdentifyForm"]
    assert set(form["required"]) <= fields <= set(form["properties"])


def test_the_table_of_errors_is_the_map() -> None:
    told = {
        (int(status), slug, title) for status, slug, title in re.findall(r"\| (\d{3}) \| `([\w-]+)` \| (.+) \|", GUIDE)
    }
    typed = {(status, kind.slug, title) for kind, (status, title) in PROBLEMS.items()}
    slugs = {slug for _, slug, _ in typed}
    assert told == typed | {(status, slug, title) for status, (slug, title, _) in HTTP.items() if slug not in slugs}


def test_the_table_of_scopes_is_whole() -> None:
    assert set(re.findall(r"^\| `([a-z:]+)` \|", GUIDE, re.MULTILINE)) == set(Permission)


def test_the_limits_are_the_programs() -> None:
    limits = Limits()
    assert f"at most {limits.image_bytes // 2**20} MiB" in GUIDE
    assert f"at most {limits.json_bytes // 2**10} KiB" in GUIDE
    rate = limits.key_rate
    assert f"{rate.per_minute / 60:g} times a second and {rate.burst} times at once" in GUIDE
    assert (
        f"{limits.pictures_at_once} pictures are worked on at once and {limits.pictures_waiting} more may wait" in GUIDE
    )
