"""Real photos through the real models: who is the same, how many there are, what is too poor to enrol."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import threading
from functools import cache
from importlib import util
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from moiety.foundation.errors import BadInput, ImageDamaged, NotAnImage
from moiety.vision import evaluate, speed, weights
from moiety.vision.calibrate import calibrate
from moiety.vision.eyesight import Eyesight, Face, VisionOptions

Pixels = npt.NDArray[np.uint8]
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
with_data = pytest.mark.skipif(not DATA.is_dir(), reason="the folder ../shared/data with test photos is not here")


@cache
def eyes(runtime: str = "openvino", *, liveness: bool = False) -> Eyesight:
    weights.install()
    threads = min(2, os.cpu_count() or 1)
    return Eyesight(VisionOptions(runtime=runtime, threads=threads, liveness=liveness))  # type: ignore[arg-type]  # the parameters below are those allowed


def jpeg(rgb: Pixels, quality: int = 92, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality, **options)
    return stream.getvalue()


def astronaut() -> Pixels:
    return np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]  # comes without types


def resized(rgb: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def cosine(one: Face, other: Face) -> float:
    return float(one.embedding @ other.embedding)


def test_one_face_with_everything_about_it() -> None:
    (face,) = eyes().faces(jpeg(astronaut()))
    x, y, width, height = face.box
    assert x < 225 < x + width
    assert y < 115 < y + height
    assert 60 < width < 160
    assert face.score > 0.9
    assert face.points.shape == (5, 2)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert left_mouth[0] < right_mouth[0]
    assert face.liveness is None
    assert face.embedding.shape == (512,)
    assert face.embedding.dtype == np.float32
    assert np.linalg.norm(face.embedding) == pytest.approx(1.0, abs=1e-5)
    assert face.quality.enrollable, face.quality.reasons
    assert json.dumps(face.quality.as_dict())


def test_the_card_of_the_default_model() -> None:
    card = eyes().model
    assert (card.name, card.dim) == ("faceplugin", 512)
    assert card.threshold(1e-4) == 0.412


@pytest.mark.parametrize("detector", ["auto", "fast", "accurate"])
def test_each_detector_sees_the_same_person(detector: str) -> None:
    reference = eyes().faces(jpeg(astronaut()))[0]
    (face,) = eyes().faces(jpeg(astronaut()), detector)  # type: ignore[arg-type]  # the parameters above are those allowed
    assert cosine(face, reference) > 0.9


def test_both_runtimes_give_the_same_vectors() -> None:
    other = eyes("onnxruntime")
    photos = [jpeg(astronaut()), jpeg(resized(astronaut(), 0.6)), jpeg(np.asarray(astronaut()[:, ::-1], np.uint8))]
    for photo in photos:
        (one,), (two,) = eyes().faces(photo), other.faces(photo)
        assert cosine(one, two) >= 0.999
        assert one.box == two.box


def test_size_turn_and_compression_hardly_change_the_person() -> None:
    reference = eyes().faces(jpeg(astronaut()))[0]
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.asarray(np.rot90(astronaut()), np.uint8)
    for photo in (
        jpeg(resized(astronaut(), 0.7)),
        jpeg(np.asarray(cv2.resize(astronaut(), (2048, 2048)), np.uint8)),
        jpeg(astronaut(), quality=40),
        jpeg(turned, exif=exif.tobytes()),
    ):
        assert cosine(eyes().faces(photo)[0], reference) > 0.9


def test_a_photo_too_large_to_decode_whole_keeps_its_coordinates() -> None:
    small = eyes().faces(jpeg(astronaut()))[0]
    large = eyes().faces(jpeg(np.asarray(cv2.resize(astronaut(), (5120, 5120)), np.uint8)))[0]
    assert np.allclose(np.array(large.box) / 10, small.box, atol=8)
    assert np.allclose(large.points / 10, small.points, atol=4)
    assert large.quality.size_px == pytest.approx(10 * small.quality.size_px, rel=0.15)
    assert cosine(large, small) > 0.9


def test_a_face_of_20_pixels_is_seen_and_not_enrollable() -> None:
    width = eyes().faces(jpeg(astronaut()))[0].quality.size_px
    (face,) = eyes().faces(jpeg(resized(astronaut(), 20 / width), quality=98))
    assert not face.quality.enrollable
    assert any(re.fullmatch(r"the face is too small: \d+ px, 40 needed", reason) for reason in face.quality.reasons)


def test_blur_darkness_and_an_edge_are_said_in_words() -> None:
    photo = astronaut()
    blurred = np.asarray(cv2.GaussianBlur(photo, (0, 0), 5), np.uint8)
    assert "the face is blurred" in eyes().faces(jpeg(blurred))[0].quality.reasons
    dark = (photo * 0.06).astype(np.uint8)
    assert "the face is too dark" in eyes().faces(jpeg(dark))[0].quality.reasons
    x, _, width, _ = eyes().faces(jpeg(photo))[0].box
    half = np.ascontiguousarray(photo[:, x + width // 2 :])
    assert "the face is cut off by the edge of the picture" in eyes().faces(jpeg(half))[0].quality.reasons


def test_a_picture_without_a_face_gives_an_empty_list() -> None:
    coffee = np.asarray(skimage.data.coffee(), np.uint8)  # type: ignore[no-untyped-call]  # comes without types
    assert eyes().faces(jpeg(coffee)) == []
    assert eyes().central(jpeg(np.full((300, 300, 3), 127, np.uint8))) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (700, 2), (31, 33)])
def test_tiny_and_thin_pictures_do_no_harm(size: tuple[int, int]) -> None:
    assert eyes().faces(jpeg(np.full((*size, 3), 90, np.uint8))) == []


def test_several_faces_come_largest_first_and_the_central_one_alone() -> None:
    photo = astronaut()[:260, 120:380]
    small = resized(np.ascontiguousarray(photo), 0.6)
    scene = np.full((260, 700, 3), 128, np.uint8)
    scene[:, :260] = photo
    scene[50 : 50 + small.shape[0], 400 : 400 + small.shape[1]] = small
    faces = eyes().faces(jpeg(scene))
    assert len(faces) == 2
    assert faces[0].box[2] > faces[1].box[2]
    assert cosine(faces[0], faces[1]) > 0.85
    central = eyes().central(jpeg(scene))
    assert central is not None
    assert central.box == faces[1].box


def test_bad_files_and_settings_are_refused() -> None:
    with pytest.raises(NotAnImage):
        eyes().faces(b"no picture")
    with pytest.raises(ImageDamaged):
        eyes().faces(jpeg(astronaut())[:9000])
    with pytest.raises(BadInput, match="detector"):
        eyes().faces(jpeg(astronaut()), "best")  # type: ignore[arg-type]  # that is what it refuses
    for options in (VisionOptions(model="nobody"), VisionOptions(model="centerface"), VisionOptions(threads=0)):
        with pytest.raises(BadInput):
            Eyesight(options)


def test_many_threads_at_once_give_the_same_faces() -> None:
    photos = [jpeg(resized(astronaut(), 1 - number / 20)) for number in range(6)]
    expected = [eyes().faces(photo)[0].embedding for photo in photos]
    worst: list[float] = []

    def look(number: int) -> None:
        worst.extend(float(eyes().faces(photos[number])[0].embedding @ expected[number]) for _ in range(3))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(photos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worst) == 18
    assert min(worst) > 0.9999


def test_an_embedder_of_ones_own_by_manifest(tmp_path: Path) -> None:
    eyes()
    models = tmp_path / "models"
    shutil.copytree(weights.folder_of(), models)
    shipped = weights.find("faceplugin")
    (tmp_path / "net.onnx").write_bytes(weights.load(shipped)[0])
    spec = {
        "name": "mine",
        "task": "embed",
        "licence": "MIT",
        "source": {"client": "file"},
        "files": [
            {"file": "net.onnx", "member": "net.onnx", "sha256": shipped.sha256, "bytes": shipped.files[0].bytes}
        ],
        "embed": {
            "engine": "onnx",
            "size": 112,
            "channels": "BGR",
            "mean": 127,
            "scale": 128,
            "layout": "NCHW",
            "template": "arcface",
            "dimension": 512,
            "thresholds": {"1e-3": 0.33},
        },
    }
    (tmp_path / "mine.json").write_text(json.dumps(spec))
    weights.install(str(tmp_path / "mine.json"), models)
    mine = Eyesight(VisionOptions(model="mine", models_dir=models))
    assert mine.model.thresholds == {1e-3: 0.33}
    assert cosine(mine.faces(jpeg(astronaut()))[0], eyes().faces(jpeg(astronaut()))[0]) > 0.9999
    spec["name"], spec["embed"]["dimension"] = "wrong", 256  # type: ignore[index]  # JSON of our own
    (tmp_path / "wrong.json").write_text(json.dumps(spec))
    weights.install(str(tmp_path / "wrong.json"), models)
    with pytest.raises(BadInput, match="512 numbers"):
        Eyesight(VisionOptions(model="wrong", models_dir=models))


@pytest.mark.skipif(util.find_spec("dlib") is None, reason="dlib is optional: `moiety models install dlib`")
def test_the_public_domain_embedder_in_the_same_pipeline() -> None:
    weights.install("dlib")
    public = Eyesight(VisionOptions(model="dlib"))
    assert public.model.dim == 128
    (one,), (two,) = public.faces(jpeg(astronaut())), public.faces(jpeg(resized(astronaut(), 0.7)))
    assert one.embedding.shape == (128,)
    assert cosine(one, two) > public.model.threshold(1e-3)


def test_calibration_on_a_folder_of_photos(tmp_path: Path) -> None:
    for name, rgb in (("a_0001.jpg", astronaut()), ("a_0002.jpg", resized(astronaut(), 0.8))):
        (tmp_path / name).write_bytes(jpeg(rgb))
    with pytest.raises(BadInput, match="two people"):
        calibrate(eyes(), tmp_path)
    (tmp_path / "b_0001.jpg").write_bytes(jpeg(np.asarray(astronaut()[:, ::-1], np.uint8)))
    (tmp_path / "c_0001.jpg").write_bytes(b"broken")
    done: list[tuple[int, int]] = []
    table = calibrate(eyes(), tmp_path, lambda now, of: done.append((now, of)))
    assert (table.people, table.photos, table.faces_missed) == (3, 4, 1)
    assert (table.impostor_pairs, table.genuine_pairs) == (2, 1)
    assert table.thresholds() == {"1e-2": None, "1e-3": None, "1e-4": None, "1e-5": None, "1e-6": None}
    assert done[-1] == (4, 4)


def test_speed_is_measured_on_one_core_and_the_process_gets_its_cores_back(tmp_path: Path) -> None:
    eyes()
    (tmp_path / "a.jpg").write_bytes(jpeg(astronaut()))
    before = os.sched_getaffinity(0)
    said: list[str] = []
    small, padded = speed.measure(tmp_path, count=1, passes=1, progress=said.append)
    assert os.sched_getaffinity(0) == before
    assert (small["pictures"], padded["pictures"]) == ("as they are", "640x480")
    assert small["faces"] == padded["faces"] == small["images"] == 1
    assert small["faces_per_s"] > 0
    assert set(small["stages_ms_per_image"]) == {
        "decode",
        "detect",
        "measure",
        "measure/landmarks",
        "measure/align_and_embed",
    }
    assert len(said) == 2
    with pytest.raises(BadInput, match="picture"):
        speed.sample(tmp_path / "nothing", 3)


COUNTED = sorted((DATA / "compreface_samples").glob("[0-9]*_[0-9].jpg"))
NAMED = sorted((DATA / "compreface_samples").glob("[0-9]*_[A-Z].jpg"))


@with_data
@pytest.mark.parametrize("photo", COUNTED, ids=lambda photo: photo.stem)
def test_all_faces_of_a_group_are_found(photo: Path) -> None:
    assert len(eyes().faces(photo.read_bytes())) == int(photo.stem.rpartition("_")[2])


@with_data
def test_the_same_person_and_others_in_named_photos() -> None:
    faces = {photo.stem: eyes().faces(photo.read_bytes()) for photo in NAMED}
    assert {name: len(found) for name, found in faces.items()} == dict.fromkeys(faces, 1)
    limit = eyes().model.threshold(1e-3)
    for one, (face,) in faces.items():
        for two, (other,) in faces.items():
            assert (cosine(face, other) >= limit) == (one[-1] == two[-1]), (one, two)


@with_data
def test_labelled_pairs_of_web_photos() -> None:
    folder = DATA / "deepface_pairs"
    with (folder / "master.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    names = {row[side] for row in rows for side in ("file_x", "file_y")}
    central = {name: eyes().central((folder / name).read_bytes()) for name in names}
    limit = eyes().model.threshold(1e-3)
    right = 0
    for row in rows:
        one, two = central[row["file_x"]], central[row["file_y"]]
        assert one is not None
        assert two is not None
        right += (cosine(one, two) >= limit) == (row["Decision"] == "Yes")
    assert right / len(rows) >= 0.97


@with_data
def test_liveness_advice_on_the_three_known_photos() -> None:
    lively = eyes(liveness=True)
    scores = {
        name: lively.faces((DATA / "spoof" / f"image_{name}.jpg").read_bytes())[0].liveness
        for name in ("T1", "F1", "F2")
    }
    assert all(score is not None for score in scores.values())
    assert scores["T1"] > 0.9  # type: ignore[operator]  # none is None, as just seen
    assert max(scores["F1"], scores["F2"]) < 0.1  # type: ignore[type-var, operator]  # none is None, as just seen


@with_data
def test_practically_all_lfw_photos_are_enrollable() -> None:
    photos = sorted((DATA / "lfw" / "images").glob("*/*.jpg"))[::18]
    faces = [eyes().central(photo.read_bytes()) for photo in photos]
    good = [face is not None and face.quality.enrollable for face in faces]
    assert len(good) > 100
    assert np.mean(good) >= 0.98


@with_data
@pytest.mark.slow
def test_lfw_accuracy() -> None:
    pairs = evaluate.read_pairs(DATA / "lfw" / "pairs.txt", DATA / "lfw" / "images")
    bulk = Eyesight(VisionOptions(threads=2, streams=2))
    found = evaluate.report(evaluate.measure(bulk, pairs))
    assert found.pairs == 1200
    assert found.faces_missed == 0
    assert found.accuracy >= 0.992
    assert found.tar >= 0.975
