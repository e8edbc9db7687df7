"""Writes docs/metrics.md from the catalogue of metrics.

``python scripts/write_metrics.py`` writes the page; with ``--check`` it fails if the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from generated import keep_current

from ferserve.server.telemetry import catalogue
from ferserve.server.telemetry.families import Family
from ferserve.types import DropReason

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HEAD = """# Metrics

After this page you know what each metric of a server means. It is written from
`ferserve/server/telemetry/catalogue.py` by `python scripts/write_metrics.py`; [operating](operating.md) says how to
turn metrics on, and what to watch.

Counters go on when a worker is replaced, and start at zero with the server. Times are in seconds, but for Triton's. No
label has values that a client can choose.
"""

SECTIONS: dict[str, tuple[str, Iterable[Family], tuple[str, ...]]] = {
    "Frames, streams, threads, processes": (
        "Summed over all worker processes.",
        [family for family in catalogue.FAMILIES if family is not catalogue.STARTS],
        (),
    ),
    "Each worker": (
        "A server without workers is worker 0.", [family for _, family in catalogue.WORKERS], ("worker",)
    ),
    "Triton's names, by model": (
        "They mean what they mean in Triton, so that its dashboards show them. A request is a frame; times are sums in "
        f"microseconds. From the {catalogue.MAX_MODELS}nd model on all together are `other`.",
        catalogue.BY_MODEL,
        ("model", "version"),
    ),
    "Triton's names, by GPU": (
        "Of every GPU of the machine, whoever uses it, if NVML (extra `gpu`) or a Jetson's tegrastats can be asked. "
        "What a GPU does not tell is left out.",
        catalogue.BY_GPU,
        ("gpu_uuid",),
    ),
    "What runs": ("", catalogue.INFO, ()),
}  # fmt: skip
_REASONS = [reason.value for reason in DropReason]
_INFO_LABELS = {
    catalogue.BUILD: ("version", "python", "grpc", "onnxruntime"),
    catalogue.ENGINE: ("runs_on",),
    catalogue.MODEL: ("model", "version", "runs_on", "sha256"),
}


def write() -> str:
    """The page."""
    return "\n".join([HEAD, *(line for title, section in SECTIONS.items() for line in _section(title, *section))])


def _section(title: str, text: str, families: Iterable[Family], labels: tuple[str, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    if text:
        yield f"{text}\n"
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for family in families:
        yield f"| `{family.name}` | {family.kind} | {_labels(family, labels)} | {family.help}{_buckets(family)} |"
    yield ""


def _labels(family: Family, more: tuple[str, ...]) -> str:
    free = _INFO_LABELS.get(family, more)
    fixed = [f"`{name}`: {_values(family, at)}" for at, name in enumerate(family.labels)]
    return "; ".join([*fixed, *(f"`{name}`" for name in free)])


def _values(family: Family, at: int) -> str:
    """The kinds of errors stand elsewhere, and grow."""
    values = list(dict.fromkeys(values[at] for values in family.values))
    reasons = _REASONS if family is catalogue.FRAMES else []
    shown = [value or "(empty)" for value in values if value not in catalogue.KINDS or value in reasons]
    return ", ".join([*shown, "a [kind of error](protocol.md#errors)"] if set(values) & set(catalogue.KINDS) else shown)


def _buckets(family: Family) -> str:
    if not family.buckets:
        return ""
    unit, factor = (" ms", 1000) if family.name.endswith("_seconds") else ("", 1)
    return f" Buckets: {', '.join(f'{bound * factor:g}' for bound in family.buckets)}{unit}."


def main() -> int:
    """Write or check the page."""
    return keep_current(PAGE, write())


if __name__ == "__main__":
    sys.exit(main())
