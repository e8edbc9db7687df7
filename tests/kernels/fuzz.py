"""Random calls by the million: ``make fuzz``, or ``python -m tests.kernels.fuzz --calls 1000000 --seed 0``.

Each call reads an image whose last or first byte touches an unreadable page, and writes into a batch with a
pattern round every row; about one call in four is broken on purpose and must raise ValueError and nothing else. One in
fifty is compared with plain NumPy. A read or write out of bounds ends the process or fails the pattern.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter

import numpy as np

from ferserve import _kernels
from ferserve.vision.preprocess import letterbox_into, preprocess_batch_into, preprocess_into
from tests import reference
from tests.kernels import cases
from tests.kernels.guarded import GuardedBatch, GuardedImage

CALLS_PER_IMAGE = 20
BREAKS = ("nan", "infinite", "inverted", "outside", "row", "dtype", "rank", "backwards", "color")


def broken(rng: np.random.Generator, call: dict[str, object]) -> dict[str, object]:
    """The same call with one thing wrong."""
    boxes = np.array(call["xyxy"])
    image = call["image"]
    assert isinstance(image, np.ndarray)
    victim = rng.integers(len(boxes))
    match BREAKS[rng.integers(len(BREAKS))]:
        case "nan":
            boxes[victim, rng.integers(4)] = np.nan
        case "infinite":
            boxes[victim, rng.integers(4)] = rng.choice([np.inf, -np.inf])
        case "inverted":
            boxes[victim] = boxes[victim, [2, 1, 0, 3]]
        case "outside":
            boxes[victim] += rng.choice([1e12, -1e12])
        case "row":
            return call | {"row": int(rng.choice([-1, 1, 2**40, 2**63 - 1]))}
        case "dtype":
            return call | {"image": image.astype(np.int16)}
        case "rank":
            return call | {"image": image[..., None]}
        case "backwards":
            return call | {"image": image[::-1] if image.shape[0] > 1 else image[..., None]}
        case "color":
            return call | {"color": "grey"}
    return call | {"xyxy": boxes}


def one_call(rng: np.random.Generator, image: np.ndarray, color: str, seen: Counter[str]) -> None:
    """One random crop call, good or broken."""
    height, width = image.shape[:2]
    step = int(rng.choice([1, 1, 1, 2, 3, 7]))
    view = image[:: rng.integers(1, 3), ::step]
    spec = cases.random_spec(rng, most=64 if rng.random() < 0.1 else 16)
    boxes = cases.random_boxes(rng, *view.shape[:2], int(rng.integers(1, 4)))
    marks = cases.random_landmarks(rng, height, width, len(boxes)) if rng.random() < 0.3 else None
    with GuardedBatch(len(boxes), spec) as batch:
        call = {"image": view, "color": color, "xyxy": boxes, "spec": spec, "out": batch.out, "landmarks": marks}
        if rng.random() < 0.25:
            try:
                preprocess_into(**broken(rng, call))
            except ValueError:
                seen["refused"] += 1
                return
            raise AssertionError(f"a broken call was accepted: {call}")
        if rng.random() < 0.1:
            sized = None if marks is None else [marks]
            preprocess_batch_into([view], color, [boxes], spec, batch.out, sized, threads=int(rng.integers(1, 5)))
        else:
            preprocess_into(**call)
        seen["written"] += 1
        if rng.random() < 0.02 and (marks is None or spec.align == "none"):
            wanted = reference.preprocess(view, color, boxes[0], spec)
            tolerance = {"float32": 0.05, "float16": 0.6, "uint8": 1.0}[spec.dtype]
            np.testing.assert_allclose(batch.out[0].astype(float), wanted, rtol=0, atol=tolerance)
            seen["compared"] += 1


def one_letterbox(rng: np.random.Generator, image: np.ndarray, seen: Counter[str]) -> None:
    """The whole image into a window of a canvas with a pattern around it."""
    canvas = np.full((60, 70), 165, ("uint8", "float32")[rng.integers(2)])
    top, left, bottom, right = (int(rng.integers(*ends)) for ends in ((0, 20), (0, 20), (21, 60), (21, 70)))
    letterbox_into(image, canvas[top:bottom, left:right], fill=3)
    canvas[top:bottom, left:right] = 165
    assert (canvas == 165).all(), "a letterbox was written beyond its window"
    seen["letterboxed"] += 1


def main() -> None:
    """Run the calls and print their totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    seen: Counter[str] = Counter()
    began = time.monotonic()
    paths = itertools.cycle(_kernels.features()["available"])
    while seen.total() - seen["compared"] < options.calls:
        _kernels.use_path(next(paths))
        color = cases.COLORS[rng.integers(3)]
        most = 700 if rng.random() < 0.02 else 60
        height, width = (int(side) for side in rng.integers(1, most, 2))
        with GuardedImage(rng, height, width, color, flush_left=bool(rng.integers(2))) as image:
            for _ in range(CALLS_PER_IMAGE):
                if color == "luma" and rng.random() < 0.05:
                    one_letterbox(rng, image.pixels, seen)
                else:
                    one_call(rng, image.pixels, color, seen)
    print(f"seed {options.seed}: {dict(seen)}, {time.monotonic() - began:.0f} s, nothing out of bounds")


if __name__ == "__main__":
    main()
