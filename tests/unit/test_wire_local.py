"""The local socket: words on one machine, refusals as they are, nothing for others."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from moiety.foundation.errors import BadInput, DiskFull, Forbidden, NotFound, PartDown, Unavailable
from moiety.wire import local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def _echo(given: dict[str, Any]) -> dict[str, Any]:
    return {"heard": given}


async def _refuse(given: dict[str, Any]) -> dict[str, Any]:
    raise NotFound(f"There is no {given['what']}.")


async def _fail(_given: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("a secret stands here")


async def _fill(_given: dict[str, Any]) -> dict[str, Any]:
    raise OSError(errno.ENOSPC, "a path stands here")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    # Longer than a socket's address may be.
    folder = tmp_path / ("deep" * 20) / ("er" * 30)
    folder.mkdir(parents=True)
    server = local.LocalServer(folder / local.NAME, {"echo": _echo, "refuse": _refuse, "fail": _fail, "fill": _fill})
    await server.start()
    yield folder / local.NAME
    await server.close()


async def test_a_word_is_answered_and_the_socket_is_private(path: Path) -> None:
    client = local.LocalClient(path, "vault A")
    assert await client.ask("echo", {"n": 1}) == {"heard": {"n": 1}}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116 - a look at one file


async def test_refusals_come_back_as_they_are_and_failures_say_nothing(path: Path) -> None:
    client = local.LocalClient(path, "vault A")
    with pytest.raises(NotFound, match="no gallery"):
        await client.ask("refuse", {"what": "gallery"})
    with pytest.raises(Unavailable) as failed:
        await client.ask("fail")
    assert "secret" not in str(failed.value)
    with pytest.raises(DiskFull) as full:
        await client.ask("fill")
    assert "path" not in str(full.value)
    with pytest.raises(BadInput):
        await client.ask("dance")


async def test_rubbish_is_refused_and_the_next_line_is_answered(path: Path) -> None:
    with local._reachable(path) as name:
        reader, writer = await asyncio.open_unix_connection(name)
    for rubbish in (b"\x00\xff\n", b"[]\n", b'{"word": 1}\n', b'{"word": "echo", "given": 5}\n'):
        writer.write(rubbish)
        assert json.loads(await reader.readline())["slug"] == BadInput.slug
    writer.write(b'{"word": "echo", "given": {}}\n')
    assert json.loads(await reader.readline()) == {"told": {"heard": {}}}
    writer.close()


async def test_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_caller", lambda _link: os.getuid() + 4711)
    with pytest.raises(Forbidden):
        await local.LocalClient(path, "vault A").ask("echo")


async def test_a_part_that_does_not_run_is_down(tmp_path: Path) -> None:
    with pytest.raises(PartDown):
        await local.LocalClient(tmp_path / local.NAME, "vault A").ask("echo")
