"""Which backend runs the bundled models fastest on this processor: ``python -m tests.benchmarks.backends``.

One thread, ONNX Runtime and, if it is installed, OpenVINO in turns; the best of all rounds counts.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ferserve.errors import ConfigError
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import Session, Tensor, open_session

MODELS = {"emotion-lite": (1, 48, 48), "emotion-lite-int8": (1, 48, 48), "face-lite": (1, 256, 320)}
ROWS, ROUNDS, CALLS = (1, 4, 16), 40, 5


def feeds_of(session: Session, row: tuple[int, ...], rows: int) -> dict[str, Tensor]:
    """Noise of the graph's type."""
    info = session.inputs[0]
    noise = np.random.default_rng(0).random((rows, *row))
    return {info.name: (255 * noise if info.dtype == "uint8" else noise).astype(info.dtype)}


def best_ms(sessions: list[Session], row: tuple[int, ...], rows: int) -> list[float]:
    """Shortest time of one call of each session, in turns."""
    feeds = [feeds_of(session, row, rows) for session in sessions]
    best = [float("inf")] * len(sessions)
    for _ in range(ROUNDS):
        for place, session in enumerate(sessions):
            start = time.perf_counter()
            for _ in range(CALLS):
                session.run(feeds[place])
            best[place] = min(best[place], 1e3 * (time.perf_counter() - start) / CALLS)
    return best


def main() -> None:
    """Print the table."""
    print("| model | rows | ONNX Runtime, ms | OpenVINO, ms | ratio |")
    print("|---" * 5 + "|")
    for name, row in MODELS.items():
        path = Path(BUNDLED_DIR / f"{name}.onnx")
        sessions = [open_session(path, "cpu")]
        try:
            sessions.append(open_session(path, "openvino"))
        except ConfigError as error:
            print(error)
            return
        for rows in ROWS if name != "face-lite" else (1,):
            ours, other = best_ms(sessions, row, rows)
            print(f"| {name} | {rows} | {ours:.3f} | {other:.3f} | {other / ours:.2f} |")


if __name__ == "__main__":
    main()
