"""face-lite's training on pictures that are drawn by code, against plain loops and against itself."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

keras = pytest.importorskip("keras", reason="needs the training extra")

from ferserve.detect import cell_grid as served_grid  # noqa: E402
from ferserve.detect import decode_cells  # noqa: E402
from ferserve.detector_spec import DetectorSpec  # noqa: E402
from ferserve.detectors import open_face_lite, read_detector_spec  # noqa: E402
from ferserve.types import Detections  # noqa: E402
from training.detection.batches import SceneBatches  # noqa: E402
from training.detection.disturb import disturb, hide_faces, ignore_lost  # noqa: E402
from training.detection.evaluate import Report, evaluate, judge, operating_point, shrink  # noqa: E402
from training.detection.export import export_face_lite  # noqa: E402
from training.detection.faces import Faces, iou_matrix  # noqa: E402
from training.detection.fit import FitOptions, Schedule, compile_for, load_state, save_state  # noqa: E402
from training.detection.loss import FaceLoss  # noqa: E402
from training.detection.photographs import Photograph, load_photographs  # noqa: E402
from training.detection.scene import Pyramid, compose, cut_faces, move_faces, random_view, split_canvas  # noqa: E402
from training.detection.targets import MAX_CANDIDATES, SIZE_RANGE, TargetMaker, cell_grid  # noqa: E402
from training.detection.teacher import fuse, merge_drawn, unmirror  # noqa: E402
from training.models.face_lite import FaceLiteConfig, build_face_lite  # noqa: E402
from training.recipe import RunOptions  # noqa: E402
from training.recipes.face_lite import FaceLiteRecipe  # noqa: E402

SMALL = FaceLiteConfig(widths=(16, 16, 16, 16, 16), blocks=(1, 0, 1))
QUICK = FitOptions(epochs=2, steps=2, batch_size=2, size=64)


def draw_face(image: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.float32]:
    """A face of an ellipse, two eyes, a nose and a mouth; returns its row."""
    points = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]) * side + (x, y)
    centre = (int(x + side / 2), int(y + side / 2))
    cv2.ellipse(image, centre, (int(side / 2), int(side / 2)), 0, 0, 360, 200, -1)
    for px, py in points:
        cv2.circle(image, (int(px), int(py)), max(1, int(side / 12)), 40, -1)
    return np.array([x, y, x + side, y + side, *points.ravel(), 0.95, 0], np.float32)


def make_photographs(count: int = 6) -> list[Photograph]:
    rng = np.random.default_rng(0)
    photographs = []
    for i in range(count):
        luma = rng.integers(60, 120, (100, 120), dtype=np.uint8)
        rows = np.stack([draw_face(luma, 8, 10, 40), draw_face(luma, 70, 50, 25)])
        photographs.append(Photograph(f"set/{i}.png", luma, Faces.from_rows(rows)))
    return photographs


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return make_photographs()


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Photographs on disk, labelled."""
    folder = tmp_path / "data"
    (folder / "set").mkdir(parents=True)
    rows = {}
    for photograph in make_photographs(24):
        cv2.imwrite(str(folder / photograph.name), photograph.luma)
        rows[photograph.name] = photograph.faces.to_rows()
    np.savez(folder / "labels.npz", **rows)
    return folder


# Faces


def test_rows_come_back_as_they_were(photographs: list[Photograph]) -> None:
    rows = photographs[0].faces.to_rows()
    np.testing.assert_array_equal(Faces.from_rows(rows).to_rows(), rows)


def test_overlap_of_known_boxes() -> None:
    a = np.array([[0, 0, 2, 2]], np.float32)
    b = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[1, 1 / 3, 0]])


# Teacher


def test_views_that_agree_become_one_face_and_a_lone_one_is_ignored() -> None:
    row = np.array([10, 10, 30, 30, *range(10), 0.9], np.float32)
    near, far = row + 0, row + 0
    near[:4] += 2
    far[:4] += 100
    faces = fuse(np.stack([row, near, far]))
    np.testing.assert_array_equal(faces.ignore, [False, True])
    np.testing.assert_allclose(faces.xyxy[0], [11, 11, 31, 31])


def test_a_mirrored_row_mirrored_again_is_the_row() -> None:
    row = np.array([[10, 12, 30, 40, 15, 20, 25, 20, 20, 28, 16, 34, 24, 34, 0.9]], np.float32)
    np.testing.assert_allclose(unmirror(unmirror(row, 100), 100), row)
    np.testing.assert_allclose(unmirror(row, 100)[0, :6], [70, 12, 90, 40, 75, 20])


def test_drawn_boxes_make_the_teacher_sure_and_add_what_it_missed() -> None:
    taught = fuse(np.array([[10, 10, 30, 30, *range(10), 0.4]] * 2, np.float32))
    drawn = np.array([[11, 9, 31, 29], [60, 60, 70, 70]], np.float32)
    faces = merge_drawn(drawn, taught)
    np.testing.assert_array_equal(faces.ignore, [False, False])
    np.testing.assert_allclose(faces.xyxy, [[10, 10, 30, 30], [60, 60, 70, 70]])
    assert np.isnan(faces.landmarks[1]).all()


# Scenes


@pytest.mark.parametrize("seed", range(12))
def test_boxes_and_landmarks_follow_the_pixels(seed: int) -> None:
    """A bright spot at a landmark must be where the moved landmark says."""
    rng = np.random.default_rng(seed)
    luma = np.zeros((120, 160), np.uint8)
    cv2.circle(luma, (60, 50), 4, 255, -1)
    row = np.array([[45, 35, 75, 65, *[60, 50] * 5, 0.9, 0]], np.float32)
    pyramid = Pyramid(Photograph("spot", luma, Faces.from_rows(row)))
    view = random_view(rng, pyramid, 96, 96)
    moved = move_faces(pyramid.faces, view, 96, 96)
    image = pyramid.render(view, 96, 96, np.random.default_rng(1)).astype(float)
    image[image < 100] = 0
    if not len(moved) or moved.ignore[0] or not np.isfinite(moved.landmarks).all() or view.scale < 0.3:
        pytest.skip("the spot is out of the tile")
    y, x = np.mgrid[:96, :96]
    inside = np.hypot(x - moved.landmarks[0, 0, 0], y - moved.landmarks[0, 0, 1]) < 8 * max(view.scale, 0.6)
    spot = image * inside
    assert spot.sum() > 0
    centre = np.array([(x * spot).sum(), (y * spot).sum()]) / spot.sum()
    reach = 4 * view.scale
    if (moved.landmarks[0, 0] > reach).all() and (moved.landmarks[0, 0] < 96 - reach).all():
        np.testing.assert_allclose(centre, moved.landmarks[0, 0], atol=0.8 + 0.1 * view.scale)


def test_faces_are_cut_ignored_or_dropped_by_what_is_visible() -> None:
    boxes = np.array([[-10, 0, 30, 40], [-30, 0, 10, 40], [-38, 0, 2, 40], [1, 1, 5, 5]], np.float32)
    rows = np.zeros((4, 16), np.float32)
    rows[:, :4] = boxes
    rows[:, 14] = 1
    faces = cut_faces(Faces.from_rows(rows), 64, 64)
    np.testing.assert_array_equal(faces.xyxy, [[0, 0, 30, 40], [0, 0, 10, 40], [1, 1, 5, 5]])
    np.testing.assert_array_equal(faces.ignore, [False, True, True])


@pytest.mark.parametrize("seed", range(8))
def test_tiles_cover_the_canvas_once(seed: int) -> None:
    covered = np.zeros((128, 128), int)
    for y, x, height, width in split_canvas(np.random.default_rng(seed), 128, 128):
        covered[y : y + height, x : x + width] += 1
    assert (covered == 1).all()


def test_scenes_are_the_same_for_the_same_seed_and_hold_faces(photographs: list[Photograph]) -> None:
    batches = [SceneBatches(photographs, 4, 128, 3, seed=5) for _ in range(2)]
    (luma, targets), (again, _) = batches[0][1], batches[1][1]
    np.testing.assert_array_equal(luma, again)
    assert luma.shape == (4, 128, 128, 1)
    assert luma.dtype == np.uint8
    assert (targets["owner"] >= 0).any()
    batches[1].on_epoch_end()
    assert not np.array_equal(batches[1][1][0], again)


def test_disturbances_keep_shape_and_type(photographs: list[Photograph]) -> None:
    pyramids = [Pyramid(p) for p in photographs]
    weights = np.linspace(1 / 6, 1, 6)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        image, faces = compose(rng, pyramids, weights, 96)
        hide_faces(rng, image, faces, chance=1.0)
        out, factor = disturb(rng, image)
        assert factor >= 1
        assert out.shape == (96, 96)
        assert out.dtype == np.uint8


def test_what_a_disturbance_hides_is_not_asked_for() -> None:
    rows = np.zeros((2, 16), np.float32)
    rows[:, :4], rows[:, 14] = [(0, 0, 12, 12), (0, 0, 40, 40)], 1
    np.testing.assert_array_equal(ignore_lost(Faces.from_rows(rows), 2.0).ignore, [True, False])


# Targets and loss


def test_candidates_are_near_the_middle_on_levels_that_suit() -> None:
    rows = np.zeros((2, 16), np.float32)
    rows[0, :4], rows[1, :4] = (20, 20, 60, 60), (100, 100, 110, 110)
    rows[:, 14] = 1
    targets = TargetMaker(128, 128).make(Faces.from_rows(rows))
    centres, strides = cell_grid(128, 128)
    for face, (box, side) in enumerate(((rows[0, :4], 40), (rows[1, :4], 10))):
        wanted = set()
        for cell, ((x, y), stride) in enumerate(zip(centres, strides, strict=True)):
            low, high = SIZE_RANGE[int(stride)]
            reach = max(0.3 * side, 0.75 * stride)
            off = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2))
            if off < reach and low * stride <= side < high * stride:
                wanted.add(cell)
        found = set(targets["candidates"][face].tolist()) - {-1}
        assert found == wanted
        assert 0 < len(wanted) <= MAX_CANDIDATES
        assert {int(c) for c in np.flatnonzero(targets["owner"] == face)} == wanted


def test_ignored_faces_are_neither_learnt_nor_background() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14:] = (16, 16, 48, 48), (0.4, 1)
    targets = TargetMaker(64, 64).make(Faces.from_rows(rows))
    assert (targets["owner"] == -1).all()
    centres, _ = cell_grid(64, 64)
    inside = ((centres > 16) & (centres < 48)).all(axis=1)
    np.testing.assert_array_equal(targets["counted"] == 0, inside)


def test_the_loss_of_a_perfect_answer_is_near_zero_and_of_a_shifted_one_is_not() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 14] = (20, 24, 52, 56), 1
    rows[0, 4:14] = np.linspace(26, 46, 10)
    targets = {k: v[None] for k, v in TargetMaker(64, 64).make(Faces.from_rows(rows)).items()}
    centres, strides = cell_grid(64, 64)
    cells = np.zeros((1, len(centres), 16), np.float32)
    cells[0, :, 0] = np.where(targets["owner"][0] == 0, 12, -12)
    cells[0, :, 1:3] = ((36, 40) - centres) / strides[:, None]
    cells[0, :, 3:5] = np.log(32 / strides)[:, None]
    points = rows[0, 4:14].reshape(5, 2)
    cells[0, :, 5:15] = ((points - centres[:, None]) / strides[:, None, None]).reshape(-1, 10)
    loss = FaceLoss(64, 64)
    perfect = {k: float(v) for k, v in loss.parts(targets, cells).items()}
    assert max(perfect.values()) < 1e-3
    cells[0, :, 1:] += 0.3
    shifted = {k: float(v) for k, v in loss.parts(targets, cells).items()}
    assert shifted["box"] > 0.1
    assert shifted["landmarks"] > 0.05


def test_unknown_landmarks_cost_nothing() -> None:
    rows = np.zeros((1, 16), np.float32)
    rows[0, :4], rows[0, 4:14], rows[0, 14] = (20, 24, 52, 56), np.nan, 1
    targets = {k: v[None] for k, v in TargetMaker(64, 64).make(Faces.from_rows(rows)).items()}
    parts = FaceLoss(64, 64).parts(targets, np.zeros((1, 84, 16), np.float32))
    assert float(parts["landmarks"]) == 0
    assert np.isfinite(float(parts["box"]))


def test_training_and_serving_decode_alike() -> None:
    rng = np.random.default_rng(2)
    cells = rng.normal(0, 1, (1, 84, 16)).astype(np.float32)
    trained = FaceLoss(64, 64).decode(cells)
    served = decode_cells(np.ascontiguousarray(cells[0].T), served_grid(64, 64, (8, 16, 32)), 0.0)
    order = np.argsort(-cells[0, :, 0], kind="stable")
    assert served.landmarks is not None
    np.testing.assert_allclose(served.xyxy, np.asarray(trained.xyxy)[0, order], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(served.landmarks, np.asarray(trained.landmarks)[0, order], rtol=1e-4, atol=1e-3)


def test_the_schedule_rises_stays_and_falls() -> None:
    schedule = Schedule(1.0, total=1000, decay_part=0.4, warmup=100)
    rates = [float(schedule(step)) for step in (0, 49, 99, 500, 599, 800, 1000)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1, 1, 1, 0.5, 0], atol=0.01)


def test_training_lowers_the_loss(photographs: list[Photograph]) -> None:
    keras.utils.set_random_seed(1)
    options = replace(QUICK, batch_size=8, learning_rate=3e-2, epochs=10**6)
    model = compile_for(build_face_lite(64, 64, SMALL), options)
    luma, targets = SceneBatches(photographs, 8, 64, 1, seed=1)[0]
    losses = [float(model.train_on_batch(luma, targets)) for _ in range(60)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_stopped_run_goes_on_where_it_was(photographs: list[Photograph], tmp_path: Path) -> None:
    batches = SceneBatches(photographs, 2, 64, 4, seed=1)
    steps = [batches[i] for i in range(4)]

    def fresh():  # type: ignore[no-untyped-def]
        keras.utils.set_random_seed(1)
        return compile_for(build_face_lite(64, 64, SMALL), QUICK)

    whole = fresh()
    for step in steps:
        whole.train_on_batch(*step)
    first = fresh()
    for step in steps[:2]:
        first.train_on_batch(*step)
    save_state(first, tmp_path, 1)
    second = fresh()
    assert load_state(second, tmp_path) == 1
    for step in steps[2:]:
        second.train_on_batch(*step)
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


# Export


@pytest.mark.parametrize("size", [(64, 64), (96, 160)])
def test_the_served_graph_answers_as_keras_does(size: tuple[int, int], tmp_path: Path) -> None:
    import onnxruntime

    keras.utils.set_random_seed(3)
    network = build_face_lite(*size, SMALL)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if "moving" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    path = tmp_path / "face.onnx"
    spec = DetectorSpec("face", "1", license="Apache-2.0")
    export_face_lite(network, SMALL, spec, path)
    assert read_detector_spec(path) == spec
    luma = rng.integers(0, 256, (1, *size, 1), dtype=np.uint8)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    served = session.run(None, {"luma": luma.reshape(1, 1, *size)})[0]
    trained = np.asarray(network(luma))[0].T
    assert served.shape == trained.shape
    np.testing.assert_allclose(served, trained, atol=5e-3 * np.abs(trained).max())


# Evaluation


def _found(boxes: list[list[float]], scores: list[float]) -> Detections:
    landmarks = np.zeros((len(boxes), 5, 2), np.float32)
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), landmarks)


def _truth(boxes: list[list[float]], ignore: list[bool]) -> Faces:
    rows = np.zeros((len(boxes), 16), np.float32)
    rows[:, :4], rows[:, 14], rows[:, 15] = boxes, 1, ignore
    return Faces.from_rows(rows)


def test_figures_of_a_case_counted_by_hand() -> None:
    truth = _truth([[0, 0, 30, 30], [50, 50, 70, 70], [100, 0, 130, 30]], [False, False, True])
    found = _found([[0, 0, 30, 30], [1, 1, 31, 31], [100, 0, 130, 30], [200, 0, 240, 40]], [0.9, 0.8, 0.95, 0.6])
    report = Report([judge(found, truth)])
    assert report.recall(24) == (1.0, 1)  # the face of 30 px
    assert report.recall(12, 24) == (0.0, 1)  # the face of 20 px
    assert report.precision() == (1 / 3, 3)  # one face, its double, one wrong; the unclear one counts nothing
    assert report.precision(min_score=0.85) == (1.0, 1)
    assert report.average_precision() == pytest.approx(0.5)  # half of the faces, found before all that is wrong


def test_landmark_error_is_in_distances_of_the_eyes() -> None:
    truth = _truth([[0, 0, 40, 40]], [False])
    truth.landmarks[0] = [(10, 10), (30, 10), (20, 20), (12, 30), (28, 30)]
    found = _found([[0, 0, 40, 40]], [0.9])
    assert found.landmarks is not None
    found.landmarks[0] = truth.landmarks[0] + (0, 1)
    assert Report([judge(found, truth)]).landmark_error() == pytest.approx(1 / 20)


def test_shrinking_takes_the_faces_along(photographs: list[Photograph]) -> None:
    image, faces = shrink(photographs[0].luma, photographs[0].faces, 60)
    assert image.shape == (50, 60)
    np.testing.assert_allclose(faces.xyxy, photographs[0].faces.xyxy / 2)
    same, _ = shrink(photographs[0].luma, photographs[0].faces, 500)
    assert same.shape == (100, 120)


def test_a_detector_that_answers_the_truth_is_perfect(photographs: list[Photograph]) -> None:
    answers = iter([Detections(p.faces.xyxy, p.faces.score, p.faces.landmarks) for p in photographs])
    report = evaluate(lambda image: next(answers), [(p.luma, p.faces) for p in photographs])
    assert report.recall()[0] == report.precision()[0] == report.average_precision() == 1
    assert report.landmark_error() == 0


def test_the_operating_point_is_the_least_score_that_is_precise_enough() -> None:
    truth = _truth([[0, 0, 30, 30]], [False])
    found = _found([[0, 0, 30, 30], [60, 0, 90, 30]], [0.9, 0.6])
    report = Report([judge(found, truth)])
    assert operating_point(report, precision=0.9) == pytest.approx(0.61, abs=0.011)
    assert operating_point(report, precision=0.4) == pytest.approx(0.2)


# The whole recipe


def test_photographs_are_split_by_name_for_good(data_folder: Path) -> None:
    first = [p.is_validation for p in load_photographs(data_folder, data_folder / "labels.npz")]
    assert 0 < sum(first) < len(first)
    assert first == [p.is_validation for p in load_photographs(data_folder, data_folder / "labels.npz")]


def test_the_recipe_runs_from_photographs_to_a_detector_and_resumes(data_folder: Path, tmp_path: Path) -> None:
    recipe = FaceLiteRecipe(config=SMALL, fit=QUICK)
    options = RunOptions(data=data_folder, out=tmp_path / "run", epochs=1)
    folder = recipe.run(options)
    detector = open_face_lite(folder / "face-lite.onnx")()
    found = detector.detect(make_photographs(1)[0].luma, side_px=0, min_score=0.0)
    assert np.isfinite(found.xyxy).all()
    recipe.run(replace(options, epochs=2, resume=True))
    with np.load(folder / "state.npz") as state:
        assert int(state["epochs_done"]) == 2
    assert "validation/side_320/recall_24px" in read_detector_spec(folder / "face-lite.onnx").metrics
