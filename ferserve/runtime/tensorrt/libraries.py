"""The Python packages of TensorRT and CUDA, imported if a model asks for them."""

from __future__ import annotations

import importlib
from typing import Any

from ferserve.runtime.base import UnavailableError

MAJORS = (10, 11)
"""Versions of TensorRT whose Python interface is the one that is called here."""
_JETSON = (
    "on a Jetson it comes with JetPack (apt-get install python3-libnvinfer; make the virtual environment with "
    "--system-site-packages), elsewhere: pip install tensorrt 'ferserve[tensorrt]'"
)


def load_libraries() -> tuple[str, Any]:
    """The version of ``tensorrt``, such as ``10.16.1``, and the module ``cuda.bindings.runtime``.

    Behind this, ``import tensorrt`` works; what is called of it is typed in ``typings/tensorrt``. Raises
    an :class:`UnavailableError` that names the package, the version and the way to install it.
    """
    version = str(_load("tensorrt", "10 or 11", _JETSON).__version__)
    if int(version.split(".")[0]) not in MAJORS:
        raise _missing("tensorrt", "10 or 11", version, _JETSON)
    cudart = _load("cuda.bindings.runtime", "12 or 13", "pip install cuda-bindings, of the major version of your CUDA")
    return ".".join(version.split(".")[:3]), cudart


def _load(name: str, versions: str, way_out: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        got = "none" if isinstance(error, ModuleNotFoundError) else str(error)
    raise _missing(name, versions, got, way_out)


def _missing(name: str, versions: str, got: str, way_out: str) -> UnavailableError:
    reason = f"the Python package {name} must be {versions}, got {got}"
    return UnavailableError(f"engine.device 'tensorrt-native' is not available: {reason}; {way_out}", reason)
