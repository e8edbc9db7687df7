"""Addresses of topics at a broker: ``mqtt://USER:PASSWORD@HOST:PORT/TOPIC?qos=1&retain=true``."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from ferserve.errors import ConfigError
from ferserve.sources.locators import redacted

USERNAME, PASSWORD = "FERSERVE_MQTT_USERNAME", "FERSERVE_MQTT_PASSWORD"
"""Environment variables that count if the address names nobody."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_SETTINGS = ("qos", "retain", "queue", "ca", "client_id")
_MOST_QUEUED = 1_000_000
_WORDS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class MqttAddress:
    """Where results go, and how."""

    host: str
    port: int
    topic: str
    tls: bool = False
    username: str = ""
    password: str = ""
    qos: int = 0
    retain: bool = False
    queue: int = 1000
    """Messages that wait while the broker is away; the oldest are dropped."""
    ca: str = ""
    """PEM file of authorities to trust in place of the system's."""
    client_id: str = ""

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> MqttAddress:
        """The address that ``text`` is; raises :class:`ConfigError`, which shows no password."""
        shown = redacted(text)
        try:
            parts = urllib.parse.urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise _wrong(f"{shown!r}: {error}") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise _wrong(repr(shown))
        topic = urllib.parse.unquote(parts.path.strip("/"))
        if not topic or any(sign in topic for sign in "+#\0") or len(topic.encode()) > 65_000:
            raise ConfigError(f"topic of --mqtt must be a name without + and #, got {topic!r} in {shown!r}")
        settings = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        if unknown := sorted(settings.keys() - set(_SETTINGS)):
            raise ConfigError(f"settings of --mqtt must be among {', '.join(_SETTINGS)}, got {unknown[0]!r}")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            topic=topic,
            tls=parts.scheme == "mqtts",
            username=urllib.parse.unquote(parts.username or "") or environment.get(USERNAME, ""),
            password=urllib.parse.unquote(parts.password or "") or environment.get(PASSWORD, ""),
            qos=_number("qos", settings.get("qos", "0"), 0, 2),
            retain=_truth("retain", settings.get("retain", "false")),
            queue=_number("queue", settings.get("queue", "1000"), 1, _MOST_QUEUED),
            ca=settings.get("ca", ""),
            client_id=settings.get("client_id", ""),
        )

    def __str__(self) -> str:
        return f"mqtt{'s' * self.tls}://{self.host}:{self.port}/{self.topic}"


def _wrong(got: str) -> ConfigError:
    return ConfigError(f"--mqtt must be mqtt://HOST[:PORT]/TOPIC or mqtts://HOST[:PORT]/TOPIC, got {got}")


def _number(name: str, text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ConfigError(f"{name} of --mqtt must be a number from {least} to {most}, got {text!r}")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ConfigError(f"{name} of --mqtt must be true or false, got {text!r}")
    return _WORDS[text.lower()]
