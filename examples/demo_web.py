"""Open the page in a browser, on a clip of a real face in place of a camera. This is what ``make demo-web`` runs.

The clip is scikit-image's astronaut (public domain) in motion, written once into ``build/``. Ends with Ctrl-C.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import webbrowser
from pathlib import Path

CLIP = Path(__file__).parents[1] / "build" / "astronaut.webm"


def main() -> int:
    """Run the demo; returns the exit code. With ``--no-browser`` it prints the address only."""
    if not CLIP.exists():
        write_clip(CLIP)
    command = [sys.executable, "-m", "ferserve", "web", "--port", "0", "--demo", str(CLIP), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready.startswith("ferserve page on "):
            return process.wait()
        address = f"{ready.split()[3]}#camera=demo"
        print(f"The page is on {address}; Ctrl-C ends it.", flush=True)
        signal.signal(signal.SIGINT, lambda *_: None)  # the page gets it too, and ends
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        if "--no-browser" not in sys.argv:
            webbrowser.open(address)
        return process.wait()


def write_clip(path: Path) -> None:
    """The astronaut in motion as a WebM, which every browser plays."""
    import av
    import numpy as np
    from demo import FPS, HEIGHT, SECONDS, WIDTH, scene
    from skimage import data

    astronaut = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_stem("unfinished")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream("libvpx", FPS, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 3_000_000
        stream.codec_context.thread_count = 1  # threads of libvpx wait for each other most of the time
        for number in range(FPS * SECONDS):
            frame = av.VideoFrame.from_ndarray(scene(astronaut, number / FPS), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
