"""Containers whose file system is read-only."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ferserve import Client
from tests import builders
from tests.serving.process import ServerProcess, serve_command

_READ_ONLY = """
mount --make-rprivate / || exit 77
cut -d' ' -f2 /proc/self/mounts | while read -r folder; do mount -o remount,ro,bind "$folder"; done 2>/dev/null
for folder in /tmp /var/tmp /dev/shm .; do
    if touch "$folder/ferserve-writable" 2>/dev/null; then rm "$folder/ferserve-writable"; exit 77; fi
done
exec "$@"
"""


def _read_only(command: list[str]) -> list[str]:
    """``command`` in its own mount namespace, in which everything is read-only."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare of util-linux")
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", _READ_ONLY, "sh"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make user namespaces")
    return [*inside, *command]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_read_only_file_system_is_enough(workers: int, model_dir: Path) -> None:
    command = _read_only([*serve_command(model_dir), "--workers", str(workers)])
    with ServerProcess(command) as server:
        with Client(server.address) as client:
            assert client.classify(builders.jpeg(builders.astronaut())).faces
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert server.rest() == ("", "")
