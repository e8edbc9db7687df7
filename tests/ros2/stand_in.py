"""As much of rclpy and tf2_ros as the node uses, in one process: topics, parameters, the lifecycle, and an executor.

Signatures, and what a call does in a wrong state, are those of rclpy for Humble and Jazzy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any

from tests.ros2.messages import CLASSES, Message


class Graph:
    """What is published, by topic, and who listens."""

    def __init__(self) -> None:
        self.published: dict[str, list[Message]] = {}
        self.publishers: dict[str, type[Message]] = {}
        self.subscriptions: dict[str, tuple[type[Message], Callable[[Any], None], Any]] = {}
        self.log: list[tuple[str, str]] = []
        self.transforms: list[Message] = []

    def send(self, topic: str, message: Message) -> None:
        """Hand a message to whoever subscribed to ``topic``, as an executor would."""
        kind, callback, _ = self.subscriptions[topic]
        assert type(message) is kind
        callback(message)


GRAPH = Graph()


class Publisher:
    """A publisher, which is of no use once it is destroyed."""

    def __init__(self, kind: type[Message], topic: str) -> None:
        self.kind, self.topic, self.destroyed = kind, topic, False

    def publish(self, message: Message) -> None:
        assert not self.destroyed, f"the publisher of {self.topic} was destroyed"
        assert type(message) is self.kind, f"{self.topic} carries {self.kind.__name__}, got {type(message).__name__}"
        GRAPH.published.setdefault(self.topic, []).append(message)


class GuardCondition:
    """Wakes the executor, from any thread."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback, self._triggered = callback, threading.Event()

    def trigger(self) -> None:
        self._triggered.set()

    def run(self) -> None:
        if self._triggered.is_set():
            self._triggered.clear()
            self.callback()


class Logger:
    """Keeps its lines."""

    def info(self, text: str) -> None:
        GRAPH.log.append(("info", text))

    def warning(self, text: str) -> None:
        GRAPH.log.append(("warning", text))

    def error(self, text: str) -> None:
        GRAPH.log.append(("error", text))


class Parameter:
    """A parameter keeps the type of its default."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Clock:
    """The system's time."""

    def now(self) -> Clock:
        return self

    def to_msg(self) -> Message:
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return CLASSES["builtin_interfaces/Time"](sec=seconds, nanosec=nanoseconds)


class TransitionCallbackReturn(Enum):
    """What a transition came to."""

    SUCCESS = 97
    FAILURE = 98
    ERROR = 99


RESERVED = {
    *("_allow_undeclared_parameters", "_callbacks", "_clients", "_clock"),
    *("_context", "_default_callback_group", "_descriptors", "_guards"),
    *("_handle", "_logger", "_managed_entities", "_parameter_event_publisher"),
    *("_parameter_overrides", "_parameter_service", "_parameters", "_publishers"),
    *("_rate_group", "_services", "_state_machine", "_subscriptions"),
    *("_time_source", "_timers", "_type_description_service", "_waitables"),
}
"""Attributes of rclpy's own nodes, which a node of ours must leave alone."""


class Node:
    """A lifecycle node: ``unconfigured``, ``inactive``, ``active`` or ``finalized``."""

    def __setattr__(self, name: str, value: Any) -> None:
        assert name not in RESERVED, f"{name} belongs to rclpy"
        object.__setattr__(self, name, value)

    def __init__(self, node_name: str) -> None:
        self._name, self.state = node_name, "unconfigured"
        self._own_parameters: dict[str, Parameter] = {}
        self._own_guards: list[GuardCondition] = []
        self.timers: list[Callable[[], None]] = []

    def get_name(self) -> str:
        return self._name

    def get_logger(self) -> Logger:
        return Logger()

    def get_clock(self) -> Clock:
        return Clock()

    def declare_parameter(self, name: str, value: Any) -> Parameter:
        assert name not in self._own_parameters, f"{name} is declared twice"
        return self._own_parameters.setdefault(name, Parameter(value))

    def get_parameter(self, name: str) -> Parameter:
        return self._own_parameters[name]

    def set_parameter(self, name: str, value: Any) -> None:
        """As ``ros2 param set`` or a file of parameters: only a declared one, of the same type."""
        assert type(value) is type(self._own_parameters[name].value), f"{name} has another type"
        self._own_parameters[name].value = value

    def create_publisher(self, msg_type: type[Message], topic: str, qos_profile: Any) -> Publisher:
        assert topic not in GRAPH.publishers, f"{topic} has a publisher already"
        assert all(part.isidentifier() for part in topic.strip("/").split("/")), f"{topic} is no name of a topic"
        GRAPH.publishers[topic] = msg_type
        return Publisher(msg_type, topic)

    def destroy_publisher(self, publisher: Publisher) -> bool:
        assert not publisher.destroyed
        publisher.destroyed = True
        del GRAPH.publishers[publisher.topic]
        return True

    def create_subscription(self, msg_type: type[Message], topic: str, callback: Any, qos_profile: Any) -> str:
        GRAPH.subscriptions[topic] = (msg_type, callback, qos_profile)
        return topic

    def destroy_subscription(self, subscription: str) -> bool:
        del GRAPH.subscriptions[subscription]
        return True

    def create_guard_condition(self, callback: Callable[[], None]) -> GuardCondition:
        self._own_guards.append(GuardCondition(callback))
        return self._own_guards[-1]

    def destroy_guard_condition(self, guard: GuardCondition) -> bool:
        self._own_guards.remove(guard)
        return True

    def create_timer(self, timer_period_sec: float, callback: Callable[[], None]) -> Callable[[], None]:
        self.timers.append(callback)
        return callback

    def destroy_timer(self, timer: Callable[[], None]) -> bool:
        self.timers.remove(timer)
        return True

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def trigger_configure(self) -> TransitionCallbackReturn:
        return self._change("unconfigured", "inactive", self.on_configure)  # type: ignore[attr-defined]

    def trigger_activate(self) -> TransitionCallbackReturn:
        return self._change("inactive", "active", self.on_activate)

    def trigger_deactivate(self) -> TransitionCallbackReturn:
        return self._change("active", "inactive", self.on_deactivate)

    def trigger_cleanup(self) -> TransitionCallbackReturn:
        return self._change("inactive", "unconfigured", self.on_cleanup)  # type: ignore[attr-defined]

    def trigger_shutdown(self) -> TransitionCallbackReturn:
        return self._change(self.state, "finalized", self.on_shutdown)  # type: ignore[attr-defined]

    def _change(self, before: str, after: str, callback: Callable[[Any], Any]) -> TransitionCallbackReturn:
        assert self.state == before, f"no transition from {self.state} to {after}"
        outcome: TransitionCallbackReturn = callback(before)
        if outcome is TransitionCallbackReturn.SUCCESS:
            self.state = after
        return outcome

    def spin_until(self, done: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Run callbacks in this thread, as an executor does, until ``done``."""
        ends = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < ends, f"nothing came; the log says {GRAPH.log}"
            for guard in list(self._own_guards):
                guard.run()
            time.sleep(0.002)


class QoSProfile:
    """Keeps what it is given; a name that rclpy does not know is an error."""

    def __init__(self, *, depth: int, history: Any, reliability: Any) -> None:
        self.depth, self.history, self.reliability = depth, history, reliability


class HistoryPolicy(Enum):
    """As in rclpy.qos."""

    KEEP_LAST = 1


class ReliabilityPolicy(Enum):
    """As in rclpy.qos."""

    RELIABLE = 1
    BEST_EFFORT = 2


class TransformBroadcaster:
    """Keeps what is sent."""

    def __init__(self, node: Node) -> None:
        self._kind = CLASSES["geometry_msgs/TransformStamped"]

    def sendTransform(self, transform: list[Message]) -> None:
        assert all(type(one) is self._kind for one in transform)
        GRAPH.transforms.extend(transform)


def modules() -> list[ModuleType]:
    """The modules of rclpy and tf2_ros."""
    lifecycle, qos, tf2 = ModuleType("rclpy.lifecycle"), ModuleType("rclpy.qos"), ModuleType("tf2_ros")
    lifecycle.__dict__.update(Node=Node, State=str, TransitionCallbackReturn=TransitionCallbackReturn)
    qos.__dict__.update(QoSProfile=QoSProfile, HistoryPolicy=HistoryPolicy, ReliabilityPolicy=ReliabilityPolicy)
    tf2.__dict__.update(TransformBroadcaster=TransformBroadcaster)
    rclpy = ModuleType("rclpy")
    rclpy.__dict__.update(lifecycle=lifecycle, qos=qos)
    return [rclpy, lifecycle, qos, tf2]
