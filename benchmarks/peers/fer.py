# /// script
# dependencies = [
#   "fer==25.10.3", "tensorflow>=2.20,<3", "opencv-contrib-python-headless<5", "setuptools<81", "requests", "pandas",
#   "moviepy<2", "ffmpeg-python", "matplotlib", "pillow", "tqdm",
# ]
# [tool.peer]
# task = "frames"
# without-dependencies = ["fer"]  # it asks for torch, which only its other detector uses
# ///
"""The PyPI package ``fer`` with its defaults: a Haar cascade and the mini-Xception that it brings."""

from __future__ import annotations

import cv2
import numpy as np
from fer.fer import FER

from benchmarks.peers.frame_loop import play_frames


def main() -> None:
    detector = FER()

    def faces_of(jpeg: bytes) -> int:
        return len(detector.detect_emotions(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)))

    play_frames(faces_of)


if __name__ == "__main__":
    main()
