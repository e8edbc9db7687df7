"""Minutes of a GPU for emotion-lite: ``python -m training.emotion_lite.gpu`` (needs NumPy and torch, nothing else).

``--pack FILE.npz --data FER2013.npz [--faces DIR]`` writes the one file that a run reads, here, where the data is.
``--table`` says what a run is expected to cost. Else a run: ``--packed FILE.npz --out DIR --minutes 9``; after a kill,
or out of time, the same with ``--resume``. What came out is exported where Keras is:
``python -m training.emotion_lite.release DIR --data FER2013.npz``.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.emotion_lite.gpu.budget import Budget
from training.emotion_lite.gpu.gpu_plan import LARGE, Plan, Task, cost_table
from training.emotion_lite.gpu.packing import Packed, encode, pack_data, read_packed, write_packed
from training.errors import DataError, in_one_line

ROWS, FACES, TESTS = 27_510, 6_000, 3_350
"""Of the real data, for a table without it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = _parser().parse_args(arguments)
    plan = LARGE if options.large else Plan()
    plan = replace(plan.small() if options.small else plan, seed=options.seed)
    if options.gate is not None:
        plan = replace(plan, gate=options.gate / 100)
    if options.pack:
        _pack(options.pack, options.data, options.faces, options.most_faces, plan)
    elif options.table:
        print("\n".join(cost_table(plan.tasks(ROWS, FACES, TESTS))))
    else:
        _run(options, plan)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m training gpu-run", description=__doc__)
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--packed", type=Path, metavar="FILE.npz", help="run on this file")
    what.add_argument("--pack", type=Path, metavar="FILE.npz", help="write this file from --data and --faces")
    what.add_argument("--table", action="store_true", help="print what each task is expected to cost")
    add("--data", type=Path, metavar="FILE.npz", help="FER2013 with FER+ votes, for --pack")
    add("--faces", type=Path, metavar="DIR", help="photographs whose faces need no labels, for --pack")
    add("--most-faces", type=int, default=6000, metavar="N", help="of --faces, evenly spread; more make a larger file")
    add("--out", type=Path, default=Path("runs/emotion_lite_gpu"), metavar="DIR")
    add("--minutes", type=float, default=9.0, help="the run ends by itself within them")
    add("--resume", action="store_true", help="go on behind the last finished task in --out")
    add("--small", action="store_true", help="a dry run: narrow networks, two epochs, some 600 rows")
    add("--large", action="store_true", help="eight teachers in place of four")
    add("--gate", type=float, metavar="PERCENT", help="least accuracy of the teachers' mean; the plan's by default")
    add("--device", default="", help="cuda or cpu; the GPU if there is one")
    add("--seed", type=int, default=1)
    return parser


def _pack(path: Path, data: Path | None, faces: Path | None, most_faces: int, plan: Plan) -> None:
    if data is None:
        raise DataError("data must name the file to pack, got none; add --data FILE.npz")
    cut = None
    if faces is not None:
        from training.emotion_lite.unlabelled import cut_faces

        cut = cut_faces(faces)
        cut = cut[np.linspace(0, len(cut) - 1, min(most_faces, len(cut))).astype(int)]
    packed = pack_data(data, plan.folds, cut)
    content = encode(packed)
    write_packed(content, path)
    labelled = int(packed.labelled.sum())
    print(f"{path}: {len(content):,} bytes; {len(packed.images):,} rows, {labelled:,} of them with labels")


def _run(options: argparse.Namespace, plan: Plan) -> None:
    budget = Budget(60 * options.minutes)
    from training.emotion_lite.gpu.driver import run_tasks
    from training.emotion_lite.gpu.state import RunState
    from training.emotion_lite.gpu.trainer import device_of
    from training.emotion_lite.gpu.workshop import TorchWorkshop

    packed = read_packed(options.packed)
    if options.small:
        packed = packed.first(600, 200)
    tasks = tasks_of(packed, plan)
    state = RunState.open(options.out, _digest(packed, plan), options.resume)
    device = device_of(options.device)
    print(f"{budget.spent:.0f} s: {len(packed.images):,} rows on {device}, {len(tasks)} tasks", flush=True)
    workshop = TorchWorkshop(packed, plan, state, tasks, device)
    outcome = run_tasks(tasks, state, budget, workshop, plan.gate, lambda line: print(line, flush=True))
    print(f"{budget.spent:.0f} s: {outcome}; {options.out}", flush=True)


def tasks_of(packed: Packed, plan: Plan) -> list[Task]:
    """The plan's tasks for the rows of ``packed``."""
    labelled = int(packed.labelled.sum())
    return plan.tasks(labelled, len(packed.images) - labelled, int(packed.test_usable.sum()))


def _digest(packed: Packed, plan: Plan) -> str:
    """Of all that decides what is learnt; the gate may be lowered between two calls."""
    return hashlib.sha256(f"{packed.digest} {replace(plan, gate=0.0)!r}".encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(in_one_line(main))
