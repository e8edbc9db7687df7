"""Reads the state dicts that torch saves (``.pth``, ``.pt``, ``.bin``) without torch, in its old and its new format.

Both hold a pickle of names, shapes and references to storages. Of the classes that a pickle may name, only those of a
state dict are known here, and they make NumPy arrays: a file cannot run code.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from training.errors import WeightsError

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of torch's old format."""
STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
Arrays = dict[str, NDArray[np.generic]]


class _Storage:
    """Numbers that tensors are views of; the old format brings them behind the pickle."""

    def __init__(self, dtype: np.dtype[Any], size: int) -> None:
        self.numbers = np.zeros(size, dtype)


def _tensor(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    """``torch._utils._rebuild_tensor_v2``, as a view, so that the numbers may come later."""
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if min((offset, *shape, *stride)) < 0 or (0 not in shape and last >= len(storage.numbers)):
        raise ValueError(f"a tensor of shape {shape} that its storage does not hold")
    item = storage.numbers.itemsize
    flat = storage.numbers[offset:]
    return np.lib.stride_tricks.as_strided(flat, shape, [step * item for step in stride], writeable=False)


def _parameter(data: Any, *_: Any) -> Any:
    return data


KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
}


class _Reader(pickle.Unpickler):
    def __init__(self, file: IO[bytes], storage_of: Callable[[tuple[Any, ...]], _Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        """Only what a state dict is made of."""
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}, which no state dict needs")
        return KNOWN[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        """A reference to a storage: ``("storage", type, key, place, length, …)``."""
        return self._storage_of(pid)


def read_torch(path: Path) -> Arrays:
    """Tensors by name; raises :class:`WeightsError` unless ``path`` is a whole state dict."""
    try:
        with path.open("rb") as file:
            found = _read_zip(file) if zipfile.is_zipfile(file) else _read_old(file)
        found = found.get("state_dict", found)
        return {str(name): np.array(value) for name, value in found.items() if isinstance(value, np.ndarray)}
    except Exception as error:  # a pickle of any other kind fails in any way
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path}: weights must be a whole state dict of torch, got {said}; save model.state_dict(), not the model"
        ) from None


def _read_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        root, storages = pickled.removesuffix("data.pkl"), {}

        def storage_of(pid: tuple[Any, ...]) -> _Storage:
            _, dtype, key, _, size = pid[:5]
            if key not in storages:
                storages[key] = _Storage(dtype, 0)
                storages[key].numbers = np.frombuffer(archive.read(f"{root}data/{key}"), dtype, size)
            return storages[key]

        with archive.open(pickled) as names:
            return _Reader(names, storage_of).load()


def _read_old(file: IO[bytes]) -> Any:
    file.seek(0)
    storages: dict[str, _Storage] = {}

    def storage_of(pid: tuple[Any, ...]) -> _Storage:
        _, dtype, key, _, size = pid[:5]
        return storages.setdefault(key, _Storage(dtype, size))

    if _Reader(file, storage_of).load() != MAGIC:
        raise ValueError("another file")
    for _ in ("version", "system"):
        _Reader(file, storage_of).load()
    found, keys = _Reader(file, storage_of).load(), _Reader(file, storage_of).load()
    for key in keys:
        numbers = storages[key].numbers
        size = int.from_bytes(file.read(8), "little")
        content = file.read(size * numbers.itemsize)
        if size != len(numbers) or len(content) != size * numbers.itemsize:
            raise ValueError("a file that ends early")
        numbers[:] = np.frombuffer(content, numbers.dtype)
    return found
