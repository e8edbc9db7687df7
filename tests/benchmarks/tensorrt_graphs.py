"""How often the graphs that TensorRT gets agree with the models they are made of.

``python -m tests.benchmarks.tensorrt_graphs --data FILE.npz`` runs both in ONNX Runtime on the last 1,200 rows of
PublicTest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime.tensorrt.precision import typed_graph
from training.common.export import read_spec
from training.emotion_lite.onnx_graph import served_input
from training.emotion_lite.voted_samples import load_voted_samples

ROWS = 1200


def main() -> None:
    """Print one line per model and head."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.tensorrt_graphs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    images = load_voted_samples(parser.parse_args().data)[1].images[-ROWS:]
    for name in ("emotion-lite", "emotion-lite-int8"):
        path = BUNDLED_DIR / f"{name}.onnx"
        graph, precision = typed_graph(path, half=True)
        sessions = [ort.InferenceSession(each, providers=["CPUExecutionProvider"]) for each in (str(path), graph)]
        rows = {sessions[0].get_inputs()[0].name: served_input(images, read_spec(path))}
        answers = zip(sessions[0].get_outputs(), *(session.run(None, rows) for session in sessions), strict=True)
        for output, own, typed in answers:
            same = float(np.mean(own.argmax(axis=1) == typed.argmax(axis=1)))
            apart = float(np.abs(own - typed).max())
            print(f"{name} as {precision}, {output.name}: top label {same:.2%}, largest difference {apart:.4f}")


if __name__ == "__main__":
    main()
