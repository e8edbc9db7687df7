"""Every metric of a server. docs/metrics.md is written from this file."""

from __future__ import annotations

from typing import Final

from ferserve import errors
from ferserve.server.telemetry.families import Family, Layout, counter, gauge, histogram
from ferserve.types import DropReason
from ferserve.wire.resume_token import Refusal

KINDS: Final = sorted(
    {
        value.kind
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.FerserveError)
    }
)
"""Kinds of errors; what is none of these counts as ``internal``."""
STAGES: Final = ("queue", "decode", "detect", "preprocess", "infer")
SECONDS: Final = tuple(
    milliseconds / 1000
    for milliseconds in (
        0.1,
        0.2,
        0.3,
        0.5,
        0.75,
        1,
        1.5,
        2,
        3,
        5,
        7.5,
        10,
        15,
        20,
        30,
        50,
        75,
        100,
        150,
        200,
        500,
        2000,
    )
)
_FEW: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0)
_OUTCOMES: Final = (
    ("answered", ""),
    *(("dropped", reason.value) for reason in DropReason),
    *(("fault", kind) for kind in KINDS),
    ("cancelled", ""),
)

FRAMES: Final = Family(
    "ferserve_frames_total",
    "counter",
    "Frames by outcome: answered, dropped by reason, fault by kind of error, cancelled by their caller.",
    ("outcome", "reason"),
    _OUTCOMES,
)
DEGRADED: Final = counter("ferserve_frames_degraded_total", "Answered frames with something wrong in their file.")
FACES: Final = histogram("ferserve_frame_faces", "Faces per answered frame.", _FEW)
STAGE: Final = histogram(
    "ferserve_stage_duration_seconds", "Time of an answered frame in each stage.", SECONDS, stage=STAGES
)
DURATION: Final = histogram(
    "ferserve_frame_duration_seconds", "Time of an answered frame from its arrival to its result.", SECONDS
)
BATCH: Final = histogram("ferserve_batch_faces", "Faces per run of a model.", (1, 2, 4, 8, 16, 32, 64, 128))
PASSES: Final = counter("ferserve_detection_passes_total", "Frames in which the detector looked for faces.")
FOLLOWED: Final = counter(
    "ferserve_followed_frames_total", "Frames of streams whose faces were followed without the detector."
)
STREAMS: Final = gauge("ferserve_streams_open", "Open streams.")
OPENED: Final = counter(
    "ferserve_streams_opened_total",
    "Streams opened, and resumed after their connection broke.",
    resumed=("false", "true"),
)
TOKEN_OUTCOMES: Final = ("accepted", *(refusal.value for refusal in Refusal))
RESUME_TOKENS: Final = counter(
    "ferserve_resume_tokens_total",
    "Resume tokens that came with a stream, by what became of them.",
    outcome=TOKEN_OUTCOMES,
)
RESUMABLE: Final = gauge("ferserve_streams_resumable", "Closed streams that can be resumed.")
RESUMABLE_BYTES: Final = gauge("ferserve_streams_resumable_bytes", "Memory of closed streams that can be resumed.")
TRACKS: Final = gauge("ferserve_tracks", "Faces that open streams keep track of.")
REFUSED: Final = counter("ferserve_calls_refused_total", "Calls and streams that ended with an error.", kind=KINDS)
LIMITS: Final = (
    "server.max_streams_per_client",
    "server.max_calls_per_client",
    "server.max_calls_per_s_per_client",
    "server.max_receiving_bytes",
    "server.max_receiving_bytes_per_client",
    "engine.max_queue",
    "other",
)
LIMITED: Final = counter(
    "ferserve_limit_reached_total", "Calls that were refused because a limit was reached, by its setting.", limit=LIMITS
)
QUEUED: Final = gauge("ferserve_queue_frames", "Frames and tensors that wait for a worker thread.")
QUEUED_BYTES: Final = gauge("ferserve_queue_bytes", "Memory of what waits for a worker thread.")
PENDING: Final = gauge("nv_inference_pending_request_count", "As ferserve_queue_frames, under Triton's name.")
FAILURE: Final = counter(
    "nv_inference_request_failure",
    "Frames without an answer, by Triton's reasons. Superseded frames count nowhere here: their stream wants it so.",
    reason=("REJECTED", "CANCELED", "BACKEND", "OTHER"),
)
UP: Final = gauge("ferserve_workers_up", "Processes that serve.")
STARTS: Final = counter("ferserve_worker_starts_total", "Times that a process began to serve.")
THREADS: Final = gauge("ferserve_threads", "Worker threads.")
BUSY: Final = gauge("ferserve_threads_busy", "Worker threads at work.")
STALLED: Final = gauge(
    "ferserve_workers_stalled", "1 if all threads of a process have been at the same work for too long."
)
DEVICE_LOST: Final = gauge("ferserve_device_lost", "Processes whose GPU is gone for good; they are not healthy.")
LAG: Final = histogram(
    "ferserve_loop_lag_seconds", "Lateness of the event loop, measured five times a second.", SECONDS
)
CPU: Final = counter("process_cpu_seconds_total", "Processor time of all processes of the server.")
MEMORY: Final = gauge(
    "process_resident_memory_bytes", "Resident memory of all processes; what they share counts twice."
)
FILES: Final = gauge("process_open_fds", "Open files and sockets of all processes.")
MAX_FILES: Final = gauge("process_max_fds", "Files and sockets that one process may open.", highest=True)

FAMILIES: Final = (
    FRAMES,
    DEGRADED,
    FACES,
    STAGE,
    DURATION,
    BATCH,
    PASSES,
    FOLLOWED,
    STREAMS,
    OPENED,
    RESUME_TOKENS,
    RESUMABLE,
    RESUMABLE_BYTES,
    TRACKS,
    REFUSED,
    LIMITED,
    QUEUED,
    QUEUED_BYTES,
    PENDING,
    FAILURE,
    UP,
    STARTS,
    THREADS,
    BUSY,
    STALLED,
    DEVICE_LOST,
    LAG,
    CPU,
    MEMORY,
    FILES,
    MAX_FILES,
)
LAYOUT: Final = Layout(FAMILIES)

WORKERS: Final = (
    (UP, gauge("ferserve_worker_up", "1 while this process serves.")),
    (STARTS, STARTS),
    (STREAMS, gauge("ferserve_worker_streams_open", "Open streams of this process.")),
    (BUSY, gauge("ferserve_worker_threads_busy", "Worker threads of this process at work.")),
    (CPU, counter("ferserve_worker_cpu_seconds_total", "Processor time of this process and those that it replaced.")),
    (MEMORY, gauge("ferserve_worker_resident_memory_bytes", "Resident memory of this process.")),
)
"""What is said of each worker process too, with the label ``worker``; a server without workers is worker 0."""

SUCCESS: Final = counter("nv_inference_request_success", "Answered frames.")
INFERENCES: Final = counter("nv_inference_count", "Faces, and rows of tensors, that the model classified.")
RUNS: Final = counter("nv_inference_exec_count", "Runs of the model, each with one face or a batch of them.")
REQUEST_US: Final = counter("nv_inference_request_duration_us", "Time of answered frames from arrival to result.")
QUEUE_US: Final = counter("nv_inference_queue_duration_us", "Time of answered frames before a worker thread took them.")
INPUT_US: Final = counter(
    "nv_inference_compute_input_duration_us", "Time of answered frames in decoding, detection and preprocessing."
)
INFER_US: Final = counter(
    "nv_inference_compute_infer_duration_us", "Time of answered frames in the model, and smoothing."
)

BY_MODEL: Final = (SUCCESS, INFERENCES, RUNS, REQUEST_US, QUEUE_US, INPUT_US, INFER_US)
"""Of each model that was loaded, under the names that Triton gave them."""
MODEL_LAYOUT: Final = Layout(BY_MODEL)
MAX_MODELS: Final = 32
"""Models with numbers of their own; further ones share those of the last one, which is then called ``other``."""

GPU_LOAD: Final = gauge("nv_gpu_utilization", "Load of the GPU, from 0 to 1.")
GPU_MEMORY: Final = gauge("nv_gpu_memory_used_bytes", "Memory in use on the GPU; on a Jetson, of the whole board.")
GPU_MEMORY_TOTAL: Final = gauge("nv_gpu_memory_total_bytes", "Memory of the GPU; on a Jetson, of the whole board.")
GPU_POWER: Final = gauge("nv_gpu_power_usage", "Power that the GPU draws; on a Jetson, the whole board. In watts.")
BY_GPU: Final = (GPU_LOAD, GPU_MEMORY, GPU_MEMORY_TOTAL, GPU_POWER)
"""Of each GPU of the machine, whoever uses it, under Triton's names."""

BUILD: Final = gauge("ferserve_build_info", "1, with the versions of ferserve, Python, gRPC and ONNX Runtime.")
ENGINE: Final = gauge("ferserve_engine_info", "1, with the model, the detector, and what really runs them.")
MODEL: Final = gauge(
    "ferserve_model_info", "1 for each model that is loaded or was, with what runs it, and its digest."
)
STARTED: Final = gauge("process_start_time_seconds", "Start of the server, in seconds since 1970.")
INFO: Final = (BUILD, ENGINE, MODEL, STARTED)
