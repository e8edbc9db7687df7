"""Results as messages to an MQTT broker.

Topics: ``TOPIC`` has the JSON of each result, ``TOPIC/status`` ``online`` or ``offline``, ``TOPIC/source`` the state of
a live source as JSON. The last two are retained, so that somebody who comes later knows them.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from ferserve.errors import ConfigError, explained_imports
from ferserve.rendering.json import json_line
from ferserve.sinks.mqtt_address import PASSWORD, USERNAME, MqttAddress
from ferserve.sinks.outbox import Outbox
from ferserve.sinks.sink import Sink, SinkError
from ferserve.sources.status import SourceStatus
from ferserve.types import FrameResult

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONNECT_S = 10.0
CLOSE_S = 5.0
_FIRST_DELAY_S, _LONGEST_DELAY_S = 1, 30
_KEEPALIVE_S = 30


class MqttSink(Sink):
    """Publishes results, through outages of the broker; what does not fit into the queue is dropped and counted."""

    def __init__(self, address: MqttAddress) -> None:
        """Connect; raises :class:`ConfigError` if the broker cannot be reached or refuses."""
        self._address = address
        self._answered = threading.Event()
        self._refusal = ""
        self._sources: dict[str, str] = {}
        self._outbox = Outbox(address.queue, self._publish)
        try:
            self._client = self._made_client()
            self._connect()
        except BaseException:
            self._outbox.close(0)
            raise

    @property
    def is_online(self) -> bool:
        """Whether the broker is there."""
        return bool(self._client.is_connected())

    @property
    def dropped(self) -> int:
        """Messages that were lost."""
        return self._outbox.dropped

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`."""
        self._outbox.put(json_line(result, source))

    def state(self, source: str, status: SourceStatus) -> None:
        """See :class:`Sink`."""
        state = {"source": status.source, "state": status.state.value, "reason": status.reason}
        self._sources[source] = json.dumps(state)
        self._client.publish(f"{self._address.topic}/source", self._sources[source], max(self._address.qos, 1), True)

    def close(self) -> None:
        """Send what waits, for a few seconds at most; raises :class:`SinkError` if messages were lost."""
        lost = self._outbox.close(CLOSE_S)
        if self._client.is_connected():
            self._client.publish(f"{self._address.topic}/status", "offline", 1, True).wait_for_publish(CLOSE_S)
        self._client.disconnect()
        self._client.loop_stop()
        if lost:
            raise SinkError(f"{lost} results were lost, since {self._address} was away or slow; raise queue= or qos=")

    def _made_client(self) -> Client:
        with explained_imports():
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        address = self._address
        client = Client(CallbackAPIVersion.VERSION2, client_id=address.client_id)
        if address.username or address.password:
            client.username_pw_set(address.username, address.password or None)
        if address.tls:
            try:
                client.tls_set(address.ca or None)
            except (OSError, ValueError) as error:
                raise ConfigError(f"ca of --mqtt must be a PEM file, got {address.ca!r}: {error}") from None
        client.will_set(f"{address.topic}/status", "offline", 1, True)
        client.reconnect_delay_set(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _connect(self) -> None:
        address = self._address
        try:
            self._client.connect(address.host, address.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(f"cannot connect to {address}: {reason}; check the broker and the address") from None
        self._client.loop_start()
        if not self._answered.wait(CONNECT_S):
            self._refusal = f"no answer within {CONNECT_S:g} s"
        if self._refusal:
            self._client.loop_stop()
            raise ConfigError(
                f"cannot connect to {address}: {self._refusal}; user and password go into the address or {USERNAME} "
                f"and {PASSWORD}"
            )

    def _publish(self, payload: str) -> int | None:
        """The number of the message; None if it cannot be sent now."""
        from paho.mqtt.enums import MQTTErrorCode

        if not self._client.is_connected():
            return None
        info = self._client.publish(self._address.topic, payload, self._address.qos, self._address.retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        else:
            client.publish(f"{self._address.topic}/status", "online", 1, True)
            for state in self._sources.values():
                client.publish(f"{self._address.topic}/source", state, 1, True)
        self._answered.set()

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        if self._address.qos == 0:  # the library sends others again
            self._outbox.forget_sent()

    def _on_publish(self, _client: Client, _data: Any, number: int, _reason: Any, _properties: Any) -> None:
        self._outbox.confirm(number)
