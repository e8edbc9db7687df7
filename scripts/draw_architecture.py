"""Draws docs/architecture.svg from what is checked: the layers in pyproject.toml and the packages' own docstrings.

``python scripts/draw_architecture.py`` writes the picture; with ``--check`` it fails if the picture is not current.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from html import escape
from pathlib import Path

from generated import keep_current

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"

WIDTH, ROW, GAP, LINE = 1040, 78, 10, 15
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2430 }
.name { font-weight: 600; font-size: 14px }
rect { fill: #eef1fb; stroke: #5566b8 }
.aside { fill: #5a6172; font-style: italic }
@media (prefers-color-scheme: dark) {
  text { fill: #e8eaf2 } rect { fill: #262c44; stroke: #8fa0ee } .aside { fill: #aab2c8 }
}
"""


def main() -> int:
    """Write or check the picture."""
    return keep_current(PICTURE, draw(layers()))


def layers() -> list[list[str]]:
    """Names of the packages, layer by layer from top to bottom."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    rows: list[str] = next(c for c in contracts if c.get("containers") == ["ferserve"])["layers"]
    return [[name.strip() for name in row.replace(":", "|").split("|")] for row in rows]


def summary(name: str) -> str:
    """First sentence of a package's or module's docstring."""
    module = ROOT / "ferserve" / name / "__init__.py"
    if not module.exists():
        module = ROOT / "ferserve" / f"{name}.py"
    text = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return text.split("\n\n", 1)[0].replace("\n", " ").replace("``", "")


def draw(rows: list[list[str]]) -> str:
    """The picture as SVG: one row of boxes per layer; who is above may import who is below."""
    height = len(rows) * (ROW + GAP) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Layers of ferserve; upper ones may import lower ones">',
        f"<style>{STYLE}</style>",
    ]
    for number, row in enumerate(rows):
        parts += _row(row, GAP + number * (ROW + GAP))
    note = "Upper layers may import lower ones; boxes of one row never import each other. `make lint` checks it."
    parts.append(f'<text class="aside" x="{GAP}" y="{height - 12}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _row(names: list[str], top: int) -> list[str]:
    width = (WIDTH - GAP * (len(names) + 1)) / len(names)
    parts = []
    for column, name in enumerate(names):
        left = GAP + column * (width + GAP)
        parts.append(f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{ROW}" rx="6"/>')
        parts.append(f'<text class="name" x="{left + 10:.0f}" y="{top + 20}">{escape(name)}</text>')
        lines = textwrap.wrap(summary(name), int((width - 20) / 6.2), max_lines=3, placeholder=" …")
        for i, line in enumerate(lines):
            parts.append(f'<text x="{left + 10:.0f}" y="{top + 38 + i * LINE}">{escape(line)}</text>')
    return parts


if __name__ == "__main__":
    sys.exit(main())
