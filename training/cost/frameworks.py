"""Opens a file in each framework: a function from the job to a callable from rows to probabilities.

Each opener raises :class:`CannotRun` with the reason if this machine lacks a requirement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.cost.cell import CannotRun, CellJob, require_package

Infer: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def open_job(job: CellJob) -> Infer:
    """The callable that runs ``job.file`` in ``job.framework``."""
    return OPENERS[job.framework](job)


def _open_keras(job: CellJob) -> Infer:
    import keras
    import tensorflow as tf

    from training.common.checkpoint import load_model

    tf.config.threading.set_intra_op_parallelism_threads(job.threads)
    if job.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise CannotRun("TensorFlow sees no GPU")
    if job.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    model = load_model(job.file)
    if job.precision == "fp16":
        model = _half(keras, model)
    call = tf.function(lambda rows: model(rows, training=False))
    call(tf.zeros((1, *job.row_shape)))

    def infer(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        outputs = call(tf.constant(rows))
        return np.asarray(outputs[job.output_name] if isinstance(outputs, dict) else outputs, np.float32)

    return infer


def _half(keras: Any, model: Any) -> Any:
    """The model in Keras's mixed precision: arithmetic in float16, weights in float32."""

    def clone(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config() | {"dtype": "mixed_float16"})

    half = keras.models.clone_model(model, clone_function=clone)
    half.set_weights(model.get_weights())
    return half


def _open_litert(job: CellJob) -> Infer:
    if job.device == "gpu":
        raise CannotRun("LiteRT's Python package has no GPU delegate for desktop Linux")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(job.file), num_threads=job.threads)
    interpreter.allocate_tensors()
    entry, end = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def infer(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        answers = []
        for row in rows:
            interpreter.set_tensor(entry["index"], row[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(end["index"])[0])
        return np.stack(answers)

    return infer


def _open_onnxruntime(job: CellJob) -> Infer:
    return _onnx_session(job, "CUDAExecutionProvider" if job.device == "gpu" else "CPUExecutionProvider")


def _open_tensorrt(job: CellJob) -> Infer:
    if job.device == "cpu":
        raise CannotRun("TensorRT runs on NVIDIA GPUs only")
    return _onnx_session(job, "TensorrtExecutionProvider")


def _onnx_session(job: CellJob, provider: str) -> Infer:
    import onnxruntime

    if provider not in onnxruntime.get_available_providers():
        raise CannotRun(f"this ONNX Runtime was built without {provider}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.log_severity_level = 3
    settings: dict[str, Any] = {}
    if provider == "TensorrtExecutionProvider":
        settings = {"trt_fp16_enable": job.precision == "fp16", "trt_int8_enable": job.precision == "int8"}
    session = onnxruntime.InferenceSession(job.file, options, providers=[(provider, settings)])
    if session.get_providers()[0] != provider:
        raise CannotRun(f"{provider} did not start; ONNX Runtime fell back to {session.get_providers()[0]}")
    return lambda rows: np.asarray(session.run([job.output_name], {job.input_name: rows})[0])


def _open_openvino(job: CellJob) -> Infer:
    require_package("openvino", "openvino")
    import openvino

    core, device = openvino.Core(), job.device.upper()
    if device not in core.available_devices:
        raise CannotRun(f"OpenVINO finds no {device} that it can use")
    able = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    if job.precision.upper() not in able:
        raise CannotRun(f"OpenVINO has no {job.precision.upper()} on this {device}; it has {', '.join(sorted(able))}")
    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": job.threads} if device == "CPU" else {}
    settings["INFERENCE_PRECISION_HINT"] = "f16" if job.precision == "fp16" else "f32"
    model = core.read_model(job.file)
    compiled = core.compile_model(model, device, settings)
    request, output = compiled.create_infer_request(), compiled.output(job.output_name)
    return lambda rows: np.array(request.infer({job.input_name: rows})[output])


OPENERS: dict[str, Callable[[CellJob], Infer]] = {
    "keras": _open_keras,
    "litert": _open_litert,
    "onnxruntime": _open_onnxruntime,
    "openvino": _open_openvino,
    "tensorrt": _open_tensorrt,
}
