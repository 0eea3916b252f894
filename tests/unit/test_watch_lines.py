"""Log lines: what gets into them, by every way on which something is said."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import structlog
import uvicorn

from moiety.foundation.errors import BadInput, DiskFull, Fault, PartDown, Unverified, refusal_of
from moiety.ledger import leaves
from moiety.vault import roster
from moiety.watch import drain, kind_of, lines, place, places
from moiety.wire import links, tls
from moiety.wire.kinds import Kind, Role
from watched_lines import written

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "Zanzibarquokka"
GALLERY = "gal_abcdefgh234567ab"
log = logging.getLogger(links.__name__)


def fails() -> NoReturn:
    raise ValueError(CANARY)


def caught(raising: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as found:  # noqa: PT011 - whatever it raises is what the test is about
        raising()
    return found.value


# ---- what a line says ----


def test_req_42_a_line_is_json_with_its_values_by_their_keys() -> None:
    with written() as out:
        log.warning(
            "%(part)s: refused %(kind)s of %(gallery)s", {"part": Role.EYE, "kind": "PROBE", "gallery": GALLERY}
        )
    line = out.last()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "moiety.wire.links",
        "event": f"eye: refused PROBE of {GALLERY}",
        "part": "eye",
        "kind": "PROBE",
        "gallery": GALLERY,
    }


def test_a_value_of_another_shape_leaves_its_key_in_the_sentence_and_is_counted() -> None:
    before = lines.written()["withheld"]
    with written() as out:
        log.info("%(part)s: refused %(kind)s: %(rows)d", {"part": CANARY, "kind": "PROBE", "rows": 10**12})
    assert out.last()["event"] == "[part]: refused PROBE: [rows]"
    assert (out.last()["withheld"], lines.written()["withheld"] - before) == (2, 2)


def test_keys_that_nobody_declared_are_left_out() -> None:
    with written() as out:
        log.info("%(part)s: has %(color)s", {"part": Role.EYE, "color": "blue", "reason": CANARY})
    assert out.last()["event"] == "eye: has [color]"
    assert "blue" not in out.getvalue() + CANARY.lower()
    assert CANARY not in out.getvalue()


def test_levels_below_the_setting_are_not_written() -> None:
    with written("warning") as out:
        log.info("nothing to say")
        log.error("something to say")
    assert [line["event"] for line in out.lines()] == ["something to say"]


# ---- what it does not say, however it was said ----


def test_req_42_text_that_does_not_stand_in_the_source_is_withheld() -> None:
    sentence = f"{CANARY} came"
    with written() as out:
        log.info(sentence)
        log.info("%s came", CANARY)
        log.info("%(who)s came", {"who": CANARY})
        log.info("came", extra={"who": CANARY})
        log.warning(ValueError(CANARY))
        log.info("came %s %s", CANARY)  # noqa: PLE1206 - a careless hand
        logging.getLogger(f"moiety.{CANARY}").info("came")
        logging.getLogger(CANARY).warning("came")
    assert CANARY not in out.getvalue()
    assert [line["event"] for line in out.lines()][:4] == [lines.WITHHELD, "%s came", "[who] came", "came"]


def test_req_42_an_error_leaves_its_class_and_place_and_not_its_text() -> None:
    with written() as out:
        try:
            fails()
        except ValueError:
            log.exception("something failed")
    line = out.last()
    assert (line["event"], line["error"]) == ("something failed", "ValueError")
    assert line["at"].startswith("fails:")
    assert CANARY not in out.getvalue()


def test_an_error_whose_class_was_made_up_is_named_by_the_class_above() -> None:
    assert kind_of(type(CANARY, (KeyError,), {})()) == "KeyError"
    assert kind_of(BadInput("x")) == "BadInput"
    assert place(ValueError(CANARY)) == places(ValueError(CANARY)) == "?"


def test_libraries_and_servers_speak_through_the_same_sieve() -> None:
    with written() as out:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=caught(fails))
        logging.getLogger("uvicorn.access").info('%s - "%s"', "10.0.0.9", f"GET /?reason={CANARY}")
        logging.getLogger("PIL.TiffImagePlugin").debug("tag: %s", CANARY)
        warnings.warn(CANARY, stacklevel=1)
        structlog.get_logger("moiety").info(CANARY, reason=CANARY, gallery=GALLERY, part=CANARY)
    assert CANARY not in out.getvalue()
    assert "10.0.0.9" not in out.getvalue()
    first, *_, last = out.lines()
    assert (first["logger"], first["error"]) == (uvicorn.__name__, "ValueError")
    assert (last["gallery"], last["withheld"]) == (GALLERY, 3)


async def test_what_is_lost_in_the_background_says_no_more_than_where() -> None:
    async def loses() -> NoReturn:
        fails()

    with written() as out:
        lines.on_loop(asyncio.get_running_loop())
        task = asyncio.create_task(loses(), name=CANARY)
        await asyncio.wait([task])
        del task
        asyncio.get_running_loop().call_soon(fails)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert CANARY not in out.getvalue()
    assert [line["error"] for line in out.lines() if "error" in line] == ["ValueError", "ValueError"]


def test_what_nobody_catches_in_a_thread_or_a_destructor_says_no_more_than_where() -> None:
    class Falling:
        def __del__(self) -> None:
            fails()

    with written() as out:
        thread = threading.Thread(target=fails, name=CANARY)
        thread.start()
        thread.join()
        Falling()
        sys.excepthook(ValueError, caught(fails), None)
    assert CANARY not in out.getvalue()
    assert [line["error"] for line in out.lines()] == ["ValueError"] * 3


PART = """
import os, sys, warnings
from moiety.cli.part import prepared
from moiety.wire.kinds import Role
with prepared(Role.EYE):
    print("Zanzibarquokka", file=sys.stderr, flush=True)
    os.write(2, b"libfancy: Zanzibarquokka\\n")
    os.system("echo Zanzibarquokka >&2")
    os.write(2, b"Zanzibarquokka" * 100_000)
    {more}
"""


@pytest.mark.parametrize("more", ["pass", "raise ValueError('Zanzibarquokka')", "import faulthandler, os; os.abort()"])
def test_nothing_gets_to_standard_error_but_lines(more: str) -> None:
    program = PART.replace("{more}", more)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert CANARY not in done.stdout + done.stderr
    assert all(line.startswith('{"time"') for line in done.stderr.splitlines()), done.stderr
    if "raise" in more:
        assert '"error": "ValueError"' in done.stderr
        assert done.returncode == 1


def test_after_the_part_standard_error_is_what_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    with drain.drained() as stream:
        os.write(2, b"inside\n")
        stream.write("a line\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "a line\nafter\n"


# ---- why something was refused ----


def test_a_sentence_that_stands_in_the_source_is_told_whole() -> None:
    error = caught(lambda: roster.Roster.decode(b"no"))
    assert isinstance(error, Unverified)
    with written() as out:
        log.info("refused: %(why)s", {"why": error})
        log.info("refused: %(why)s", {"why": DiskFull()})
        log.info("refused: %(why)s", {"why": tls.ENDED})
    first, full, ended = (line["why"] for line in out.lines())
    assert first == "A packed record is cut short."
    assert full == "The disk is full; nothing was kept."
    assert ended == tls.ENDED


def test_of_a_sentence_put_together_only_our_words_and_short_numbers_are_told() -> None:
    error = caught(lambda: leaves.check_purpose(CANARY * 99))
    told = refusal_of("warrant-refused", f"{CANARY} was refused.")
    with written() as out:
        log.info("refused: %(why)s", {"why": told})
        log.info("refused: %(why)s", {"why": PartDown(f"{CANARY} went away.")})
        log.info("refused: %(why)s", {"why": Fault(CANARY)})
        log.info("refused: %(why)s", {"why": CANARY})
        log.info("refused: %(why)s", {"why": error})
    assert CANARY not in out.getvalue()
    assert [line.get("why") for line in out.lines()] == [
        "warrant-refused",
        "part-down",
        "fault",
        None,
        "A purpose is one line of 1 to 200 characters.",
    ]


def test_every_kind_and_part_is_a_word_of_the_log() -> None:
    with written() as out:
        for kind in Kind:
            log.info("%(part)s: refused %(kind)s", {"part": Role.MINT, "kind": kind.name})
    assert [line["kind"] for line in out.lines()] == [kind.name for kind in Kind]


def test_a_stream_that_is_gone_takes_nothing_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    with written() as out:
        out.close()
        with contextlib.suppress(ValueError):
            log.info("%(part)s: came", {"part": CANARY})
    assert CANARY not in "".join(capfd.readouterr())
