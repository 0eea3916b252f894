"""`moiety calibrate`, `moiety eval …`, `moiety bench …`: numbers that were measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moiety.cli.commands.options import Json
from moiety.cli.output import progress, result, say
from moiety.foundation import settings
from moiety.foundation.envelopes import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moiety.vision.eyesight import Eyesight

app = typer.Typer()
eval_app = typer.Typer(no_args_is_help=True, help="Accuracy on labelled photos.")
bench_app = typer.Typer(no_args_is_help=True, help="Speed, beside named peers in the same run.")


def _eyes(detector: str) -> Eyesight:
    """Load vision with as many streams as the settings give threads."""
    from moiety.vision.eyesight import Eyesight, VisionOptions  # noqa: PLC0415 - the engines are slow to load

    options = VisionOptions(
        model=settings.setting("MOIETY_MODEL"),
        runtime=settings.setting("MOIETY_RUNTIME"),  # type: ignore[arg-type]  # the settings table allows no other
        threads=1,
        streams=settings.number("MOIETY_THREADS"),
        detector=detector,  # type: ignore[arg-type]  # checked by the option below
        models_dir=settings.folder("MOIETY_MODELS"),
    )
    return Eyesight(options)


def _advancing(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turn (done, all) into single steps."""
    return lambda _done, _all: advance(1)


@app.command()
def calibrate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Photos of many people: a folder per person.")],
    out: Annotated[Path | None, typer.Option(help="Write the table to this file for `gallery create`.")] = None,
    *,
    json: Json = False,
) -> None:
    """Measure which cosine belongs to which false-match rate, from all pairs of different people."""
    from moiety.vision.calibrate import calibrate as measure  # noqa: PLC0415 - the engines are slow to load
    from moiety.vision.folders import photos_by_person  # noqa: PLC0415 - as above

    total = sum(len(paths) for paths in photos_by_person(folder).values())
    with progress("measuring", total) as advance:
        made = measure(_eyes("auto"), folder, _advancing(advance))
    found: dict[str, Any] = {
        "model": made.model,
        "model_sha256": made.model_sha256,
        "people": made.people,
        "photos": made.photos,
        "faces_missed": made.faces_missed,
        "impostor_pairs": made.impostor_pairs,
        "genuine_pairs": made.genuine_pairs,
        "table": made.thresholds(),
        "genuine_pass": {f"{row.fmr:g}": row.genuine_pass for row in made.rows},
        "notes": {f"{row.fmr:g}": row.note for row in made.rows if row.note},
    }
    if out:
        import json as jsons  # noqa: PLC0415 - the option above has the plain name

        write_durably(out, jsons.dumps(found, indent=1).encode(), mode=0o644)
    lines = [f"{rate}: cosine {cosine}" for rate, cosine in made.thresholds().items()]
    lines += [f"{rate}: {note}" for rate, note in found["notes"].items()]
    result(found, as_json=json, lines=[f"{made.impostor_pairs} impostor pairs of {made.people} people", *lines])


@eval_app.callback()
def _eval() -> None:
    """Accuracy on labelled photos."""


@eval_app.command()
def lfw(
    images: Annotated[Path, typer.Option(help="Folder with a folder per person.")],
    pairs: Annotated[Path, typer.Option(help="pairs.txt in LFW's format, any number of folds.")],
    detector: Annotated[str, typer.Option(help="auto, fast or accurate.")] = "auto",
    *,
    json: Json = False,
) -> None:
    """Measure verification on labelled pairs, in the open and through split, ring product and sign test."""
    from moiety.cli.protected import Rehearsal  # noqa: PLC0415 - the kernel is slow to load
    from moiety.vision.evaluate import measure, read_pairs, report  # noqa: PLC0415 - as above

    if detector not in {"auto", "fast", "accurate"}:
        raise typer.BadParameter("The detector is auto, fast or accurate.")
    listed = read_pairs(pairs, images)
    photos = {photo for pair in listed for photo in (pair.first, pair.second)}
    with progress("measuring", len(photos)) as advance:
        measured = measure(_eyes(detector), listed, _advancing(advance))
    say("running every pair through split, ring product and sign test")
    in_the_open = report(measured)
    protected = report(measured, Rehearsal(measured.first.shape[1]).decide)
    found = {
        "pairs": in_the_open.pairs,
        "folds": in_the_open.folds,
        "accuracy_plain": round(in_the_open.accuracy, 6),
        "accuracy_protected": round(protected.accuracy, 6),
        "tar_at_far_1e-3_plain": round(in_the_open.tar, 6),
        "tar_at_far_1e-3_protected": round(protected.tar, 6),
        "far_plain": round(in_the_open.far, 6),
        "far_protected": round(protected.far, 6),
        "faces_missed": in_the_open.faces_missed,
    }
    result(found, as_json=json)


@eval_app.command()
def morphs(
    images: Annotated[Path, typer.Option(help="Folder with a folder per person; those with two good photos count.")],
    *,
    json: Json = False,
) -> None:
    """Measure how many morphs of two people, and how many honest photos, a picture taken in person flags."""
    from moiety.eye.vouching import Vouching  # noqa: PLC0415 - the engines are slow to load
    from moiety.vision.folders import photos_by_person  # noqa: PLC0415 - as above
    from moiety.vision.morphs import measure  # noqa: PLC0415 - as above

    eyes = _eyes("auto")
    total = sum(len(paths) > 1 for paths in photos_by_person(images).values())
    with progress("morphing", total) as advance:
        made = measure(eyes, images, _advancing(advance))
    bounds = Vouching.by(eyes.model.thresholds)
    found: dict[str, Any] = {"people": len(made.honest), "most_alike_of_two_photos": round(float(made.honest.max()), 4)}
    for name, cosines in (("morphs", made.morphed), ("honest", made.honest)):
        found[f"{name}_other_person"] = round(float((cosines < bounds.same).mean()), 4)
        found[f"{name}_flagged"] = round(float(((cosines >= bounds.same) & (cosines < bounds.sure)).mean()), 4)
        found[f"{name}_pass"] = round(float((cosines >= bounds.sure).mean()), 4)
    result(found, as_json=json)


@bench_app.command()
def match(
    rows: Annotated[int, typer.Option(min=64, help="Rows in the largest gallery.")] = 100_000,
    dim: Annotated[int, typer.Option(min=128, help="Numbers in a template: 128, 192, 256 or 512.")] = 512,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Probes at once.")] = 64,
    cores: Annotated[int, typer.Option(min=1, help="Cores that everything shares.")] = 2,
    *,
    json: Json = False,
) -> None:
    """Time searches by both vaults and the mint beside FAISS, usearch and sgemm, in the same run on the same cores."""
    from moiety.cli.bench import match as bench  # noqa: PLC0415 - the kernel is slow to load

    with progress("filling galleries", sum(bench.sizes_of(rows))) as advance:
        lines = bench.run(rows, dim, batch, cores, advance)
    _print([*lines, bench.summary(lines, rows, dim, batch, cores)], as_json=json)


@bench_app.command()
def identify(
    images: Annotated[Path, typer.Option(help="Folder with photos to ask about.")],
    rows: Annotated[int, typer.Option(min=1, help="Rows in the gallery.")] = 10_000,
    requests: Annotated[int, typer.Option(min=10, help="How many to time.")] = 200,
    *,
    json: Json = False,
) -> None:
    """Time identification over HTTP, picture in and answer out, on a scratch installation."""
    from moiety.cli.bench import identify as bench  # noqa: PLC0415 - the kernel is slow to load
    from moiety.vision.folders import photos_by_person  # noqa: PLC0415 - as above

    photos = [paths[0] for paths in photos_by_person(images).values()][:requests]
    lines = bench.run(rows, photos, requests)
    _print(lines, as_json=json)


@bench_app.command("import")
def import_templates(
    rows: Annotated[int, typer.Option(min=1, help="Templates to import.")] = 100_000,
    *,
    json: Json = False,
) -> None:
    """Time an import of templates through eye, both vaults and gate, on a scratch installation."""
    from moiety.cli.bench import importing as bench  # noqa: PLC0415 - the kernel is slow to load

    _print(bench.run(rows), as_json=json)


@bench_app.command()
def pages(
    subjects: Annotated[int, typer.Option(min=10, help="Subjects in the gallery.")] = 100_000,
    requests: Annotated[int, typer.Option(min=20, help="How many to time of each page.")] = 100,
    *,
    json: Json = False,
) -> None:
    """Time every page that lists something, over HTTP, on SQLite and on PostgreSQL, on scratch installations."""
    from moiety.cli.bench import pages as bench  # noqa: PLC0415 - the kernel is slow to load

    _print(bench.run(subjects, requests), as_json=json)


@bench_app.command()
def ledger(
    entries: Annotated[int, typer.Option(min=1, help="Entries to write.")] = 1_000_000,
    *,
    json: Json = False,
) -> None:
    """Time adding to a ledger, checking it, proving an entry, and checking a copy."""
    from moiety.cli.bench import ledger as bench  # noqa: PLC0415 - most commands need none of it

    with progress("entries", entries) as advance:
        lines = bench.run(entries, advance)
    _print(lines, as_json=json)


@bench_app.command()
def vision(
    images: Annotated[Path, typer.Option(help="Folder with photos.")],
    count: Annotated[int, typer.Option(min=1, help="How many of them.")] = 150,
    *,
    json: Json = False,
) -> None:
    """Time pictures from file to embedding on one core, beside `face_recognition`."""
    from moiety.cli.bench import vision as bench  # noqa: PLC0415 - the engines are slow to load
    from moiety.vision.eyesight import VisionOptions  # noqa: PLC0415 - as above

    options = VisionOptions(
        runtime=settings.setting("MOIETY_RUNTIME"),  # type: ignore[arg-type]  # the settings table allows no other
        models_dir=settings.folder("MOIETY_MODELS"),
    )
    _print(bench.run(images, options=options, count=count, progress=say), as_json=json)


def _print(lines: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    """Print one line per measurement: JSON, or names and numbers."""
    for line in lines:
        words = "  ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in line.items()
        )
        result(line, as_json=as_json, lines=[words])
