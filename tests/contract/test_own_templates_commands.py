"""`moiety person own-template …`: the key and the opened template stay on the person's side, in files of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from api_in_process import Served
from functional.test_cli_transcripts import keeps
from moiety.cli.gate import announce
from moiety.cli.main import application
from moiety.foundation.errors import AlreadyThere, BadInput, NotFound, Unverified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = ("person", "own-template")


def typed(*words: str | Path) -> dict[str, Any]:
    """Type a command; gives the JSON of its last line, which has the keys that the document promises."""
    done = CliRunner().invoke(application("person" if words[0] == "person" else None), [*map(str, words), "--json"])
    if done.exception is not None:
        raise done.exception
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert keeps(" ".join(map(str, words[: 3 if words[:2] == OWN else 2])), told)
    return told


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("own")) as made:
        run = made.api.site.installation.run
        run.mkdir(mode=0o700, exist_ok=True)
        announce(run / "gate.json", made._listener, made.api.token)
        yield made


def test_req_05_a_person_keeps_key_and_template_and_brings_it(site: Served, tmp_path: Path) -> None:
    """By commands the key is made and the template opened on the person's side; the gate's side gives and checks."""
    here = ("-g", "desk", "--data", site.api.site.installation.data)
    typed("gallery", "create", "desk", "--purpose", "people at the command line", *here[2:])
    typed("person", "add", "Ada King", *here)
    ada, other = site.api.site.sight.person(), site.api.site.sight.person()
    photos = {}
    for name, face in (("ada", ada), ("again", ada), ("other", other)):
        photos[name] = tmp_path / f"{name}.png"
        photos[name].write_bytes(site.api.photo(face))
    key, sealed, card = (tmp_path / name for name in ("ada.key", "sealed.json", "card.json"))
    public = typed(*OWN, "key", key)["public_key"]
    given = typed(*OWN, "give", "Ada King", photos["ada"], "--key", public, "--out", sealed, *here)
    assert given["sealed"] is True

    # What is there is not overwritten, and what the gate gave passes for nobody but who has the key.
    with pytest.raises(AlreadyThere):
        typed(*OWN, "key", key)
    with pytest.raises(AlreadyThere):
        typed(*OWN, "give", "Ada King", photos["ada"], "--out", sealed, *here)
    check = (*OWN, "verify", "Ada King", photos["again"], *here, "--template")
    with pytest.raises(BadInput, match="sealed"):
        typed(*check, sealed)
    typed(*OWN, "key", tmp_path / "other.key")
    with pytest.raises(Unverified):
        typed(*OWN, "open", sealed, "--key", tmp_path / "other.key", "--out", card)
    with pytest.raises(BadInput, match="none of the form"):
        typed(*OWN, "open", sealed, "--key", sealed, "--out", card)
    typed(*OWN, "open", sealed, "--key", key, "--out", card)
    assert {path.stat().st_mode & 0o777 for path in (key, sealed, card)} == {0o600}

    same = typed(*check, card)
    assert (same["same"], same["band"]) == (True, "strong")
    assert typed(*OWN, "verify", "Ada King", photos["other"], *here, "--template", card)["same"] is False
    card.chmod(0o644)
    with pytest.raises(BadInput, match="chmod"):
        typed(*check, card)
    card.chmod(0o600)
    typed(*OWN, "revoke", "Ada King", *here)
    with pytest.raises(NotFound):
        typed(*check, card)
