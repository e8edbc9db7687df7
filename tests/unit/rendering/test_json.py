"""JSON lines hold all of a result, as the shipped schema describes them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from ferserve.rendering.json import SCHEMA_VERSION, json_line
from ferserve.types import DropReason, Face, FrameFault, FrameResult, HeadPose, HeadResult, Timings

SCHEMA: Any = json.loads(files("ferserve").joinpath("rendering/result.schema.json").read_text("utf-8"))


def _face(**changes: Any) -> Face:
    probabilities = np.array([0.45, 0.55], np.float32)
    head = HeadResult("emotion", ("calm", "happy"), probabilities, 0, raw_probabilities=probabilities[::-1])
    return Face(**{"box": (1.5, 2.25, 30.0, 40.0), "score": 0.875, "heads": (head,), "track_id": 3, **changes})


RESULTS = {
    "a face": FrameResult(7, 5, (_face(),), timings=Timings(total_ms=1.23456), model_name="m", width=64, height=48),
    "landmarks": FrameResult(
        7, faces=(_face(landmarks=np.ones((5, 2), np.float32), head_pose=HeadPose(-90, 12.5, 180.0)),)
    ),
    "no smoothing": FrameResult(
        1, faces=(_face(heads=(HeadResult("emotion", ("a", "b"), np.array([0.5, 0.5], np.float32), 0),)),)
    ),
    "no face": FrameResult(1),
    "fault": FrameResult(1, fault=FrameFault("invalid_frame", "encoded must be an image")),
    **{reason.value: FrameResult(1, dropped=reason) for reason in DropReason},
}


@pytest.mark.parametrize("source", [None, "caf\udce9.jpg"])
@pytest.mark.parametrize("name", RESULTS)
def test_every_result_follows_the_schema(name: str, source: str | None) -> None:
    line = json.loads(json_line(RESULTS[name], source))
    jsonschema.Draft202012Validator(SCHEMA).validate(line)
    assert line.pop("schema_version") == SCHEMA_VERSION
    assert line.pop("source", None) == source
    assert set(line) == set(RESULTS[name].to_dict())


def test_a_line_says_the_steady_label_the_top_one_and_how_sure_it_is() -> None:
    line = json.loads(json_line(RESULTS["a face"]))
    (face,) = line["faces"]
    assert (face["emotion"], face["confidence"]) == ("calm", 0.45)
    assert (face["top"], face["top_confidence"]) == ("happy", 0.55)
    assert (face["certainty"], face["sure"]) == (0.45, False)
    assert face["box"] == [1.5, 2.25, 30, 40]
    assert line["timings"]["total_ms"] == 1.2346


@pytest.mark.parametrize("change", [{"faces": None}, {"dropped": "bored"}, {"schema_version": 1}, {"more": 1}])
def test_the_schema_refuses_other_lines(change: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    line = json.loads(json_line(RESULTS["a face"])) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(line, SCHEMA)
