"""What a server says to whoever starts it."""

from __future__ import annotations

import logging

import pytest

from ferserve.config import ServerConfig
from ferserve.server.announcements import warn_of_plain_text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "2001:db8::1", "camera.local"])
def test_plain_text_on_a_network_is_warned_of_in_one_line(host: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_plain_text(ServerConfig(host=host))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"serving plain text on {host}: " in record.getMessage()
    assert "set server.tls_cert" in record.getMessage()


@pytest.mark.parametrize(
    "config",
    [
        ServerConfig(),
        ServerConfig(host="::1"),
        ServerConfig(host="127.8.9.1"),
        ServerConfig(host="localhost"),
        ServerConfig(host="0.0.0.0", tls_cert="cert.pem", tls_key="key.pem"),
        ServerConfig(host="0.0.0.0", uds="/run/s"),
    ],
    ids=str,
)
def test_what_stays_on_the_machine_or_is_encrypted_is_not(
    config: ServerConfig, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_plain_text(config)
    assert not caplog.records
