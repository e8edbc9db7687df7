"""A real Mosquitto with a user and a password, which tests stop and start again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

USER, PASSWORD = "robot", "pa:ss/w@rd"
QUOTED = "robot:pa%3Ass%2Fw%40rd"


class Broker:
    """On after it is made, with one listener, or one more for TLS. A context manager."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin")
        if program is None:
            pytest.skip("no mosquitto here; apt install mosquitto")
        self._program = program
        passwords = folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), USER, PASSWORD], check=True)
        self.port, self.tls_port = _free_port(), _free_port()
        lines = [
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"listener {self.port} 127.0.0.1",
        ]
        if certificate is not None:
            lines += [f"listener {self.tls_port} 127.0.0.1", f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self.start()

    def start(self) -> None:
        """Switch it on, and wait until it listens."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:  # noqa: PERF203
                time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def stop(self) -> None:
        """Switch it off."""
        self._process.terminate()
        self._process.wait(20)

    def url(self, topic: str) -> str:
        """The address of ``topic`` with user and password."""
        return f"mqtt://{QUOTED}@127.0.0.1:{self.port}/{topic}"

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Subscriber:
    """Hears all topics below one. A context manager.

    The broker keeps what comes while one with a ``name`` is away, for the next one of that name.
    """

    def __init__(self, broker: Broker, topic: str, name: str = "") -> None:
        self.messages: Queue[tuple[str, str, bool]] = Queue()
        self._ready: Queue[bool] = Queue()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=not name)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topic}/#", 1)
        self._client.on_subscribe = lambda *_: self._ready.put(True)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._ready.get(timeout=20)

    def _on_message(self, _client: Client, _data: Any, message: Any) -> None:
        self.messages.put((message.topic, message.payload.decode(), message.retain))

    def until(self, topic: str, payload: str | None = None) -> str:
        """The next payload of ``topic``, or the next one that is ``payload``."""
        while True:
            heard = self.messages.get(timeout=20)
            if heard[0] == topic and payload in (None, heard[1]):
                return heard[1]

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
