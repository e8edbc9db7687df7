"""What a model file says of itself."""

import json
import math

import pytest

from ferserve.errors import ModelSpecError
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec, example_spec


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


def test_whole_numbers_will_do_for_fractions() -> None:
    spec = ModelSpec.from_json(_broken(input__mean=[0], input__std=[2], heads__0__temperature=3, metrics={"a/b/c": 1}))
    assert (spec.input.std, spec.heads[0].temperature, spec.metrics) == ((2,), 3, {"a/b/c": 1})


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
        (_broken(input__height="48"), "input.height must be a whole number, got '48'"),
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_broken(name=5), "spec.name must be a non-empty name without '/', got 5"),
        (_broken(version=2), "spec.version must be a non-empty string, got 2"),
        (_broken(description=None), "spec.description must be a string, got None"),
        (_broken(license=["MIT"]), "spec.license must be a string, got ('MIT',)"),
        (_broken(recipe_sha256=0), "spec.recipe_sha256 must be a string, got 0"),
        (_broken(schema_version=True), "spec.schema_version must be a whole number, got True"),
        (_broken(trained_on="fer2013"), "spec.trained_on must be strings, got 'fer2013'"),
        (_broken(trained_on=[1]), "spec.trained_on must be strings, got (1,)"),
        (_broken(metrics={"a/b/c": "0.7"}), "spec.metrics must be finite numbers by name, got {'a/b/c"),
        (_broken(metrics={"a/b/c": math.inf}), "spec.metrics must be finite numbers by name"),
        (_broken(metrics={"a/b/c": 10**400}), "spec.metrics must be finite numbers by name"),
        (_broken(metrics=[]), "spec.metrics must be finite numbers by name, got ()"),
        (_broken(input=3), "input must be an object, got 3"),
        (_broken(input__height=48.0), "input.height must be a whole number, got 48.0"),
        (_broken(input__width=True), "input.width must be a whole number, got True"),
        (_broken(input__dtype="int8"), "input.dtype must be one of ('float32', 'float16', 'uint8'), got 'int8'"),
        (_broken(input__color=["luma"]), "input.color must be one of ('luma', 'bgr', 'rgb'), got ('luma',)"),
        (_broken(input__scale=math.nan), "input.scale must be a finite number, got nan"),
        (_broken(input__scale=True), "input.scale must be a finite number, got True"),
        (_broken(input__mean=0.5), "input.mean must be finite numbers, got 0.5"),
        (_broken(input__mean=["0"]), "input.mean must be finite numbers, got ('0',)"),
        (_broken(input__std=[math.inf]), "input.std must be finite numbers, got (inf,)"),
        (_broken(input__margin="0"), "input.margin must be a finite number, got '0'"),
        (_broken(input__square=1), "input.square must be true or false, got 1"),
        (_broken(input__name=""), "input.name must be a non-empty string, got ''"),
        (_broken(heads__0__name=1), "heads[1].name must be a non-empty string, got 1"),
        (_broken(heads__0__labels="ab"), "heads[emotion].labels must be strings, got 'ab'"),
        (_broken(heads__0__labels=[0, 1]), "heads[emotion].labels must be strings, got (0, 1)"),
        (_broken(heads__0__reserved="fear"), "heads[emotion].reserved must be strings, got 'fear'"),
        (_broken(heads__0__output=0), "heads[emotion].output must be a non-empty string, got 0"),
        (_broken(heads__0__temperature="1"), "heads[emotion].temperature must be a finite number, got '1'"),
        (_broken(heads__0__temperature=math.inf), "heads[emotion].temperature must be a finite number, got inf"),
        (_broken(heads__0__labels=["\ud800", "b"]), "must be valid JSON, got 'utf-8' codec can't encode"),
        pytest.param("[" * 100_000, "must be valid JSON", id="nested too deeply"),
    ],
)
def test_values_of_another_type_are_refused_before_they_reach_a_caller(text: str, message: str) -> None:
    with pytest.raises(ModelSpecError) as caught:
        ModelSpec.from_json(text, "weights.json")
    assert f"weights.json: {message}" in str(caught.value) or f"weights.json {message}" in str(caught.value)
