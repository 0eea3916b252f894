"""A thief takes every file that any process wrote: no word about a person, no picture, no face, but noise."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from harness import Site, upload
from moiety.foundation import settings
from moiety.foundation.clock import SystemClock
from moiety.foundation.envelopes import KeyRing
from moiety.kernel import quantise, rotation
from moiety.vault.cabinet import Cabinet
from moiety.vault.journal import Journal
from moiety.vault.rows import RowStore
from moiety.vault.seeds import SeedStore
from moiety.vision.eyesight import Eyesight, VisionOptions
from moiety.wire.kinds import Role
from thief import correlation, spellings, uniformity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moiety.cli.installation import Installation
    from moiety.cli.samples import Samples

pytestmark = pytest.mark.slow

# Strings that stand nowhere else in the world.
NAMES = {
    "Barack Obama": "Zanzibarquokka Vermilionstoat",
    "Joe Biden": "Ülmenkauz Quittenbrot",
    "Eileen Collins": "Plumbagoheron Kestrelvane",
}
WORDS = {
    "field": "passport-QX77-vellichor-4431",
    "reason": "because-of-the-thrumblewick-case",
    "search": "asked-for-the-murmurglass-door",
    "reveal": "shown-to-the-fennelgate-desk",
    "erase": "left-for-the-ombrellino-island",
    "unknown": "Nobodyhere Sundriplet",
    "file": "holiday-in-wrenbarrow",
}
QUALITIES = range(60, 95, 5)
DIM = 512
# Random bytes reach 0.25 in a few megabytes: 1 / sqrt(512) is one standard deviation.
NOISE = 0.3


@dataclass(frozen=True)
class Loot:
    """What a thief has: every file's bytes while it ran, and the photos he would like to find."""

    site: Site
    running: dict[Path, bytes]
    scratch: Path
    pictures: list[bytes]
    token: str
    processes: dict[Role, tuple[bytes, bytes]]
    core_limits: dict[Role, str]
    held: dict[str, bytes]


def _variants(path: Path) -> list[bytes]:
    """Make several pictures of one photo: each is a photo of its own to the product."""
    made = [path.read_bytes()]
    with Image.open(path) as image:
        for quality in QUALITIES:
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=quality)
            made.append(out.getvalue())
    return made


def _live(site: Site, photos: Samples) -> tuple[list[bytes], str]:
    """Let an installation do all it can do; gives the pictures it saw and the token of a key."""
    pictures = []
    with site.owner() as owner:

        def ask(method: str, path: str, **what: object) -> dict[str, object]:
            answer: dict[str, object] = owner.request(method, path, **what).raise_for_status().json()  # type: ignore[arg-type]
            return answer

        ask("POST", "galleries", json={"name": "vaultroom", "purpose": "a test of thieves"})
        g = "galleries/vaultroom"
        for person, paths in photos.enrol.items():
            for image in [image for path in paths for image in _variants(path)]:
                pictures.append(image)
                form = {
                    "reference": NAMES[person],
                    "reason": WORDS["reason"],
                    "fields": json.dumps({"f": WORDS["field"]}),
                }
                ask("POST", f"{g}/subjects", data=form, files={"image": (WORDS["file"], image)})
        probe = photos.probe.read_bytes()
        pictures.append(probe)
        form = {"reason": WORDS["search"], "reveal": "true"}
        found = ask("POST", f"{g}/identify", data=form, files=upload(probe))
        assert NAMES["Barack Obama"] in json.dumps(found, ensure_ascii=False)
        subject = ask("POST", f"{g}/find", json={"reference": NAMES["Joe Biden"], "reason": "x"})["subject_id"]
        asked = {"fields": ["reference", "f"], "reason": WORDS["reveal"]}
        ask("POST", f"{g}/subjects/{subject}/reveal", json=asked)
        ask("POST", f"{g}/subjects/{subject}/verify", data={"reason": WORDS["search"]}, files=upload(probe))
        both = upload(probe, "first") | upload(pictures[0], "second")
        ask("POST", "compare", data={"reason": WORDS["search"]}, files=both)
        # What fails is where words slip into logs.
        owner.post(f"{g}/find", json={"reference": WORDS["unknown"], "reason": WORDS["search"], WORDS["field"]: 1})
        owner.post(f"{g}/subjects", data={"reason": WORDS["reason"], "fields": WORDS["field"]}, files=upload(b"no"))
        owner.get(f"galleries/{WORDS['unknown']}")
        erased = ask("POST", f"{g}/find", json={"reference": NAMES["Eileen Collins"], "reason": "x"})["subject_id"]
        ask("DELETE", f"{g}/subjects/{erased}", params={"reason": WORDS["erase"]})
        made = ask("POST", "keys", json={"name": "door", "scopes": ["gallery:probe:identify"], "days": 1})
    with site.caller(str(made["token"])) as door:
        door.post(f"{g}/identify", data={"reason": WORDS["search"]}, files=upload(probe)).raise_for_status()
    return pictures, str(made["token"])


def _process(site: Site, role: Role) -> tuple[bytes, bytes]:
    """Read what everybody on the machine, or its owner, sees of a process: its command line and environment."""
    place = Path("/proc") / str(site.pid(role))
    return (place / "cmdline").read_bytes(), (place / "environ").read_bytes()


def _core_limit(site: Site, role: Role) -> str:
    """Read how large a core dump of a process may be."""
    limits = (Path("/proc") / str(site.pid(role)) / "limits").read_text()
    return limits.split("Max core file size")[1].split()[0]


@pytest.fixture(scope="module")
def loot(tmp_path_factory: pytest.TempPathFactory, photos: Samples) -> Loot:
    """Run an installation through all it can do, copy its files while it runs, stop it."""
    scratch = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        patch.setenv("MOIETY_LOG", "debug")
        with Site(tmp_path_factory.mktemp("thief") / "data") as site:
            pictures, token = _live(site, photos)
            held = _held(site)
            running = {path: path.read_bytes() for path in site.files()}
            processes = {role: _process(site, role) for role in Role}
            cores = {role: _core_limit(site, role) for role in Role}
    return Loot(site, running, scratch, pictures, token, processes, cores, held)


def _held(site: Site) -> dict[str, bytes]:
    """Read the regular files that a part holds open for writing, deleted ones too, wherever they lie."""
    found: dict[str, bytes] = {}
    for role in Role:
        for link in (Path("/proc") / str(site.pid(role)) / "fd").iterdir():
            # A connection to a database may close at this moment.
            with contextlib.suppress(FileNotFoundError):
                flags = (link.parent.parent / "fdinfo" / link.name).read_text().split("flags:")[1].split()[0]
                if stat.S_ISREG(link.stat().st_mode) and int(flags, 8) & 0o3:
                    found[str(link.readlink())] = link.read_bytes()
    return found


def _files(loot: Loot) -> dict[str, bytes]:
    """Give every file there was while it ran and there is after it stopped."""
    after = {path: path.read_bytes() for path in loot.site.files()}
    scratch = {path: path.read_bytes() for path in loot.scratch.rglob("*") if path.is_file()}
    named = {f"running {path}": raw for path, raw in loot.running.items()}
    named |= {f"open {path}": raw for path, raw in loot.held.items()}
    return named | {f"stopped {path}": raw for path, raw in (after | scratch).items() if loot.running.get(path) != raw}


def test_no_word_about_a_person_stands_in_any_file(loot: Loot) -> None:
    files = _files(loot)
    assert any(name.endswith("-wal") for name in files)
    found = [
        (name, kind, word)
        for word in (*NAMES.values(), *(part for name in NAMES.values() for part in name.split()), *WORDS.values())
        for kind, spelling in spellings(word).items()
        for name, raw in files.items()
        if spelling in raw
    ]
    assert found == []
    # The search works: the gallery's purpose is not secret, and it is found.
    assert any(spellings("a test of thieves")["utf-8"] in raw for raw in files.values())


def test_no_picture_stands_in_any_file(loot: Loot) -> None:
    files = _files(loot)
    pieces = []
    for image in loot.pictures:
        pieces += [image[at : at + 48] for at in range(len(image) // 3, len(image) - 48, len(image) // 7)]
        digest = hashlib.sha256(image)
        pieces += [digest.digest(), digest.hexdigest().encode()]
        with Image.open(io.BytesIO(image)) as picture:
            pixels = picture.convert("RGB").tobytes()
            pieces.append(pixels[len(pixels) // 2 : len(pixels) // 2 + 96])
    assert [name for name, raw in files.items() if any(piece in raw for piece in pieces)] == []


@dataclass(frozen=True)
class Faces:
    """Templates and embeddings f64[n, 512] as only the eye ever had them, and the halves f64[n, 512] at A and at B."""

    templates: NDArray[np.float64]
    embeddings: NDArray[np.float64]
    rows: NDArray[np.uint16]
    pads: NDArray[np.uint16]


@pytest.fixture(scope="module")
def faces(loot: Loot, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """Measure the enrolled pictures with the eye's own rotation, and take both halves apart from disk."""
    made = loot.site.made
    gallery, rotation_id = loot.site.read(Role.GATE, "SELECT id, rotation_id FROM gallery")[0]
    turn = rotation(made.ring(Role.EYE).path(f"rotation-{rotation_id}.key").read_bytes(), DIM)
    options = VisionOptions(threads=2, models_dir=settings.folder("MOIETY_MODELS"))
    eyes = Eyesight(options)
    embeddings = np.stack([eyes.faces(image)[0].embedding for image in loot.pictures[:: len(QUALITIES) + 1]])
    templates = np.stack([quantise(turn @ embedding) for embedding in embeddings])
    rows, pads = (half_of(made, role, gallery, tmp_path_factory.mktemp(role)) for role in (Role.VAULT_A, Role.VAULT_B))
    return Faces(templates.astype(np.float64), embeddings.astype(np.float64), rows, pads)


def half_of(made: Installation, role: Role, gallery: str, copy: Path) -> NDArray[np.uint16]:
    """Open a copy of a vault's files with its own keys, as the vault does, and give its lanes in their order."""
    folder = shutil.copytree(made.folder(role), copy / role, ignore=shutil.ignore_patterns("*.sock"))
    keys = KeyRing(shutil.copytree(made.keys / role, copy / "keys"))
    journal = Journal(folder / "journal.sqlite")
    halves = (
        RowStore(journal, folder / "rows")
        if role is Role.VAULT_A
        else SeedStore(journal, keys, folder / "seeds", SystemClock())
    )
    return Cabinet(journal, halves, SystemClock()).shelf(gallery).lanes


def test_both_halves_together_are_the_faces(faces: Faces) -> None:
    """The control of all that follows: what is looked for is there once A and B are joined."""
    joined = (faces.rows + faces.pads).view(np.int16)
    erased, *enrolled, probe = correlation(joined.astype(np.int8).tobytes(), faces.templates)
    assert min(enrolled) > 0.999
    assert probe > 0.5
    # Whoever was erased is not there even then.
    assert erased < NOISE


def test_no_file_correlates_with_a_face(loot: Loot, faces: Faces) -> None:
    random = np.random.default_rng(7)
    wanted = np.concatenate([faces.templates, faces.embeddings])
    noise = np.stack([random.permutation(vector) for vector in wanted])
    looked_at = 0
    for raw, name in {raw: name for name, raw in _files(loot).items()}.items():
        if len(raw) >= DIM:
            scores = correlation(raw, np.concatenate([wanted, noise]))
            assert scores[: len(wanted)].max() < NOISE, name
            # The same numbers in another order do as well: what there is, is chance.
            assert scores[: len(wanted)].max() < scores[len(wanted) :].max() + 0.1, name
            looked_at += 1
    assert looked_at > 10
    hidden = bytes(1000) + faces.templates[0].astype(np.int8).tobytes() + bytes(1000)
    assert correlation(hidden, faces.templates[:1])[0] > 0.99


def test_either_half_is_noise(loot: Loot, faces: Faces) -> None:
    seeds = b"".join(sealed for (sealed,) in loot.site.read(Role.VAULT_B, "SELECT seed FROM row"))
    for raw in (faces.rows.tobytes(), faces.pads.tobytes(), seeds):
        assert uniformity(raw) > 1e-6
    assert uniformity(faces.templates.astype(np.int8).tobytes()) < 1e-6
    for half in (faces.rows, faces.pads):
        assert correlation(half.tobytes(), faces.templates).max() < NOISE


def test_pictures_of_one_face_cannot_be_told_from_others_in_one_half(faces: Faces) -> None:
    def links(vectors: NDArray[np.float64]) -> float:
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        pairs: NDArray[np.float64] = np.abs(units @ units.T)[np.triu_indices(len(units), 1)]
        return float(pairs.max())

    # Two thirds of the rows are variants of two photos of one man.
    assert links(faces.rows.view(np.int16).astype(np.float64)) < NOISE
    assert links(faces.pads.view(np.int16).astype(np.float64)) < NOISE
    assert links((faces.rows + faces.pads).view(np.int16).astype(np.float64)) > 0.99


def test_files_and_folders_are_their_owners_alone(loot: Loot) -> None:
    paths = [loot.site.data, *loot.site.data.rglob("*")]
    assert len(paths) > 30
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    loose = [path for path in paths if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o177]
    assert loose == []


def test_nothing_is_written_outside_the_installation(loot: Loot) -> None:
    assert list(loot.scratch.rglob("*")) == []
    assert len(loot.held) > 10
    assert [name for name in loot.held if loot.site.data not in Path(name).parents] == []


def test_no_secret_stands_in_arguments_or_environments(loot: Loot) -> None:
    secrets = [loot.token.encode()]
    for path in (loot.site.made.keys).rglob("*.key"):
        secrets += [path.read_bytes(), path.read_bytes().hex().encode()]
    told = json.loads(next(raw for path, raw in loot.running.items() if path.name == "gate.json"))
    secrets.append(told["token"].encode())
    assert len(secrets) > 30
    for role, seen in loot.processes.items():
        assert [secret for secret in secrets if any(secret in part for part in seen)] == [], role
    # The key's token is kept nowhere, the owner's only where commands look for it.
    files = _files(loot)
    assert [name for name, raw in files.items() if loot.token.encode() in raw] == []
    assert {Path(name.split()[1]).name for name, raw in files.items() if secrets[-1] in raw} == {"gate.json"}


def test_a_part_that_crashes_leaves_no_memory_behind(loot: Loot) -> None:
    assert loot.core_limits == dict.fromkeys(Role, "0")
