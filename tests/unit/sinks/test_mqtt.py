"""Results at a real broker: retained states, the last will, outages, TLS and refusals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from ferserve.errors import ConfigError
from ferserve.sinks import mqtt
from ferserve.sinks.mqtt import MqttSink
from ferserve.sinks.mqtt_address import MqttAddress
from ferserve.sinks.sink import SinkError
from ferserve.sources.status import SourceState, SourceStatus
from ferserve.types import FrameResult
from tests.serving.broker import QUOTED, Broker, Subscriber
from tests.serving.camera_process import CameraProcess
from tests.serving.commands import FERSERVE
from tests.tiny_models import write_brightness_model


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Iterator[Broker]:
    server = authority / "server.pem"
    with Broker(tmp_path_factory.mktemp("broker"), (server, server)) as broker:
        yield broker


def _sink(url: str) -> MqttSink:
    return MqttSink(MqttAddress.parse(url, {}))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_results_come_in_order_and_states_are_kept(broker: Broker, qos: int) -> None:
    topic = f"house/qos{qos}"
    with Subscriber(broker, topic) as heard, _sink(broker.url(topic) + f"?qos={qos}") as sink:
        assert heard.until(f"{topic}/status") == "online"
        sink.state("cam", SourceStatus("cam", SourceState.LOST, "reset"))
        for number in range(1, 201):
            sink.result("cam", FrameResult(number))
        lines = [json.loads(heard.until(topic)) for _ in range(200)]
        assert [line["frame_id"] for line in lines] == list(range(1, 201))
        assert {line["source"] for line in lines} == {"cam"}
        with Subscriber(broker, topic) as late:
            kept = {late.messages.get(timeout=20) for _ in range(2)}
    state = json.dumps({"source": "cam", "state": "lost", "reason": "reset"})
    assert kept == {(f"{topic}/status", "online", True), (f"{topic}/source", state, True)}
    with Subscriber(broker, topic) as late:
        assert late.until(f"{topic}/status") == "offline"


def test_results_are_retained_on_request_and_travel_by_tls(broker: Broker, authority: Path) -> None:
    url = f"mqtts://{QUOTED}@127.0.0.1:{broker.tls_port}/safe?retain=true&ca={authority / 'ca.pem'}&qos=1"
    with _sink(url) as sink:
        sink.result("cam", FrameResult(7))
    with Subscriber(broker, "safe") as late:
        assert json.loads(late.until("safe"))["frame_id"] == 7


def test_a_broker_that_was_away_gets_what_the_queue_holds_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "CLOSE_S", 20.0)
    with Broker(tmp_path) as broker:
        sink = _sink(broker.url("cam") + "?qos=1&queue=5")
        with Subscriber(broker, "cam", "kept") as heard:
            sink.result("cam", FrameResult(1))
            heard.until("cam")
        broker.stop()
        while sink.is_online:
            pass
        for number in range(2, 22):
            sink.result("cam", FrameResult(number))
        broker.start()
        with Subscriber(broker, "cam", "kept") as heard:
            numbers = [json.loads(heard.until("cam"))["frame_id"]]
            while numbers[-1] < 21:
                numbers.append(json.loads(heard.until("cam"))["frame_id"])
        assert numbers[-5:] == [17, 18, 19, 20, 21]
        assert set(numbers[:-5]) <= {1}, "what was not confirmed comes again"
        assert sink.dropped == 15
        with pytest.raises(SinkError, match="15 results were lost"):
            sink.close()


def test_a_command_that_is_killed_leaves_a_last_will(broker: Broker, tmp_path: Path) -> None:
    write_brightness_model(tmp_path / "brightness.onnx")
    model = ["--model", str(tmp_path / "brightness.onnx")]
    with CameraProcess("http") as camera, Subscriber(broker, "killed") as heard:
        command = [*FERSERVE, "stream", camera.url, "--mqtt", broker.url("killed"), *model]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            assert json.loads(heard.until("killed/source"))["state"] == "connecting"
            assert json.loads(heard.until("killed"))["source"] == camera.url
            process.kill()
        assert heard.until("killed/status", "offline")


def test_a_broker_that_refuses_or_is_absent_is_an_error_with_the_way_out(broker: Broker) -> None:
    with pytest.raises(ConfigError, match=r"Not authorized; user and password go into the address or FERSERVE_MQTT_US"):
        _sink(f"mqtt://robot:wrong@127.0.0.1:{broker.port}/cam")
    with pytest.raises(ConfigError, match=r"cannot connect to mqtt://127.0.0.1:9/cam: Connection refused; check"):
        _sink("mqtt://u:secret@127.0.0.1:9/cam")
    with pytest.raises(ConfigError, match=r"ca of --mqtt must be a PEM file, got '/nowhere.pem'"):
        _sink(f"mqtts://127.0.0.1:{broker.tls_port}/cam?ca=/nowhere.pem")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves its socket open
def test_a_broker_that_nobody_vouches_for_is_refused(broker: Broker) -> None:
    with pytest.raises(ConfigError, match=r"cannot connect to mqtts.*certificate verify failed"):
        _sink(f"mqtts://127.0.0.1:{broker.tls_port}/cam")
