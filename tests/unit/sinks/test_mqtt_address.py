"""Addresses of topics: what they may say, and that no error shows a password."""

from __future__ import annotations

import pytest

from ferserve.errors import ConfigError
from ferserve.sinks.mqtt_address import PASSWORD, USERNAME, MqttAddress


def test_everything_that_an_address_says() -> None:
    address = MqttAddress.parse("mqtts://me:p%40ss@broker.local:99/a/b%20c/?qos=2&retain=1&queue=7&client_id=x", {})
    assert address == MqttAddress("broker.local", 99, "a/b c", True, "me", "p@ss", 2, True, 7, "", "x")
    assert str(address) == "mqtts://broker.local:99/a/b c"


def test_ports_and_names_that_it_leaves_out() -> None:
    environment = {USERNAME: "me", PASSWORD: "secret"}
    plain = MqttAddress.parse("mqtt://broker/t", environment)
    assert (plain.port, plain.username, plain.password, plain.qos, plain.retain) == (1883, "me", "secret", 0, False)
    assert MqttAddress.parse("mqtts://[::1]/t", {}).port == 8883
    assert MqttAddress.parse("mqtt://you:own@broker/t", environment).password == "own"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://broker/t", "--mqtt must be mqtt://HOST"),
        ("broker/t", "--mqtt must be mqtt://HOST"),
        ("mqtt:///t", "--mqtt must be mqtt://HOST"),
        ("mqtt://u:secret@broker:port/t", "--mqtt must be mqtt://HOST"),
        ("mqtt://u:secret@broker", "topic of --mqtt must be a name"),
        ("mqtt://u:secret@broker/a/%23", "topic of --mqtt must be a name"),
        ("mqtt://u:secret@broker/+/a", "topic of --mqtt must be a name"),
        ("mqtt://u:secret@broker/a?qos=3", "qos of --mqtt must be a number from 0 to 2, got '3'"),
        ("mqtt://u:secret@broker/a?queue=0", "queue of --mqtt must be a number from 1"),
        ("mqtt://u:secret@broker/a?retain=maybe", "retain of --mqtt must be true or false"),
        ("mqtt://u:secret@broker/a?colour=red", "settings of --mqtt must be among qos, "),
    ],
)
def test_addresses_that_are_wrong(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        MqttAddress.parse(text, {})
    assert words in str(error.value)
    assert "secret" not in str(error.value)
