"""What is called of TensorRT exists in the real bindings of both versions, with these parameters."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.runtime.tensorrt.fake_tensorrt import install
from tests.unit.runtime.tensorrt.machine import Machine

HERE = Path(__file__).parent
STUB = Path(__file__).parents[4] / "typings" / "tensorrt" / "__init__.pyi"
APIS = sorted(HERE.glob("api-*.json"))
BUFFER = "IHostMemory.__buffer__"  # in C; Python names it from 3.12 on


def stub_methods() -> dict[str, list[str]]:
    """Parameters of each method in the stub, without self, by dotted name."""
    found = {}
    for each in ast.parse(STUB.read_text()).body:
        for node in each.body if isinstance(each, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef):
                found[f"{each.name}.{node.name}"] = [argument.arg for argument in node.args.args[1:]]  # type: ignore[union-attr]
    return found


def test_both_versions_are_here() -> None:
    assert [json.loads(path.read_text())["version"].split(".")[0] for path in APIS] == ["10", "11"]


@pytest.mark.parametrize("path", APIS, ids=lambda path: path.stem)
def test_the_stub_says_what_the_bindings_say(path: Path) -> None:
    api: dict[str, Any] = json.loads(path.read_text())["api"]
    missing = [name for name, told in api.items() if told is None and name != BUFFER]
    assert missing == []
    for name, parameters in stub_methods().items():
        if name not in (BUFFER, "NetworkDefinitionCreationFlag.__int__"):
            assert any(parameters == told[: len(parameters)] for told in api[name]), (name, parameters, api[name])


def test_the_fake_offers_nothing_that_the_bindings_lack(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    trt = install(monkeypatch, machine)
    methods = stub_methods()
    api = json.loads(APIS[0].read_text())["api"]
    for name, cls in inspect.getmembers(trt, inspect.isclass):
        if name == "Enum":
            continue
        assert api.get(name) == "class", name
        for method, function in inspect.getmembers(cls, inspect.isfunction):
            if not method.startswith("_"):
                assert list(inspect.signature(function).parameters)[1:] == methods[f"{name}.{method}"]
