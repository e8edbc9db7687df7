"""The cost study's own measurement: speed over the test set, memory and GPU load before and after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ferserve.models.spec import InputSpec
from training.common.pixels import pixels_into
from training.cost.probes import MIB, find_gpu
from training.data.samples import Samples


def measure_test_set(path: Path, samples: Samples, spec: InputSpec) -> dict[str, Any]:
    """Run the images through ONNX Runtime one by one; figures by name.

    Frames per second are given with and without decoding and preprocessing.
    """
    import onnxruntime
    import psutil

    gpu, process = find_gpu(), psutil.Process()
    before = {"resident_mib_before": round(process.memory_info().rss / MIB, 1)}
    if gpu is not None:
        before |= {"gpu_load_percent_before": gpu.read().load_percent, "gpu_memory_mib_before": gpu.read().memory_mib}
    able = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in able]
    session = onnxruntime.InferenceSession(path, providers=providers)
    row = np.empty((1, *spec.row_shape), np.float32)
    session.run(None, {spec.name: np.zeros_like(row)})
    model_s, begin = 0.0, time.perf_counter()
    for index in range(len(samples)):
        pixels_into(samples.images[index], spec, row)
        start = time.perf_counter()
        session.run(None, {spec.name: row})
        model_s += time.perf_counter() - start
    whole_s = time.perf_counter() - begin
    after: dict[str, Any] = {"resident_mib_after": round(process.memory_info().rss / MIB, 1)}
    if gpu is not None:
        after |= {"gpu_load_percent_after": gpu.read().load_percent, "gpu_memory_mib_after": gpu.read().memory_mib}
    else:
        after["gpu"] = "none on this machine"
    return {
        "images": len(samples),
        "providers": ", ".join(session.get_providers()),
        "fps_model": round(len(samples) / model_s, 2),
        "fps_with_decoding": round(len(samples) / whole_s, 2),
        **before,
        **after,
    }
