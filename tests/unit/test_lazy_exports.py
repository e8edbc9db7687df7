"""``import ferserve`` loads nothing and still offers everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ferserve
from ferserve import errors


def test_every_exported_name_is_there() -> None:
    for name in ferserve.__all__:
        assert getattr(ferserve, name) is not None
    assert set(ferserve.__all__) <= set(dir(ferserve))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ferserve.nonsense  # noqa: B018


def test_every_error_class_is_exported() -> None:
    classes = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert len(classes) > 10
    assert classes <= set(ferserve.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, ferserve; print(sorted(m for m in ('numpy', 'cv2', 'grpc', 'onnxruntime') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_needs_no_inference_library() -> None:
    code = "import sys; from ferserve import Client; print('onnxruntime' in sys.modules, 'cv2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
