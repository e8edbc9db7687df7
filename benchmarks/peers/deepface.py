# /// script
# dependencies = ["deepface==0.0.103", "tf-keras", "opencv-python-headless<5"]
# [tool.peer]
# task = "frames"
# files = ["~/.deepface/weights/facial_expression_model_weights.h5"]
# missing = "DeepFace downloads its weights from GitHub on first use, which benchmarks never do; put the file there"
# ///
"""DeepFace with its defaults: OpenCV's detector and the emotion network, if its weights are at hand."""

from __future__ import annotations

import cv2
import numpy as np
from deepface import DeepFace

from benchmarks.peers.frame_loop import play_frames


def faces_of(jpeg: bytes) -> int:
    frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    found = DeepFace.analyze(frame, actions=["emotion"], enforce_detection=False, silent=True)
    return sum(face["face_confidence"] > 0 for face in found)


if __name__ == "__main__":
    play_frames(faces_of)
