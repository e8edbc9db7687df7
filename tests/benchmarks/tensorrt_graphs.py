"""How often the graphs that TensorRT gets agree with the models they are made of.

``python -m tests.benchmarks.tensorrt_graphs --data FILE.npz`` runs both in ONNX Runtime on all of PublicTest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime.tensorrt.precision import typed_graph
from training.common.export import read_spec
from training.emotion_lite.onnx_graph import served_input
from training.emotion_lite.voted_samples import load_voted_samples


def main() -> None:
    """Print one line per model and head."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.tensorrt_graphs", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    images = load_voted_samples(parser.parse_args().data)[1].images
    floats = _answers(str(BUNDLED_DIR / "emotion-lite.onnx"), images)
    for name in ("emotion-lite", "emotion-lite-int8"):
        path = BUNDLED_DIR / f"{name}.onnx"
        graph, precision = typed_graph(path, half=True)
        own, typed = _answers(str(path), images), _answers(graph, images)
        for head, answer in typed.items():
            same = [float(np.mean(each[head].argmax(axis=1) == answer.argmax(axis=1))) for each in (floats, own)]
            apart = float(np.abs(floats[head] - answer).max())
            print(
                f"{name} as {precision}, {head}: top label as in floats {same[0]:.2%}, "
                f"as in its own file {same[1]:.2%}, "
                f"largest difference from floats {apart:.4f}"
            )


def _answers(graph: str | bytes, images: Any) -> dict[str, Any]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = {session.get_inputs()[0].name: served_input(images, read_spec(BUNDLED_DIR / "emotion-lite.onnx"))}
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, rows), strict=True))


if __name__ == "__main__":
    main()
