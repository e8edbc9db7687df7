"""The loop of every fuzzer: draw an input, judge it, keep what failed."""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Drawn = TypeVar("Drawn")

FOUND = Path("build/fuzz")


def run(
    name: str,
    description: str | None,
    draw: Callable[[random.Random], Drawn],
    judge: Callable[[random.Random, Drawn], str],
    bytes_of: Callable[[Drawn], bytes],
) -> None:
    """Judge what is drawn for ``--seconds``, print what came of it, and exit with 1 if anything failed.

    ``judge`` names the outcome, or raises. A failed input is written to ``build/fuzz/NAME-SEED-COUNT.bin``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, seen = random.Random(options.seed), Counter[str]()
    ends, failed = time.monotonic() + options.seconds, 0
    while time.monotonic() < ends:
        drawn = draw(rng)
        try:
            seen[judge(rng, drawn)] += 1
        except Exception as error:
            failed += 1
            FOUND.mkdir(parents=True, exist_ok=True)
            path = FOUND / f"{name}-{options.seed}-{failed}.bin"
            path.write_bytes(bytes_of(drawn))
            print(f"{path}: {error!r}", flush=True)
    print(f"seed {options.seed}: {seen.total()} inputs, {dict(seen.most_common(12))}, {failed} failed")
    raise SystemExit(failed > 0)
