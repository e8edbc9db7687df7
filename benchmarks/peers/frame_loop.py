"""What every peer of frames does around its own code: plays JPEGs for as long as it is told, and says what it found.

A folder of JPEGs in, then seconds on lines; a line of JSON out for each.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def play_frames(faces_of: Callable[[bytes], int]) -> None:
    """``faces_of`` takes a JPEG through faces to emotions, and gives the number of faces."""
    frames = [path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.jpg"))]
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nobody else writes among the replies
    endless = itertools.cycle(frames)
    for _ in range(3):
        faces_of(next(endless))
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        count = faces = 0
        began, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < float(line):
            faces += faces_of(next(endless))
            count += 1
        figures = {"frames": count, "faces": faces, "seconds": time.perf_counter() - began}
        print(json.dumps({**figures, "cpu_s": time.process_time() - used}), file=replies, flush=True)
