"""The lifecycle node: pictures in, faces, expressions and head frames out."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import Node, State, TransitionCallbackReturn
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

import ferserve
from ferserve_ros.complaints import Complaints
from ferserve_ros.counts import Counts
from ferserve_ros.face_topics import FaceTopics
from ferserve_ros.head_frame import Camera
from ferserve_ros.head_frames import HeadFrames
from ferserve_ros.parameters import Parameters
from ferserve_ros.pictures import PictureError, encoded_payload_of, payload_of
from ferserve_ros.stream_worker import Answer, Picture, StreamWorker

NEWEST = QoSProfile(depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For pictures: drivers publish best effort, and an old picture is of no use."""
_DIAGNOSTICS_S = 1.0
_SILENT_S = 2.0
"""Without an answer for this long no face counts as seen."""


class FerserveNode(Node):  # type: ignore[misc]
    """Publishes what ferserve sees in the pictures of one camera.

    Configuring reads the parameters and makes the topics, activating opens the stream, deactivating ends it. Callbacks
    run in the executor's thread; the worker's answers come there through a guard condition.
    """

    def __init__(self, name: str = "ferserve") -> None:
        super().__init__(name)
        Parameters.declare(self)
        self._closers: list[Any] = []
        self._worker: StreamWorker | None = None

    def on_configure(self, state: State) -> TransitionCallbackReturn:
        """Read the parameters and make the topics; fails, with a line in the log, if a parameter is wrong."""
        parameters = Parameters.of(self)
        try:
            parameters.options()
            parameters.client().close()
        except ferserve.FerserveError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        self._settings, self._counts, self._trouble = parameters, Counts(), ""
        self._complaints = Complaints(self.get_logger().warning)
        self._inbox: deque[Answer | str] = deque(maxlen=64)
        self._guard = self.create_guard_condition(self._read_inbox)
        self._topics = FaceTopics(self, roi_in_pixels=parameters.roi_in_pixels, landmarks=parameters.landmarks)
        self._heads = HeadFrames(self, eyes_apart_m=parameters.eyes_apart_m, max_pose_age_ms=parameters.max_pose_age_ms)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        kind, topic = (CompressedImage, "image/compressed") if parameters.compressed else (Image, "image")
        images = self.create_subscription(kind, topic, self._on_image, NEWEST)
        infos = self.create_subscription(CameraInfo, "camera_info", self._on_camera_info, NEWEST)
        timer = self.create_timer(_DIAGNOSTICS_S, self._publish_diagnostics)
        self._closers = [
            lambda: self.destroy_subscription(images),
            lambda: self.destroy_subscription(infos),
            lambda: self.destroy_timer(timer),
            lambda: self.destroy_guard_condition(self._guard),
            lambda: self.destroy_publisher(self._diagnostics),
            self._topics.close,
        ]
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: State) -> TransitionCallbackReturn:
        """Open the stream."""
        self._counts, self._trouble, self._answered_at = Counts(), "", time.monotonic()
        self._worker = StreamWorker(self._settings.client, self._settings.options(), self._tell, self._tell)
        self._worker.start()
        return super().on_activate(state)

    def on_deactivate(self, state: State) -> TransitionCallbackReturn:
        """End the stream, and say that no face is seen any more."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: State) -> TransitionCallbackReturn:
        """Close the topics."""
        self._close()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: State) -> TransitionCallbackReturn:
        """End the stream and close the topics."""
        self._stop()
        self._close()
        return TransitionCallbackReturn.SUCCESS

    def end_stream(self) -> None:
        """End the stream, whatever state ROS is in."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
            self._inbox.clear()

    def _stop(self) -> None:
        if self._worker is not None:
            self.end_stream()
            self._topics.clear(Header(stamp=self.get_clock().now().to_msg()))

    def _close(self) -> None:
        for close in self._closers:
            close()
        self._closers = []

    def _on_image(self, message: Any) -> None:
        if self._worker is None:
            return
        self._counts.received += 1
        try:
            payload = encoded_payload_of(message) if self._settings.compressed else payload_of(message)
        except PictureError as error:
            self._counts.refused += 1
            self._warn(str(error).partition(" must")[0], str(error))
            return
        if not self._worker.send(Picture(payload, message.header, _nanoseconds(message.header.stamp))):
            self._counts.replaced += 1

    def _on_camera_info(self, message: Any) -> None:
        self._heads.camera = Camera.of(list(message.k))

    def _tell(self, news: Answer | str) -> None:
        """Called in the worker's thread."""
        self._inbox.append(news)
        self._guard.trigger()

    def _read_inbox(self) -> None:
        while self._inbox:
            news = self._inbox.popleft()
            if isinstance(news, str):
                self._warn("stream", news)
                self._topics.clear(Header(stamp=self.get_clock().now().to_msg()))
            elif self._worker is not None:
                self._publish(news)

    def _publish(self, answer: Answer) -> None:
        result = answer.result
        if result.fault is not None:
            self._counts.faults += 1
            self._warn(f"fault {result.fault.code}", result.fault.message)
        elif result.dropped is not None:
            self._counts.dropped += 1
        else:
            self._counts.answered += 1
            self._counts.faces = len(result.faces)
            self._trouble, self._answered_at = "", time.monotonic()
            self._topics.publish(answer.stream, answer.header, result)
            if self._settings.head_frames:
                self._heads.publish(answer.stream, answer.header, result)

    def _warn(self, kind: str, text: str) -> None:
        self._trouble = text
        self._complaints.say(kind, text)

    def _publish_diagnostics(self) -> None:
        if self._worker is not None:
            now: Time = self.get_clock().now().to_msg()
            if time.monotonic() - self._answered_at > _SILENT_S:
                self._trouble = self._trouble or "no answer for two seconds; do pictures come?"
                self._topics.clear(Header(stamp=now))
            self._diagnostics.publish(
                self._counts.diagnostics(now, self.get_name(), self._trouble, connected=self._worker.connected)
            )


def _nanoseconds(stamp: Any) -> int:
    """The time of a picture; 0, which means unknown, for one without a stamp."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
