"""Inputs that grow by the code they reach: ``python -m tests.fuzz.guided decode --seconds 60``, or ``wire``.

The judges are those of :mod:`tests.fuzz.decode` and :mod:`tests.fuzz.wire`, the fuzzer is atheris (libFuzzer), if it is
installed: ``pip install atheris`` has wheels for Linux on x86-64. It sees the branches of our Python code, so it finds
its way through the header walkers and the bounds of messages, where blind mutations seldom come. What breaks a judge is
written to ``build/fuzz``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferserve.v1 import emotion_pb2 as pb
from tests.fuzz.campaign import FOUND

MAX_BYTES = 65_536


def _decode() -> tuple[Callable[[bytes], Any], list[bytes]]:
    from tests.fuzz import decode

    def judge(data: bytes) -> None:
        """The first byte chooses how to decode."""
        choice = data[0] if data else 0
        decode.one_file(data[1:], color=bool(choice & 1), use_truncated=bool(choice & 2))

    return judge, [bytes((choice,)) + data for data in decode.seeds() for choice in (0, 3)]


def _wire() -> tuple[Callable[[bytes], Any], list[bytes]]:
    from ferserve.wire.bounds import MAX_OTHER_BYTES
    from tests.fuzz import wire

    kinds = list(wire.READERS)
    large = pb.ClassifyRequest(frame=pb.Frame(encoded=bytes(MAX_OTHER_BYTES + 1))).SerializeToString()

    def judge(data: bytes) -> None:
        """The first byte chooses the kind of message, and whether pixels before it make it one that is walked over."""
        choice = data[0] if data else 0
        wire.one_message(kinds[choice % len(kinds)], (large if choice & 128 else b"") + data[1:])

    return judge, [bytes((kinds.index(kind) + at,)) + data for kind, data in wire.seeds() for at in (0, 129)]


SUBJECTS = {
    "decode": (_decode, ["ferserve.vision"]),
    "wire": (_wire, ["ferserve.wire", "ferserve.options", "ferserve.types"]),
}


def main() -> None:
    """Fuzz one subject; exits with 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("no guided fuzzing: atheris is not installed; `pip install atheris`")
        return
    import atheris

    subject, packages = SUBJECTS[options.subject]
    with atheris.instrument_imports(include=packages):
        judge, seeds = subject()
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for i, data in enumerate(seeds):
            Path(folder, f"seed-{i}").write_bytes(data)
        arguments = {
            "max_total_time": options.seconds,
            "max_len": MAX_BYTES,
            "seed": options.seed,
            "rss_limit_mb": 0,
            "artifact_prefix": f"{FOUND}/{options.subject}-",
            "verbosity": 1,
            "print_final_stats": 1,
        }
        atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in arguments.items()), folder], judge)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
