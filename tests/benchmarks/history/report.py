"""Makes the page and the pictures of the history.

    python -m tests.benchmarks.history.report [--check]

``--check`` writes nothing and gives exit code 1 if the page is not what the history makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.history.lines import FOLDER, read_history
from tests.benchmarks.history.page import page
from tests.benchmarks.trees import ROOT

PAGE = ROOT / "docs" / "measurements" / "history.html"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.history.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the page with the history, and write nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the lines are")
    parser.add_argument("--page", type=Path, default=PAGE, help="what to write; pictures come beside it")
    options = parser.parse_args()
    try:
        history = read_history(options.folder)
        for reason in history.refused:
            print(reason, file=sys.stderr)
        text = page(history)
        if options.check:
            return _check(options.page, text)
        from tests.benchmarks.history.pictures import write_pictures

        options.page.write_text(text, "utf-8")
        for path in (options.page, *write_pictures(history, options.page.parent, options.page.stem)):
            print(path)
    except OSError as error:
        print(f"cannot write the report: {error}", file=sys.stderr)
        return 2
    return 0


def _check(path: Path, text: str) -> int:
    if path.is_file() and path.read_text("utf-8") == text:
        return 0
    print(f"{path} must be what the history makes, got another text; run make bench-report and commit", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
