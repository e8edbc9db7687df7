"""The number of processes of a server that was not told one."""

from __future__ import annotations

import contextlib
import dataclasses
from importlib import metadata

from ferserve.config import Config
from ferserve.memory_limit import usable_memory_bytes
from ferserve.processors import usable_processors

PROCESSORS_PER_WORKER = 2
"""One process keeps two busy: beyond, its threads wait for the interpreter's lock (docs/measurements/cameras.md)."""
WORKER_BYTES = 384 * 1024 * 1024
"""Of a worker with the bundled models: three times what it holds at rest, for the frames of its streams."""
_GPUS = ("cuda", "tensorrt", "tensorrt-native")
_GPU_PACKAGES = ("onnxruntime-gpu", "tensorrt")


def sized(config: Config) -> tuple[Config, str]:
    """``config`` with a number of workers, and why that one; no reason if the configuration sets it."""
    if config.server.workers:
        return config, ""
    count, reason = _workers(config)
    return dataclasses.replace(config, server=dataclasses.replace(config.server, workers=count)), reason


def _workers(config: Config) -> tuple[int, str]:
    server, engine = config.server, config.engine
    if server.uds:
        return 1, "one process, since a Unix socket cannot be shared"
    if server.web_port:
        return 1, "one process, since the page needs it"
    if engine.device in _GPUS or (engine.device == "auto" and _has_gpu_package()):
        return 1, "one process, whose batches fill the GPU"
    processors, memory = usable_processors(), usable_memory_bytes()
    by_processors = max(1, processors // PROCESSORS_PER_WORKER)
    by_memory = max(1, memory // WORKER_BYTES)
    if by_memory < by_processors:
        return by_memory, f"as many as fit into {memory // 2**20} MiB of memory"
    if by_processors == 1:
        return 1, f"one process for {processors} processor{'s' * (processors != 1)}"
    return by_processors, f"one worker per {PROCESSORS_PER_WORKER} of {processors} processors"


def _has_gpu_package() -> bool:
    """Whether models could run on a GPU; importing the packages to ask would cost the supervisor their memory."""
    for name in _GPU_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.distribution(name)
            return True
    return False
