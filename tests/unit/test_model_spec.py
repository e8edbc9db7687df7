"""What a model file says of itself."""

import json

import pytest

from ferserve.errors import ModelSpecError
from ferserve.model_spec import HeadSpec, InputSpec, ModelSpec, example_spec


def test_json_round_trip_keeps_everything() -> None:
    spec = ModelSpec(
        name="m",
        version="2",
        input=InputSpec(224, 192, "rgb", "NHWC", "float16", 1 / 255, (0.1, 0.2, 0.3), (1, 2, 3), "antialias", 0.2),
        heads=(HeadSpec("emotion", ("a", "b", "c"), "logits", "logits", 1.7, ("c",)),),
        trained_on=("fer2013",),
        metrics={"fer2013/public_test/accuracy": 0.7},
    )
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_the_example_that_errors_show_is_valid() -> None:
    assert ModelSpec.from_json(example_spec().to_json(indent=2)) == example_spec()


def _broken(**changes: object) -> str:
    value = json.loads(example_spec().to_json())
    for path, new in changes.items():
        *parents, last = path.split("__")
        at = value
        for key in parents:
            at = at[int(key) if isinstance(at, list) else key]
        at[last] = new
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be valid JSON"),
        ("[]", "must be a JSON object, got list"),
        ("{}", "input.height must be given, got nothing"),
        (_broken(name=""), "spec.name must be a non-empty name"),
        (_broken(nmae="x"), "spec.nmae must be one of"),
        (_broken(schema_version=9), "spec.schema_version must be 1, got 9"),
        (_broken(heads=[]), "spec.heads must be at least one head"),
        (_broken(heads=3), "heads must be a list of objects, got 3"),
        (_broken(input__color="green"), "input.color must be one of ('luma', 'bgr', 'rgb'), got 'green'"),
        (_broken(input__std=[0.0]), "input.std must be above 0"),
        (_broken(input__mean=[0.0, 0.0]), "input.mean must be 1 number(s)"),
        (_broken(input__height=0), "input.height must be from 1 to 4096 px, got 0"),
        (_broken(input__height="48"), "input must hold values of the right types"),
        (_broken(heads__0__labels=["a", "a"]), "heads[emotion].labels must be distinct"),
        (_broken(heads__0__temperature=0), "heads[emotion].temperature must be above 0"),
        (_broken(heads__0__reserved=["nobody"]), "heads[emotion].reserved must be a proper subset"),
    ],
)
def test_mistakes_name_the_field_and_the_file(text: str, message: str) -> None:
    with pytest.raises(ModelSpecError) as caught:
        ModelSpec.from_json(text, "weights.json")
    assert "weights.json" in str(caught.value)
    assert message in str(caught.value)
