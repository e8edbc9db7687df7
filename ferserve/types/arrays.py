"""Arrays of results and boxes: NumPy's, or nested tuples if it is not installed, as in a client-only install."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def float32_array(values: Any) -> NDArray[np.float32]:
    """``values``, nested as they are. Loads NumPy when it is first called: a client starts without."""
    numpy = _numpy()
    array: Any = _tuples(values) if numpy is None else numpy.array(values, numpy.float32)
    return array  # type: ignore[no-any-return]  # tuples without NumPy


def is_array(value: object) -> TypeGuard[NDArray[Any]]:
    """Whether ``value`` is an array of NumPy, which nobody can make unless it is loaded."""
    numpy = sys.modules.get("numpy")
    return isinstance(value, getattr(numpy, "ndarray", ()))  # no attribute while another thread loads it


def to_list(array: Any) -> list[Any]:
    """The elements of an array or of tuples in Python's own types."""
    return array.tolist() if is_array(array) else list(array)


@functools.cache
def _numpy() -> ModuleType | None:
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _tuples(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple([_tuples(value) if isinstance(value, Iterable) else float(value) for value in values])
