"""Envoy Gateway's manifests: what they say beside ``envoy.yaml``, the protocols, and the Service."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ferserve.inference import service_pb2
from ferserve.v1 import emotion_pb2
from ferserve.wire.metadata import STREAM_KEY

ROOT = Path(__file__).parents[2]
GATEWAY = ROOT / "deploy/kubernetes/gateway"
ADMIN = {"RepositoryModelLoad", "RepositoryModelUnload"}


def _read(path: Path) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    return list(yaml.safe_load_all(path.read_text()))


@pytest.fixture(scope="module")
def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in _read(GATEWAY / "gateway.yaml")}


def _methods(route: dict[str, Any]) -> set[tuple[str, str]]:
    matches = [match["method"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    return {(match["service"], match["method"]) for match in matches}


def test_every_method_of_callers_has_a_route_and_no_method_of_administrators(manifests: dict[Any, Any]) -> None:
    streams, calls = (_methods(manifests["GRPCRoute", f"ferserve-{name}"]) for name in ("streams", "calls"))
    assert not streams & calls
    emotion = emotion_pb2.DESCRIPTOR.services_by_name["EmotionService"]
    for method in emotion.methods:
        where = streams if method.server_streaming else calls
        assert (emotion.full_name, method.name) in where
    inference = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    known = {(inference.full_name, method.name) for method in inference.methods if method.name not in ADMIN}
    known |= {(emotion.full_name, method.name) for method in emotion.methods}
    assert {each for each in streams | calls if not each[0].startswith("grpc.health")} <= known


def test_routes_lead_to_the_service(manifests: dict[Any, Any]) -> None:
    (service,) = (each for each in _read(ROOT / "deploy/kubernetes/servers/ferserve.yaml") if each["kind"] == "Service")
    for name in ("ferserve-streams", "ferserve-calls"):
        route = manifests["GRPCRoute", name]["spec"]
        assert route["parentRefs"] == [{"name": manifests["Gateway", "ferserve"]["metadata"]["name"]}]
        for rule in route["rules"]:
            (backend,) = rule["backendRefs"]
            assert backend["name"] == service["metadata"]["name"]
            assert backend["port"] in {port["port"] for port in service["spec"]["ports"]}
        (target,) = manifests["BackendTrafficPolicy", name]["spec"]["targetRefs"]
        assert (target["kind"], target["name"]) == ("GRPCRoute", name)


def test_policies_say_what_envoy_is_told_without_kubernetes(manifests: dict[Any, Any]) -> None:
    (envoy,) = _read(ROOT / "deploy/envoy/envoy.yaml")
    clusters = {each["name"]: each for each in envoy["static_resources"]["clusters"]}
    for name, cluster in clusters.items():
        policy = manifests["BackendTrafficPolicy", f"ferserve-{name}"]["spec"]
        (asked,) = cluster["health_checks"]
        active = policy["healthCheck"]["active"]
        assert (active["type"], active["grpc"]) == ("GRPC", asked["grpc_health_check"])
        assert [active["timeout"], active["interval"]] == [asked["timeout"], asked["interval"]]
        assert active["unhealthyThreshold"] == asked["unhealthy_threshold"]
        assert (
            policy["healthCheck"]["panicThreshold"] == cluster["common_lb_config"]["healthy_panic_threshold"]["value"]
        )
        ejecting, outliers = policy["healthCheck"]["passive"], cluster["outlier_detection"]
        assert ejecting["consecutiveLocalOriginFailures"] == outliers["consecutive_local_origin_failure"]
        assert ejecting["consecutive5XxErrors"] == outliers["enforcing_consecutive_5xx"] == 0
    streams = manifests["BackendTrafficPolicy", "ferserve-streams"]["spec"]
    assert streams["loadBalancer"]["consistentHash"] == {"type": "Header", "header": {"name": STREAM_KEY}}
    assert set(streams["timeout"]["http"].values()) == {"0s"}
    assert STREAM_KEY in (ROOT / "deploy/haproxy/haproxy.cfg").read_text()


def test_kustomize_puts_them_together() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl")
    done = subprocess.run(["kubectl", "kustomize", str(GATEWAY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for kind in ("Deployment", "Service", "GRPCRoute", "BackendTrafficPolicy", "BackendTLSPolicy"):
        assert f"kind: {kind}\n" in done.stdout
