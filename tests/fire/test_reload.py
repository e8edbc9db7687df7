"""A model is loaded again and again under streams: no frame is lost, no label flickers, and the memory comes back."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import ferserve
from ferserve.client.admin import load_model
from ferserve.models.store import BUNDLED_DIR
from tests import builders
from tests.fire.server import FireServer

FILES = ("emotion-lite.onnx", "emotion-lite-int8.onnx")
"""They take turns as the one version of the model."""
PAUSE_S = 0.1
"""Between two frames of a stream."""
SETTLE_S = 8.0
"""The memory that the allocator keeps is given back every few seconds."""


@dataclass
class Stream:
    """One stream of the same picture: what it sent, and what came back."""

    address: str
    sent: int = 0
    results: list[ferserve.FrameResult] = field(default_factory=list)
    error: BaseException | None = None

    def run(self, stop: threading.Event, picture: bytes) -> None:
        def frames() -> Iterator[bytes]:
            while not stop.is_set():
                self.sent += 1
                yield picture
                time.sleep(PAUSE_S)

        try:
            with ferserve.Client(self.address) as client:
                options = ferserve.StreamOptions(delivery=ferserve.Delivery.EVERY)
                for result in client.stream(frames(), options, fps=30):
                    self.results.append(result)
        except BaseException as error:
            self.error = error

    @property
    def shown(self) -> set[tuple[int, str]]:
        """Track and label of every face that it was shown."""
        return {(face.track_id, face.emotion) for result in self.results for face in result.faces}


def put(folder: Path, name: str) -> None:
    """Let another file be the model, in one step."""
    (folder / "mood" / "1").mkdir(parents=True, exist_ok=True)
    shutil.copy(BUNDLED_DIR / name, folder / "mood" / "new")
    os.replace(folder / "mood" / "new", folder / "mood" / "1" / "model.onnx")


def reload_under_streams(folder: Path, streams: int, reloads: int) -> tuple[list[Stream], list[float]]:
    """Returns the streams, and the resident memory in MB before, after as many reloads again, and at the end."""
    put(folder, FILES[0])
    picture, memory = builders.jpeg(builders.scene()), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSERVE_SERVER_ADMIN", "true")
        with FireServer("--model", "mood", "--model-repository", str(folder)) as server:
            running = [Stream(server.address) for _ in range(streams)]
            stop = threading.Event()
            threads = [threading.Thread(target=stream.run, args=(stop, picture)) for stream in running]
            for thread in threads:
                thread.start()
            while any(len(stream.results) < 8 for stream in running if stream.error is None):
                time.sleep(0.05)
            for part in (min(reloads, len(FILES)), reloads - len(FILES)):  # the first of each file fills caches
                for i in range(part):
                    put(folder, FILES[(i + 1) % len(FILES)])
                    assert [m.sha256 for m in load_model(server.address, "mood")]
                time.sleep(SETTLE_S if reloads > 10 else 0)
                memory.append(server.resident_mb())
            stop.set()
            for thread in threads:
                thread.join()
    return running, memory


def judge(streams: list[Stream]) -> None:
    for stream in streams:
        assert stream.error is None
        assert [r.frame_id for r in stream.results] == list(range(1, stream.sent + 1)), "every frame has its answer"
        assert all(r.ok for r in stream.results)
        assert len(stream.shown) == 1, "one face, one id, one label"


def test_ten_reloads_under_four_streams_lose_nothing(tmp_path: Path) -> None:
    streams, _ = reload_under_streams(tmp_path, streams=4, reloads=10)
    judge(streams)


@pytest.mark.fire
def test_a_hundred_reloads_under_sixteen_streams_lose_nothing_and_keep_nothing(tmp_path: Path) -> None:
    streams, (before, after) = reload_under_streams(tmp_path, streams=16, reloads=102)
    judge(streams)
    frames = sum(len(stream.results) for stream in streams)
    print(f"\n{frames} frames of 16 streams during 100 reloads, memory {before:.1f} MB before and {after:.1f} MB after")
    assert after <= 1.05 * before
