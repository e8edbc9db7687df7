"""The cost study's own measurement: speed over the test set, memory and GPU load before, during and after."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ferserve.meters.gpu import MIB
from ferserve.models.spec import InputSpec
from training.common.pixels import pixels_into
from training.cost.cell import CannotRun, CostError
from training.cost.probes import Meter, Usage, find_gpu
from training.data.samples import Images, Samples

PROVIDERS = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider"}


def measure_test_set(path: Path, samples: Samples, spec: InputSpec, device: str | None = None) -> dict[str, Any]:
    """Run the images through ONNX Runtime one by one, in a process of its own; figures by name.

    Memory is therefore the model's, without what training took. ``device`` None takes the GPU if this machine has one
    that this ONNX Runtime can use. Frames per second are given with and without decoding and preprocessing. Raises
    :class:`CostError` if the GPU was chosen and does not run the model; the CPU never stands in for it.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as own:
        try:
            return own.submit(_measure, path, samples.images, spec, device).result()
        except CannotRun as error:
            raise CostError(str(error)) from None


def _measure(path: Path, images: Images, spec: InputSpec, device: str | None) -> dict[str, Any]:
    import onnxruntime
    import psutil

    gpu, process = find_gpu(), psutil.Process()
    able = onnxruntime.get_available_providers()
    device = device or ("gpu" if gpu is not None and PROVIDERS["gpu"] in able else "cpu")
    before = None if gpu is None else gpu.read()
    resident_before = process.memory_info().rss / MIB
    provider = PROVIDERS[device]
    if provider not in able:
        raise CannotRun(f"device must be one that this ONNX Runtime can use, got {device}: it has {', '.join(able)}")
    session = onnxruntime.InferenceSession(path, providers=[provider])
    if session.get_providers()[0] != provider:
        raise CannotRun(f"device {device} must run the model, got {session.get_providers()[0]}; check driver and CUDA")
    row = np.empty((1, *spec.row_shape), np.float32)
    session.run(None, {spec.name: np.zeros_like(row)})
    model_s, begin = 0.0, time.perf_counter()
    with Meter(gpu, before=before) as meter:
        for index in range(len(images)):
            pixels_into(images[index], spec, row)
            start = time.perf_counter()
            session.run(None, {spec.name: row})
            model_s += time.perf_counter() - start
    whole_s = time.perf_counter() - begin
    figures: dict[str, Any] = {
        "images": len(images),
        "device": f"{device} ({provider})",
        "fps_model": len(images) / model_s,
        "fps_with_decoding": len(images) / whole_s,
        "resident_mib_before": resident_before,
        **_of_usage(meter.usage, gpu is not None),
    }
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


def _of_usage(usage: Usage, has_gpu: bool) -> dict[str, Any]:
    names = ["cpu_percent", "resident_mib", "system_used_mib", "system_total_mib", "power_w"]
    if not has_gpu:
        return {name: getattr(usage, name) for name in names} | {"gpu": "none on this machine"}
    of_gpu = ("load_before_percent", "load_percent", "load_after_percent", "memory_mib", "memory_total_mib")
    return {name: getattr(usage, name) for name in (*names, *(f"gpu_{name}" for name in of_gpu))}
