"""The dashboard and the alerts ask for metrics that exist, with labels that they have, in queries that parse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferserve.server.telemetry import catalogue
from ferserve.server.telemetry.families import Family

promql = pytest.importorskip("promql_parser", reason="needs promql-parser, of the extra test")
yaml = pytest.importorskip("yaml", reason="needs PyYAML")

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana/ferserve.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())
RULES = ALERTS["groups"][0]["rules"]

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds to each series."""


def _labels() -> dict[str, set[str]]:
    """Labels by sample name."""
    labels = {"up": SCRAPED.copy()}
    families = [*catalogue.FAMILIES, *catalogue.BY_MODEL, *catalogue.INFO, *(family for _, family in catalogue.WORKERS)]
    for family in families:
        own = SCRAPED | set(family.labels) | _more_labels(family)
        for suffix in ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",):
            labels[family.name + suffix] = own | ({"le"} if suffix == "_bucket" else set())
    return labels


def _more_labels(family: Family) -> set[str]:
    """Those whose values are known at run time only; tests/server/test_scrape.py sees them."""
    if family in catalogue.BY_MODEL:
        return {"model", "version"}
    if family is catalogue.MODEL:
        return {"model", "version", "runs_on", "sha256"}
    if family is catalogue.BUILD:
        return {"version", "python", "grpc", "onnxruntime"}
    return {"worker"} if family in [worker for _, worker in catalogue.WORKERS] else set()


LABELS = _labels()
VALUES = {
    (family.name, label): {values[at] for values in family.values}
    for family in catalogue.FAMILIES
    for at, label in enumerate(family.labels)
}


def _parts(expression: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (part := getattr(expression, name, None)) is not None:
            yield from _parts(part)
    for part in getattr(expression, "args", None) or ():
        yield from _parts(part)


def check_query(text: str) -> None:
    """Fails if a query does not parse, or asks for something that no server has."""
    query = promql.parse(
        text.replace("$__rate_interval", "5m").replace('"$job"', '".*"').replace('"$instance"', '".*"')
    )
    selectors = [part for part in _parts(query) if isinstance(part, promql.VectorSelector)]
    assert selectors, text
    for selector in selectors:
        assert selector.name in LABELS, text
        for matcher in selector.matchers.matchers:
            assert matcher.name in LABELS[selector.name], text
            known = VALUES.get((selector.name, matcher.name))
            assert known is None or any(re.fullmatch(matcher.value, value) for value in known), text
    grouped = {
        label for part in _parts(query) for label in getattr(getattr(part, "modifier", None), "labels", None) or ()
    }
    assert grouped <= set().union(*(LABELS[selector.name] for selector in selectors)), text


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_every_panel_shows_metrics_that_exist(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        check_query(target["expr"])
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert all(re.search(rf"by \([^)]*\b{label}\b", target["expr"]) for label in shown), target


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_metrics_that_exist(rule: dict[str, Any]) -> None:
    check_query(rule["expr"])
    assert {"summary", "description"} == rule["annotations"].keys()


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(ferserve_stream_open)",
        "rate(ferserve_frames_total[5m]",
        'ferserve_frames_total{outcome="lost"}',
        'ferserve_frames_total{worker="0"}',
        "sum by (stage) (ferserve_streams_open)",
    ],
)
def test_a_wrong_query_would_be_noticed(wrong: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_query(wrong)


def test_every_metric_that_alerts_a_person_is_on_the_dashboard_or_in_an_alert() -> None:
    asked = json.dumps(DASHBOARD) + json.dumps(ALERTS)
    ours = [family.name for family in catalogue.FAMILIES if family.name.startswith("ferserve_")]
    left_out = {"ferserve_frames_degraded_total", "ferserve_worker_starts_total"}
    assert [name for name in ours if name not in asked and name not in left_out] == []


def test_panels_have_ids_and_places_of_their_own() -> None:
    """What Grafana needs to show them: a unique id, a type, a data source, and room that no other takes."""
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval"} == set(names)


def test_grafanas_own_types_know_every_field() -> None:
    """Read and written again by the classes that Grafana makes from its schema, nothing is lost."""
    module = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="needs grafana-foundation-sdk")
    encoder = pytest.importorskip("grafana_foundation_sdk.cog.encoder")
    again = json.loads(encoder.JSONEncoder().encode(module.Dashboard.from_json(DASHBOARD)))
    assert _lost(DASHBOARD, again) == []


def _lost(before: Any, after: Any, path: str = "") -> list[str]:
    """Paths of fields that are gone."""
    if isinstance(before, dict):
        missing = [f"{path}.{key}" for key in before if key not in after]
        return missing + [
            lost for key in before if key in after for lost in _lost(before[key], after[key], f"{path}.{key}")
        ]
    if isinstance(before, list):
        pairs = zip(before, after, strict=True)
        return [lost for number, (old, new) in enumerate(pairs) for lost in _lost(old, new, f"{path}[{number}]")]
    return [] if before == after else [path]


def test_promtool_accepts_the_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of Debian's package prometheus")
    command = [promtool, "check", "rules", str(DEPLOY / "prometheus/alerts.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(RULES)} rules found" in done.stdout
