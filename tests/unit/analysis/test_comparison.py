"""Agreement of two runs, against scikit-learn and by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, f1_score

from ferserve.analysis import agreement, to_pandas
from ferserve.errors import TableError
from tests.unit.analysis.results import face, result

LABELS = ("anger", "fear", "joy")


def _run(labels: list[str], **columns: Any) -> pd.DataFrame:
    count = len(labels)
    plain = {"source": "a.mp4", "frame": range(1, count + 1), "time_s": [0.04 * i for i in range(count)]}
    box = {"x": 10.0, "y": 10.0, "width": 20.0, "height": 20.0}
    return pd.DataFrame({**plain, "outcome": "face", "track": 1, "label": labels, "sure": True, **box, **columns})


def test_numbers_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    a = rng.choice(LABELS, 500)
    b = np.where(rng.random(500) < 0.6, a, rng.choice(LABELS, 500, p=[0.7, 0.2, 0.1]))
    found = agreement(_run(list(a)), _run(list(b)))
    assert found.labels == LABELS
    assert found.confusion.tolist() == confusion_matrix(a, b).tolist()
    assert found.kappa == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
    assert found.agreed == pytest.approx(accuracy_score(a, b), abs=1e-12)
    # Agreement on a label is the F1 score of one run against the other.
    assert list(found.by_label.values()) == pytest.approx(f1_score(a, b, average=None).tolist(), abs=1e-12)
    assert (found.frames, found.faces, found.faces_only_a, found.faces_only_b) == (500, 500, 0, 0)
    assert json.loads(json.dumps(found.to_dict()))["kappa"] == round(found.kappa, 4)


@pytest.mark.parametrize(("b", "kappa"), [(["joy", "fear"], 1.0), (["fear", "joy"], -1.0), (["joy", "joy"], 0.0)])
def test_kappa_at_its_ends(b: list[str], kappa: float) -> None:
    assert agreement(_run(["joy", "fear"]), _run(b)).kappa == kappa


def test_one_label_throughout_has_no_kappa() -> None:
    found = agreement(_run(["joy", "joy"]), _run(["joy", "joy"]))
    assert math.isnan(found.kappa)
    assert (found.agreed, found.to_dict()["kappa"]) == (1.0, None)


def test_persons_are_paired_by_their_boxes_whatever_their_ids() -> None:
    a = [result(i, face(1, 0.75), face(2, 0.25)) for i in range(1, 11)]
    b = [result(i, face(2, 0.25, track_id=7), face(1, 0.75, track_id=9 if i < 8 else 11)) for i in range(1, 11)]
    found = agreement(a, to_pandas(b))
    assert (found.agreed, found.faces) == (1.0, 20)
    assert [(pair.track_a, pair.track_b, pair.faces, pair.mean_iou) for pair in found.tracks] == [
        (2, 7, 10, 1.0),
        (1, 9, 7, 1.0),
        (1, 11, 3, 1.0),
    ]


def test_each_face_has_one_partner_the_nearest() -> None:
    near, far = face(1, 0.75, box=(0, 0, 10, 10)), face(2, 0.25, box=(0, 0, 10, 9))
    (pair,) = agreement([result(1, far, near)], [result(1, face(5, 0.75, box=(0, 0, 10, 10)))]).tracks
    assert (pair.track_a, pair.track_b, pair.mean_iou) == (1, 5, 1.0)


@pytest.mark.parametrize(("min_iou", "pairs"), [(0.49, 1), (0.51, 0)])
def test_boxes_that_overlap_too_little_are_no_pair(min_iou: float, pairs: int) -> None:
    a, b = result(1, face(1, box=(0, 0, 10, 10))), result(1, face(1, box=(0, 0, 10, 5)))
    found = agreement([a], [b], min_iou=min_iou)
    assert (found.faces, found.faces_only_a, found.faces_only_b) == (pairs, 1 - pairs, 1 - pairs)


def test_frames_that_one_run_left_out_are_counted_apart() -> None:
    whole = _run(["joy", "fear"] * 5)
    third = whole.iloc[::3].assign(frame=range(1, 5))  # a run that counts the frames it looks at
    found = agreement(whole, third)
    assert (found.frames, found.frames_only_a, found.frames_only_b, found.agreed) == (4, 6, 0, 1.0)


def test_pictures_are_compared_by_their_names() -> None:
    a = _run(["joy", "fear"], source=["a.jpg", "b.jpg"], frame=0, time_s=0.0)
    b = _run(["fear", "joy"], source=["b.jpg", "a.jpg"], frame=0, time_s=0.0)
    assert agreement(a, b).agreed == 1.0


def test_frames_without_times_are_compared_by_number() -> None:
    a, b = _run(["joy", "fear"], time_s=0.0), _run(["fear", "joy"], time_s=0.0, frame=[2, 1])
    assert agreement(a, b).agreed == 1.0


def test_a_human_coder_needs_no_boxes() -> None:
    coded = _run(["joy", "joy", "fear"])[["frame", "time_s", "outcome", "track", "label"]]
    found = agreement(_run(["joy", "fear", "fear"]), coded)
    assert (found.faces, round(found.agreed, 4)) == (3, 0.6667)
    assert found.to_dict()["tracks"][0]["mean_iou"] is None
    with pytest.raises(TableError, match="faces must have a track and a label, got none in frame 1; fill them in"):
        agreement(coded, coded.drop(columns="track"))


def test_only_sure_labels_may_be_compared() -> None:
    a = _run(["joy", "fear", "joy"], sure=[True, False, True])
    b = _run(["joy", "joy", "fear"], sure=[True, True, False])
    assert (agreement(a, b).faces, agreement(a, b, sure_only=True).faces) == (3, 1)
    assert agreement(a, b, sure_only=True).agreed == 1.0


def test_what_cannot_be_compared_is_refused() -> None:
    a = _run(["joy"])
    two = pd.concat([a, a.assign(source="b.mp4")])
    with pytest.raises(TableError, match=r"must have a source in common, got 'c.mp4' and 'a.mp4', 'b.mp4'"):
        agreement(a.assign(source="c.mp4"), two)
    with pytest.raises(TableError, match=r"must have frames in common, got 0 s to 0 s and 9 s to 9 s"):
        agreement(a, a.assign(time_s=9.0))
    with pytest.raises(TableError, match=r"must have a source in common, got none and 'a\.mp4'"):
        agreement([], a)
    with pytest.raises(ValueError, match="min_iou must be above 0 and at most 1, got 0"):
        agreement(a, a, min_iou=0)
