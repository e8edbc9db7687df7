# /// script
# dependencies = ["opencv-python-headless<5", "onnxruntime", "numpy"]
# [tool.peer]
# task = "frames"
# model = true
# ///
"""OpenCV and ONNX Runtime as tutorials write it: a Haar cascade on every frame, a crop, and our own classifier."""

from __future__ import annotations

import os

import cv2
import numpy as np

from benchmarks.peers.frame_loop import play_frames
from benchmarks.peers.plain_model import PlainModel


def main() -> None:
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    model = PlainModel(os.environ["PEER_MODEL"])

    def faces_of(jpeg: bytes) -> int:
        frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        faces = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(50, 50))
        for x, y, width, height in faces:
            face = cv2.resize(grey[y : y + height, x : x + width], (48, 48), interpolation=cv2.INTER_AREA)
            model.labels[int(model.probabilities(model.rows([face.tobytes()]))[0].argmax())]
        return len(faces)

    play_frames(faces_of)


if __name__ == "__main__":
    main()
