"""The model that answers if a caller names none."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from ferserve.config import Device, EngineConfig
from ferserve.models.names import split_name
from ferserve.models.store import BUNDLED_DIR, ModelFile, ModelStore
from ferserve.runtime import uses_cpu

AUTO = "auto"
_WHOLE, _INT8 = "emotion-lite", "emotion-lite-int8"
_VNNI = frozenset({"avx512_vnni", "avx_vnni"})
"""Linux's names for the instructions that multiply and add four pairs of eight-bit numbers in one step."""

CPU_INFO = Path("/proc/cpuinfo")


def open_store(config: EngineConfig) -> tuple[ModelStore, ModelFile]:
    """The models at hand under ``config``, and the default one among them.

    A known name is that model, even if the working directory holds a file of that name; anything else may be a path.
    Raises :class:`ModelNotFoundError` or :class:`ModelSpecError`.
    """
    store = ModelStore(Path(config.model_dir) if config.model_dir else None)
    cache_dir = Path(config.cache_dir) if config.cache_dir else None
    name = bundled_model(config.device, cache_dir=cache_dir) if config.model == AUTO else config.model
    if name not in store and _is_path(name):
        return store, store.add(Path(name))
    return store, store.get(name)


def find_models(config: EngineConfig, repository: Collection[str]) -> tuple[list[ModelFile], str]:
    """The models at hand besides those of these names in the repository, and what the empty name stands for.

    Raises as :func:`open_store` does.
    """
    if split_name(config.model)[0] in repository:
        return ModelStore(Path(config.model_dir) if config.model_dir else None).models(), config.model
    store, default = open_store(config)
    return store.models(), default.spec.name


def _is_path(text: str) -> bool:
    return os.sep in text or text.endswith(".onnx") or os.path.isdir(text)


def bundled_model(device: Device, cpu_info: Path = CPU_INFO, cache_dir: Path | None = None) -> str:
    """The bundled model that ``auto`` stands for: INT8 if a CPU with VNNI runs it, FP32 otherwise.

    Both are equally accurate; docs/decisions/0031 has the figures.
    """
    whole = BUNDLED_DIR / f"{_WHOLE}.onnx"
    return _INT8 if has_vnni(cpu_info) and uses_cpu(device, whole, cache_dir) else _WHOLE


def has_vnni(cpu_info: Path = CPU_INFO) -> bool:
    """True if this processor multiplies eight-bit numbers faster than floats (VNNI, of x86)."""
    try:
        text = cpu_info.read_text()
    except OSError:
        return False  # not Linux: without facts, FP32
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _VNNI.isdisjoint(line.split())
