"""The metrics of a server at one moment, and what happened between two."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from ferserve.errors import ServerUnavailableError

_TIMEOUT_S = 5.0
_MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Scrape:
    """Series by name and labels, and when they were read, monotonic s."""

    series: Mapping[str, list[tuple[dict[str, str], float]]]
    time_s: float = field(default_factory=time.monotonic)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of this name with these labels; 0 if the server has none."""
        return sum(value for _, value in self.matching(name, labels))

    def matching(self, name: str, labels: Mapping[str, str]) -> Iterable[tuple[dict[str, str], float]]:
        """The series of this name with these labels."""
        return ((known, value) for known, value in self.series.get(name, ()) if labels.items() <= known.items())

    def values_of(self, name: str, label: str) -> list[str]:
        """The values that a label has."""
        return list(dict.fromkeys(known[label] for known, _ in self.series.get(name, ()) if label in known))


def read_metrics(target: str) -> Scrape:
    """Ask ``HOST:PORT``; raises :class:`ServerUnavailableError`."""
    try:
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=_TIMEOUT_S) as answer:
            text = answer.read(_MAX_BYTES).decode()
        series: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
    except http.client.BadStatusLine:
        raise ServerUnavailableError(
            f"target must be the metrics port of a server, got {target}, where nobody speaks HTTP; "
            "its gRPC port is another one"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise ServerUnavailableError(
            f"target must be the metrics port of a server, got {target}: {reason}; start it with server.metrics_port"
        ) from None
    if "ferserve_build_info" not in series:
        raise ServerUnavailableError(f"target must be the metrics port of a ferserve server, got {target} of another")
    return Scrape(series)


@dataclass(frozen=True)
class Interval:
    """Two scrapes of one server, one after the other."""

    before: Scrape
    after: Scrape

    @property
    def seconds(self) -> float:
        """Time between them."""
        return max(self.after.time_s - self.before.time_s, 1e-9)

    def growth(self, name: str, **labels: str) -> float:
        """How much a counter has grown; if it fell, the server was started again meanwhile and counts from zero."""
        now, then = self.after.total(name, **labels), self.before.total(name, **labels)
        return now - then if now >= then else now

    def rate(self, name: str, **labels: str) -> float:
        """Growth per second."""
        return self.growth(name, **labels) / self.seconds

    def quantile(self, name: str, share: float, **labels: str) -> float | None:
        """The value below which ``share`` of the observations lie, in the unit of the histogram; None without any.

        Linear within a bucket, as Prometheus does it; beyond the last bound it is that bound.
        """
        bounds = sorted(self.after.values_of(f"{name}_bucket", "le"), key=float)
        counts = [self.growth(f"{name}_bucket", le=bound, **labels) for bound in bounds]
        if not counts or not counts[-1]:
            return None
        wanted, below, lower = share * counts[-1], 0.0, 0.0
        for bound, count in zip(bounds, counts, strict=True):
            if count >= wanted and count > below:
                upper = float(bound)
                return lower if upper == float("inf") else lower + (upper - lower) * (wanted - below) / (count - below)
            below, lower = count, float(bound)
        return lower
