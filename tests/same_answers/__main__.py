"""Whether two revisions answer alike: record what each says to the same messages, then compare.

    python -m tests.same_answers record --tree ../before --python ../before/.venv/bin/python --out before.jsonl
    python -m tests.same_answers record --out after.jsonl
    python -m tests.same_answers compare before.jsonl after.jsonl

Only the wire is used, so the tree that is asked may be older than this script. Pictures come from code, and from the
folder of data that is not part of the project if it is there. Both records must be made on one machine: processors
round differently.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from tests.same_answers.compare import differences, read
from tests.same_answers.record import record, to_text
from tests.same_answers.servers import servers

ROOT = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 1 if records differ."""
    options = _parser().parse_args(arguments)
    return int(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.same_answers", description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(required=True)
    recording = commands.add_parser("record", help="ask the servers of a tree and write their answers")
    recording.add_argument("--out", type=Path, required=True, help="file to write, one JSON object per line")
    recording.add_argument("--tree", type=Path, default=ROOT, help="checkout to ask, its extension built")
    recording.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter that runs it")
    recording.add_argument("--every", type=int, default=1, help="leave out all but every n-th exchange")
    recording.add_argument("--without-shared", action="store_true", help="leave out photographs and videos")
    recording.set_defaults(command=_record)
    comparing = commands.add_parser("compare", help="say where two records differ")
    comparing.add_argument("first", type=Path)
    comparing.add_argument("second", type=Path)
    comparing.add_argument("--ignore-details", action="store_true", help="leave out the wording of errors")
    comparing.set_defaults(command=_compare)
    return parser


def _record(options: argparse.Namespace) -> int:
    shared = Path(os.environ.get("FERSERVE_SHARED", ROOT.parent / "shared"))
    asked = servers(shared if shared.is_dir() and not options.without_shared else None)
    asked = tuple(replace(server, exchanges=server.exchanges[:: options.every]) for server in asked)
    messages = 0
    with options.out.open("w", encoding="utf-8") as out:
        for line in record(asked, options.tree.resolve(), options.python.absolute()):
            out.write(to_text(line) + "\n")
            messages += 1
    print(f"{messages} answers of {options.tree} in {options.out}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    first, second = read(options.first), read(options.second)
    found = list(differences(first, second, ignore_details=options.ignore_details))
    print("\n".join([*found, f"{len(first)} and {len(second)} answers, {len(found)} differ"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
