"""What ``ferserve top`` shows of an interval."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ferserve.cli.scrape import Interval

_STAGES = ("queue", "decode", "detect", "preprocess", "infer")
_MB = 1e6


def view_of(target: str, interval: Interval) -> Group:
    """Head, rates, stages and workers."""
    return Group(
        _head(target, interval), Text(), _frames(interval), Text(), _stages(interval), Text(), _workers(interval)
    )


def _head(target: str, interval: Interval) -> RenderableType:
    now = interval.after
    (build, _), *_ = now.matching("ferserve_build_info", {})
    runs_on = "; ".join(labels.get("runs_on", "") for labels, _ in now.matching("ferserve_engine_info", {}))
    lines = Text()
    lines.append(f"ferserve {build.get('version', '')}", style="bold")
    lines.append(f" at {target}: {runs_on or 'starting'}\n")
    lines.append(
        f"{now.total('ferserve_streams_open'):.0f} streams open, "
        f"{now.total('ferserve_streams_resumable'):.0f} resumable, {now.total('ferserve_tracks'):.0f} faces tracked; "
        f"{now.total('ferserve_queue_frames'):.0f} frames wait ({now.total('ferserve_queue_bytes') / _MB:.1f} MB); "
        f"{now.total('ferserve_threads_busy'):.0f} of {now.total('ferserve_threads'):.0f} threads busy; "
        f"{100 * interval.rate('process_cpu_seconds_total'):.0f} % CPU, "
        f"{now.total('process_resident_memory_bytes') / _MB:.0f} MB"
    )
    if now.total("ferserve_workers_stalled"):
        lines.append("\nworkers make no progress", style="bold red")
    return lines


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _frames(interval: Interval) -> RenderableType:
    """Outcomes that happened, and those that people look for."""
    table = _table("frames", "per s", "in all")
    name = "ferserve_frames_total"
    for labels, total in interval.after.series.get(name, ()):
        if total or labels["outcome"] == "answered":
            title = f"{labels['outcome']} {labels['reason']}".strip()
            table.add_row(title, f"{interval.rate(name, **labels):.1f}", f"{total:.0f}")
    for labels, total in interval.after.series.get("ferserve_calls_refused_total", ()):
        if total:
            rate = interval.rate("ferserve_calls_refused_total", **labels)
            table.add_row(f"refused call, {labels['kind']}", f"{rate:.1f}", f"{total:.0f}")
    return table


def _stages(interval: Interval) -> RenderableType:
    table = _table("ms per answered frame", "mean", "p50", "p99")
    for stage in _STAGES:
        _add_times(table, interval, stage, "ferserve_stage_duration_seconds", stage=stage)
    _add_times(table, interval, "in all", "ferserve_frame_duration_seconds")
    _add_times(table, interval, "lag of the event loop", "ferserve_loop_lag_seconds")
    return table


def _add_times(table: Table, interval: Interval, title: str, name: str, **labels: str) -> None:
    count = interval.growth(f"{name}_count", **labels)
    mean = interval.growth(f"{name}_sum", **labels) / count if count else None
    half, most = (interval.quantile(name, share, **labels) for share in (0.5, 0.99))
    table.add_row(title, *(("-" if value is None else f"{value * 1000:.2f}") for value in (mean, half, most)))


def _workers(interval: Interval) -> RenderableType:
    table = _table("worker", "state", "streams", "busy threads", "CPU %", "MB", "starts")
    now = interval.after
    for worker in now.values_of("ferserve_worker_up", "worker"):
        table.add_row(
            worker,
            "up" if now.total("ferserve_worker_up", worker=worker) else "down",
            f"{now.total('ferserve_worker_streams_open', worker=worker):.0f}",
            f"{now.total('ferserve_worker_threads_busy', worker=worker):.0f}",
            f"{100 * interval.rate('ferserve_worker_cpu_seconds_total', worker=worker):.0f}",
            f"{now.total('ferserve_worker_resident_memory_bytes', worker=worker) / _MB:.0f}",
            f"{now.total('ferserve_worker_starts_total', worker=worker):.0f}",
        )
    return table
