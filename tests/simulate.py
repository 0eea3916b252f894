"""Simulated lives of a whole site: `make simulate RUNS=10000`; one of them again: `make simulate SEED=17`.

First the life in which everything happens once, which dies once at each of its durable writes in each way; then lives
by seeds. Each runs in one thread, without a clock, a socket or a disk of the machine: it is the same bit for bit
whenever it is run. Prints one line of JSON; exits with 1 when anything failed.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from simulated_disk import FATES, Fuse  # noqa: E402 - found by the path that is set above
from simulated_parts import lay_out  # noqa: E402 - as above
from simulated_world import Told, by_dice, by_script, run, undisturbed  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator

# Runs whose garbage is collected at once.
AT_ONCE = 8


@dataclass(frozen=True)
class Job:
    """One run: by a seed, or by the script with a death at one of its durable writes."""

    seed: int = 0
    step: int | None = None
    fate: str = "before"
    scripted: bool = False

    @property
    def command(self) -> str:
        """Say how to run it again."""
        if self.scripted:
            return f"make simulate STEP={self.step} FATE={self.fate}"
        return f"make simulate SEED={self.seed}"

    def live(self, folders: tuple[Path, Path], *, keep: bool = False) -> Told:
        """Run it."""
        fuse = None if self.step is None else Fuse(None, self.step, self.fate)
        life = by_script if self.scripted else by_dice
        return run(self.command, self.seed, life, folders, fuse=fuse, keep=keep)


def _some(given: tuple[Path, list[Job]]) -> list[Told]:
    """Live some lives."""
    template, jobs = given
    folder = template.parent / f"run-{os.getpid()}"
    with undisturbed():
        told = [job.live((template, folder)) for job in jobs]
    shutil.rmtree(folder, ignore_errors=True)
    gc.collect()
    return told


def _all(jobs: list[Job], template: Path, cores: int) -> Iterator[Told]:
    """Live all lives, on some cores."""
    parts = [(template, jobs[i : i + AT_ONCE]) for i in range(0, len(jobs), AT_ONCE)]
    if cores == 1:
        for part in parts:
            yield from _some(part)
        return
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        for told in pool.imap_unordered(_some, parts):
            yield from told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--fates", nargs="*", default=FATES, choices=FATES, help="how to die at each durable write")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="live this one again, and tell everything that happens")
    parser.add_argument("--step", type=int, help="die at this durable write of the script, and tell everything")
    parser.add_argument("--fate", default="before", choices=FATES, help="how to die there")
    return parser.parse_args()


def main() -> int:
    """Run; returns the exit code."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of words must have one order too.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - itself
    arguments = _arguments()
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    base = Path(tempfile.mkdtemp(prefix="moiety-", dir=memory if memory.is_dir() else None))
    try:
        lay_out(base / "template")
        if arguments.seed is not None:
            return _tell_one(Job(arguments.seed), base)
        if arguments.step is not None:
            return _tell_one(Job(0, arguments.step, arguments.fate, scripted=True), base)
        return _tell_all(arguments, base / "template")
    finally:
        shutil.rmtree(base)


def _tell_one(job: Job, base: Path) -> int:
    """Live one life, and tell all that happens."""
    with undisturbed():
        told = job.live((base / "template", base / "run"), keep=True)
    _say("\n".join([*(told.lines or ()), told.failed or "all was well", told.trace]))
    return 1 if told.failed else 0


def _say(what: str) -> None:
    sys.stdout.write(what + "\n")


def _script(fates: list[str], template: Path) -> list[Job]:
    """List every durable write of the script with every way to die at it; what is in vain is left out."""
    if not fates:
        return []
    with undisturbed():
        whole = Job(scripted=True).live((template, template.parent / "run"))
    if whole.failed:
        sys.exit(f"failed without any death:\n{whole.failed}")
    return [Job(0, step, fate, scripted=True) for step in range(whole.steps) for fate in fates]


def _tell_all(arguments: argparse.Namespace, template: Path) -> int:
    """Live all lives, and say what came of it."""
    counts: Counter[str] = Counter()
    failures = []
    jobs = _script(arguments.fates, template)
    scripted = len(jobs)
    jobs += [Job(seed) for seed in range(arguments.first, arguments.first + arguments.runs)]
    began = time.monotonic()
    for told in _all(jobs, template, arguments.cores):
        counts += told.counts
        if told.failed:
            failures.append({"command": told.name, "error": told.failed.strip().rsplit("\n", 1)[-1]})
            sys.stderr.write(f"failed: {told.name}\n{told.failed}\n")
    seconds = time.monotonic() - began
    summary = {
        "scripted": scripted,
        "seeded": counts.pop("runs") - scripted,
        **counts,
        "seconds": round(seconds, 1),
        "runs_per_s": round(len(jobs) / seconds, 1),
    }
    _say(json.dumps({"simulation": summary, "failures": failures}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
