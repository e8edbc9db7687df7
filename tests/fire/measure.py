"""An attack beside a healthy camera, measured: answers, latency, memory, loop lag, and the way out."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fire.attack import Attack, Burning
from tests.fire.camera import CameraProcess, Window, percentile
from tests.fire.server import FireServer

QUIET_S = 6.0
ATTACK_S = 12.0
SECOND_ATTACK_S = 2.0
RECOVERY_S = 15.0
GRACE_S = 5.0
"""``server.grace_s`` by default."""

MIN_ANSWERED = 0.95
MAX_P99_RATIO = 3.0
MAX_PEAK_MB = 600.0
MAX_AFTER_RATIO = 1.10
MAX_EXIT_S = GRACE_S + 1.0


@dataclass(frozen=True)
class Report:
    """The figures of one attack; memory in MB of 10^6 bytes, times in ms unless the name says s."""

    name: str
    answered: float
    quiet_p99_ms: float
    p99_ms: float
    lag_p99_ms: float
    """Of health checks during the attack."""
    before_mb: float
    peak_mb: float
    after_mb: float
    exit_s: float
    """From SIGTERM, sent under a second attack, to the end of the process."""
    log_kb: float
    """Written to the log during the attack."""
    error: str
    """What ended the camera's stream, if anything did."""

    def failures(self) -> list[str]:
        """The bars that were not reached."""
        limits = {
            f"answered {self.answered:.1%} of the camera's frames, not {MIN_ANSWERED:.0%}": self.answered
            < MIN_ANSWERED,
            f"p99 {self.p99_ms:.0f} ms is over {MAX_P99_RATIO:g} x {self.quiet_p99_ms:.0f} ms": self.p99_ms
            > MAX_P99_RATIO * self.quiet_p99_ms,
            f"resident memory reached {self.peak_mb:.0f} MB, not at most {MAX_PEAK_MB:.0f}": self.peak_mb > MAX_PEAK_MB,
            f"resident memory stayed at {self.after_mb:.0f} MB after {self.before_mb:.0f} MB": self.after_mb
            > MAX_AFTER_RATIO * self.before_mb,
            f"gone {self.exit_s:.1f} s after SIGTERM, not within {MAX_EXIT_S:g} s": self.exit_s > MAX_EXIT_S,
            f"the camera's stream ended: {self.error}": bool(self.error),
        }
        return [text for text, missed in limits.items() if missed]

    def assert_bars(self) -> None:
        """Fail with every bar that was not reached."""
        assert not self.failures(), self.row()

    @staticmethod
    def header() -> str:
        return (
            "| attack | answered | p99, quiet -> attacked, ms | ratio | health check p99, ms "
            "| memory before, peak, after, MB | SIGTERM, s | log, KB | verdict |\n|---|---|---|---|---|---|---|---|---|"
        )

    def row(self) -> str:
        """A row of the table."""
        return (
            f"| {self.name} | {self.answered:.1%} | {self.quiet_p99_ms:.0f} -> {self.p99_ms:.0f} "
            f"| {self.p99_ms / self.quiet_p99_ms:.1f} | {self.lag_p99_ms:.0f} "
            f"| {self.before_mb:.0f}, {self.peak_mb:.0f}, {self.after_mb:.0f} "
            f"| {self.exit_s:.1f} | {self.log_kb:.0f} | {'; '.join(self.failures()) or 'ok'} |"
        )


def write_reports(reports: Sequence[Report], folder: Path) -> None:
    """Write the table to ``folder`` as ``fire.md``, and its figures with the missed bars as ``fire.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [dataclasses.asdict(report) | {"missed": report.failures()} for report in reports]
    (folder / "fire.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    (folder / "fire.md").write_text("\n".join([Report.header(), *(report.row() for report in reports)]) + "\n", "utf-8")


class UnderFire:
    """Measures attacks; see :meth:`__call__`."""

    def __init__(self, name: str, on_report: Callable[[Report], None]) -> None:
        self._name = name
        self._on_report = on_report

    def __call__(self, attack: Attack, *arguments: str, attack_s: float = ATTACK_S) -> Report:
        """The figures of an attack of ``attack_s`` on a new server with further ``arguments`` on its command line."""
        with FireServer(*arguments) as server:
            with CameraProcess(server.address) as camera:
                report = self._measure(attack, server, camera, attack_s)
            with Burning(attack, server.address, server.process.pid):
                time.sleep(SECOND_ATTACK_S)
                report = dataclasses.replace(report, exit_s=server.terminate(MAX_EXIT_S + 5))
        self._on_report(report)
        return report

    def _measure(self, attack: Attack, server: FireServer, camera: CameraProcess, attack_s: float) -> Report:
        time.sleep(1)  # the first frames find cold caches
        camera.mark()
        time.sleep(QUIET_S)
        quiet = camera.mark()
        before_mb, server.peak_mb, log_bytes = server.resident_mb(), 0.0, server.log_bytes()
        with Burning(attack, server.address, server.process.pid):
            time.sleep(attack_s)
            attacked = camera.mark()
        peak_mb, log_bytes = server.peak_mb, server.log_bytes() - log_bytes
        after_mb = _recovered_mb(server, before_mb)
        return _report(self._name, quiet, attacked, (before_mb, peak_mb, after_mb), log_bytes)


def _recovered_mb(server: FireServer, before_mb: float) -> float:
    """Resident memory once it is back, or after ``RECOVERY_S``."""
    deadline = time.monotonic() + RECOVERY_S
    while (now_mb := server.resident_mb()) > MAX_AFTER_RATIO * before_mb and time.monotonic() < deadline:
        time.sleep(0.1)
    return now_mb


def _report(
    name: str, quiet: Window, attacked: Window, memory_mb: tuple[float, float, float], log_bytes: int
) -> Report:
    before_mb, peak_mb, after_mb = memory_mb
    return Report(
        name=name,
        answered=attacked.answered,
        quiet_p99_ms=quiet.p99_ms(),
        p99_ms=attacked.p99_ms(),
        lag_p99_ms=percentile(attacked.lags_ms, 0.99),
        before_mb=before_mb,
        peak_mb=peak_mb,
        after_mb=after_mb,
        exit_s=float("nan"),
        log_kb=log_bytes / 1e3,
        error=attacked.error,
    )
