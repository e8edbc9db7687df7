"""What resume tokens cost: their size, and the processor time per answer.

    python -m tests.benchmarks.resume_token [--rounds 9]

The least of the rounds counts, since a busy machine only adds to it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from ferserve.wire.resume_token import Key, owner_digest, seal, unseal
from tests.benchmarks.subjects.tracking import state_of

_CALLS = 2000
_KEY = Key.of(bytes(range(32)))
_OWNER = owner_digest("camera", "", authenticated=False)


def cpu_us(call: Callable[[], object], rounds: int) -> float:
    """Processor time of one call, us."""
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(_CALLS):
            call()
        spent.append((time.thread_time() - began) / _CALLS * 1e6)
    return min(spent)


def main() -> None:
    """Print a line per number of faces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    for faces in (1, 4, 16, 48):
        for neutral_ms in (0.0, 1000.0):
            state = state_of(faces, neutral_ms)
            token = seal(state.hand_over(1), _OWNER, _KEY, 0)
            sealing = cpu_us(lambda state=state: seal(state.hand_over(1), _OWNER, _KEY, 0), rounds)  # type: ignore[misc]
            reading = cpu_us(lambda token=token: unseal(token, _OWNER, [_KEY], 0, 1), rounds)  # type: ignore[misc]
            calibrated = ", calibrated" if neutral_ms else ""
            cost = f"{sealing:.1f} us to seal, {reading:.1f} us to read"
            print(f"{faces:2} faces{calibrated}: {len(token)} bytes, {cost}")


if __name__ == "__main__":
    main()
