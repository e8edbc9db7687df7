"""The engine's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ferserve.config.checks import check

Device = Literal["auto", "cpu", "openvino", "cuda", "tensorrt", "tensorrt-native"]


@dataclass(frozen=True)
class EngineConfig:
    """Models, detector and device, and their share of the machine."""

    model: str = "auto"
    """Default model: the name of a bundled model or of one in ``model_dir``, or the path of an ONNX file or of a
    training run's folder. A folder with the name of a model needs a separator, as in ``./auto``. ``auto`` selects
    ``emotion-lite-int8`` on a CPU with VNNI, which runs it more than twice as fast, otherwise ``emotion-lite``."""
    model_dir: str = ""
    """Folder of further models; each ``*.onnx`` file is served under the name in its spec. All are read at the start,
    and one that is wrong ends it."""
    model_repository: str = ""
    """Folder of models that may come, change and go while the server runs: ``NAME/VERSION/model.onnx``, or flat files
    (docs/models.md). All versions are loaded at the start; one that is wrong is listed with the reason. A model of a
    bundled one's name takes its place."""
    detector: str = "face-lite"
    """Face detector: ``face-lite`` (bundled), ``yunet`` (after ``ferserve models pull yunet``), or ``none`` if
    clients send boxes or crops."""
    device: Device = "auto"
    """Device of the models. ``auto`` selects the first that answers a trial batch with the CPU's numbers: CUDA,
    TensorRT, then the CPU, in OpenVINO if it is installed and measured to be faster; a warning says why a GPU that is
    offered is not used. A device that is named fails at the start if it is unavailable: ``cpu``, ``cuda`` and
    ``tensorrt`` in ONNX Runtime, ``openvino``, and ``tensorrt-native`` without ONNX Runtime, as JetPack ships it."""
    require_device: bool = False
    """Whether a model that the processor would run fails at the start. A GPU that is named as ``device`` is required
    anyway: a session of it that leaves every node to the processor fails too."""
    cache_dir: str = ""
    """Folder of the engines that TensorRT builds, for this GPU alone; empty for ``~/.cache/ferserve``."""
    threads: int = 0
    """Worker threads; 0 for one per processor that this process may use."""
    spare_threads: int = 1
    """Further threads, which take up short frames while all others have been busy with long ones for a while, so that a
    camera does not wait for large pictures of others; 0 for none."""
    max_first_run_s: float = 60.0
    """How long a model may take for its first row on the CPU when it is loaded; a graph may be endless."""
    min_score: float = 0.5
    """Lowest detector score of a face, unless the caller sets one; in [0, 1]."""
    max_faces: int = 64
    """Most faces that are classified per frame; the largest are kept."""
    max_pixels: int = 50_000_000
    """Largest frame, width x height, checked before decoding; of all crops of a frame together."""
    max_expansion: int = 768
    """Most bytes that decoding a frame may write per byte of the frame; frames under 64 KB count as 64 KB. Black
    pictures of 8 megapixels pass, a file that is made to fill the memory does not."""
    max_frame_ms: float = 2000.0
    """Most processor time per frame. A frame that is sure to need more memory than 250 kB per millisecond is refused
    before it is decoded; the clock is read between the stages. The slowest picture of ``max_pixels`` takes about half
    of the default."""
    detection_side_px: int = 0
    """Longest side of the image that the detector gets, unless the caller sets one. 0 selects half of the frame's
    longer side, from 320 to 640 px. Frames are never enlarged, so ``max_detection_side_px`` means full size."""
    max_detection_side_px: int = 2048
    """Largest ``detection_side_px``, of this configuration and of callers; at most 65535."""
    detection_interval: int = 4
    """Streams get at least one detection pass per this many frames, at most 1000; in between, faces are followed."""
    min_detection_interval: int = 2
    """Streams get at most one detection pass per this many frames; the load decides between the two bounds. Below six
    frames per second every frame gets one, unless the client sets its own bounds."""
    smoothing_ms: float = 400.0
    """Time constant of the smoothing of probabilities in streams; 0 turns it off."""
    max_batch_size: int = 0
    """Most faces of different frames in one run of the model; 0 measures at the start and chooses."""
    max_queue_delay_us: int = 2000
    """Longest wait of a face for others to fill a batch."""
    max_queue: int = 320
    """Most frames that wait for a worker, over all streams; further ones are refused. A stream, or all single calls of
    a client, may hold eight times the places that are free, a client sixteen times: so others find room, and one client
    alone still has four places for each of 64 streams."""
    max_queue_bytes: int = 128 * 1024 * 1024
    """Most memory of waiting frames, over all streams; shared as ``max_queue`` is."""
    resume_s: float = 30.0
    """How long a named stream can be resumed after its connection broke."""
    max_resumable: int = 1000
    """Most closed streams that can be resumed; the client with the largest share of their memory makes room."""
    max_resumable_per_client: int = 64
    """Most closed streams per client that can be resumed; the longest gone make room."""
    max_resumable_bytes: int = 32 * 1024 * 1024
    """Most memory of closed streams that can be resumed."""
    max_resumable_bytes_per_client: int = 8 * 1024 * 1024
    """Most memory of closed streams per client that can be resumed; the longest gone make room."""

    def __post_init__(self) -> None:
        check("engine.device", self.device, self.device in get_args(Device), f"one of {', '.join(get_args(Device))}")
        check("engine.threads", self.threads, 0 <= self.threads <= 1024, "from 0 to 1024")
        check("engine.spare_threads", self.spare_threads, 0 <= self.spare_threads <= 16, "from 0 to 16")
        check("engine.min_score", self.min_score, 0 <= self.min_score <= 1, "from 0 to 1")
        check("engine.max_faces", self.max_faces, 1 <= self.max_faces <= 1000, "from 1 to 1000")
        check("engine.max_pixels", self.max_pixels, self.max_pixels >= 1, "at least 1")
        run_s = self.max_first_run_s
        check("engine.max_first_run_s", run_s, 0 < run_s <= 86_400, "above 0, up to 86400 s")
        check("engine.max_expansion", self.max_expansion, self.max_expansion >= 1, "at least 1")
        check("engine.max_frame_ms", self.max_frame_ms, 0 < self.max_frame_ms <= 600_000, "above 0, up to 600000 ms")
        side, most = self.detection_side_px, self.max_detection_side_px
        check("engine.max_detection_side_px", most, 0 <= most <= 65535, "from 0 to 65535")
        expected = f"0 or from 32 to max_detection_side_px {most}"
        check("engine.detection_side_px", side, side == 0 or 32 <= side <= most, expected)
        least, most = self.min_detection_interval, self.detection_interval
        check("engine.min_detection_interval", least, least >= 1, "at least 1")
        expected = f"from min_detection_interval {least} to 1000"
        check("engine.detection_interval", most, least <= most <= 1000, expected)
        check("engine.smoothing_ms", self.smoothing_ms, 0 <= self.smoothing_ms <= 60_000, "from 0 to 60000 ms")
        check("engine.max_batch_size", self.max_batch_size, 0 <= self.max_batch_size <= 1024, "from 0 to 1024")
        delay_us = self.max_queue_delay_us
        check("engine.max_queue_delay_us", delay_us, 0 <= delay_us <= 1_000_000, "from 0 to 1000000 us")
        check("engine.max_queue", self.max_queue, self.max_queue >= 1, "at least 1")
        check("engine.max_queue_bytes", self.max_queue_bytes, self.max_queue_bytes >= 1, "at least 1")
        check("engine.resume_s", self.resume_s, self.resume_s >= 0, "at least 0 s")
        resumable = (
            "max_resumable",
            "max_resumable_per_client",
            "max_resumable_bytes",
            "max_resumable_bytes_per_client",
        )
        for name in resumable:
            check(f"engine.{name}", getattr(self, name), getattr(self, name) >= 0, "at least 0")
