"""Units and manifests: their schemas, and the settings and metrics that they name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ferserve.config_sources import load_config
from ferserve.server.telemetry import catalogue

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/ferserve.service"


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    return list(yaml.safe_load_all((ROOT / "deploy/kubernetes/servers/ferserve.yaml").read_text()))


def _of(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def test_manifests_match_the_schemas_of_kubernetes(manifests: list[dict[str, Any]]) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate, of the extra test")
    for manifest in manifests:
        validator.validate(manifest, "1.30", strict=True)
    broken = {**_of(manifests, "Deployment"), "spec": {"replica": 2}}
    with pytest.raises(validator.ValidationError):
        validator.validate(broken, "1.30", strict=True)


def test_the_pod_is_configured_with_settings_that_exist(manifests: list[dict[str, Any]]) -> None:
    pod = _of(manifests, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    config = load_config(env={each["name"]: each["value"] for each in container["env"]})
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert config.server.token_file.startswith(mounts["tokens"])
    assert config.server.tls_cert.startswith(mounts["tls"])
    assert {volume["secret"]["defaultMode"] for volume in pod["volumes"]} == {0o440}
    assert pod["terminationGracePeriodSeconds"] > config.server.grace_s + 1


def test_probes_and_services_use_the_ports_of_the_image(manifests: list[dict[str, Any]]) -> None:
    env = dict(re.findall(r"^ENV (FERSERVE_SERVER_\w+_PORT)=(\d+)$", (ROOT / "Dockerfile").read_text(), re.M))
    config = load_config(env=env).server
    (container,) = _of(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": config.port, "health": config.health_port, "metrics": config.metrics_port}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"]["port"] == ports["health"]


def test_the_autoscaler_follows_a_metric_that_exists(manifests: list[dict[str, Any]]) -> None:
    (metric,) = _of(manifests, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in {family.name for family in catalogue.FAMILIES}


def test_everything_selects_the_pods_of_the_deployment(manifests: list[dict[str, Any]]) -> None:
    labels = _of(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert _of(manifests, "Service")["spec"]["selector"] == labels
    for kind, field in (
        ("Deployment", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert _of(manifests, kind)["spec"][field]["matchLabels"] == labels


def test_the_unit_is_sound(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    program = tmp_path / "ferserve"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / "ferserve.service"
    copy.write_text(UNIT.read_text().replace("/opt/ferserve/bin/ferserve", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "ferserve.service" in line]
    assert (done.returncode, ours) == (0, [])
    copy.write_text(copy.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))
    wrong = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert "NoNewPrivilege" in wrong.stderr
