"""The interactive notebook of the three emotions study as a program: name a picture, see angry, happy and sad.

    python examples/three_emotions.py --model runs/three_vgg16 angry.jpg happy.jpg
    python examples/three_emotions.py                  # the bundled model; pictures are asked for one after the other

Each picture is taken as one face, as in the study; there is no detector. A model with more labels, such as the bundled
one, shows these three alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import ferserve

NAMES = {"angry": "angry", "anger": "angry", "happy": "happy", "happiness": "happy", "sad": "sad", "sadness": "sad"}
"""Labels of the study, of FER2013 and of FER+, to the study's."""
BAR = 40
"""Characters of a probability of 1."""


def main() -> int:
    """Classify the pictures; returns the exit code, 1 if one of them could not be read."""
    parser = argparse.ArgumentParser(description="Say angry, happy or sad of whole pictures.")
    parser.add_argument("pictures", nargs="*", type=Path, help="files; without any they are asked for")
    parser.add_argument("--model", default="auto", help="folder of a run, ONNX file, or name of a model")
    arguments = parser.parse_args()
    failed = False
    with ferserve.LocalClient(ferserve.EngineConfig(model=arguments.model, detector="none")) as client:
        for path in arguments.pictures or asked_for():
            try:
                picture = ferserve.EncodedImage(path.read_bytes())
                (face,) = client.classify(ferserve.Crops((picture,))).faces
            except (OSError, ferserve.InvalidFrameError) as error:
                print(f"{path}: {error}", file=sys.stderr)
                failed = True
                continue
            show(path, face)
    return int(failed)


def asked_for() -> Iterator[Path]:
    """The pictures that somebody types, until an empty line or the end."""
    while True:
        try:
            typed = input("picture, or nothing to leave: ").strip()
        except EOFError:
            return
        if not typed:
            return
        yield Path(typed)


def show(path: Path, face: ferserve.Face) -> None:
    """A line per emotion, the most probable one first."""
    found = {NAMES[label]: share for label, share in face.probabilities.items() if label in NAMES}
    print(path)
    for name, share in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {name:5} {100 * share:5.1f} %  {'#' * round(BAR * share)}")


if __name__ == "__main__":
    sys.exit(main())
