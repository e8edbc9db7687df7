"""The node against a real server: pictures on one topic, faces on others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from tests.builders import ASTRONAUT_FACE, astronaut, empty_scene, jpeg
from tests.ros2.server_thread import ServerThread
from tests.ros2.stand_in import Graph, ReliabilityPolicy

K = [600.0, 0.0, 256.0, 0.0, 600.0, 256.0, 0.0, 0.0, 1.0]
TICKS = itertools.count(1)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(EngineConfig(threads=2)) as engine:
        yield engine


@pytest.fixture(scope="module")
def server(engine: Engine) -> Iterator[ServerThread]:
    server = ServerThread(engine)
    server.start()
    yield server
    server.close()


@pytest.fixture
def node(graph: Graph, server: ServerThread) -> Iterator[Any]:
    """A node that is configured, but not yet active."""
    yield from _node(server, landmarks=True)


def _node(server: ServerThread, **parameters: Any) -> Iterator[Any]:
    from ferserve_ros.node import FerserveNode
    from rclpy.lifecycle import TransitionCallbackReturn

    node = FerserveNode()
    for name, value in {"target": server.address, **parameters}.items():
        node.set_parameter(name, value)
    assert node.trigger_configure() is TransitionCallbackReturn.SUCCESS
    yield node
    node.trigger_shutdown()


def _header() -> Any:
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    tick = next(TICKS)
    return Header(stamp=Time(sec=1000 + tick // 25, nanosec=tick % 25 * 40_000_000), frame_id="camera_optical_frame")


def _image(bgr: np.ndarray | None = None, **changes: Any) -> Any:
    from sensor_msgs.msg import Image

    bgr = astronaut() if bgr is None else bgr
    height, width = bgr.shape[:2]
    fields = {"header": _header(), "height": height, "width": width, "step": width * 3, "encoding": "bgr8"}
    return Image(**fields | {"data": bgr.tobytes()} | changes)


def _answered(node: Any) -> int:
    return int(node._counts.answered)


def _send(node: Any, graph: Graph, message: Any, topic: str = "image") -> None:
    """Publish a picture and wait for its answer."""
    before = _answered(node)
    graph.send(topic, message)
    node.spin_until(lambda: _answered(node) > before)


def _faces(graph: Graph) -> list[str]:
    """The ids of the last message."""
    ids: list[str] = graph.published["/humans/faces/tracked"][-1].ids  # type: ignore[attr-defined]
    return ids


def _last(graph: Graph, topic: str) -> Any:
    return graph.published[f"/humans/faces/{topic}"][-1]


def test_a_face_has_an_id_a_region_an_expression_and_landmarks(node: Any, graph: Graph) -> None:
    node.trigger_activate()
    image = _image()
    _send(node, graph, image)
    (name,) = _faces(graph)
    kinds = {topic: kind.__name__ for topic, kind in graph.publishers.items() if name in topic}
    assert kinds == {
        f"/humans/faces/{name}/roi": "NormalizedRegionOfInterest2D",
        f"/humans/faces/{name}/expression": "Expression",
        f"/humans/faces/{name}/landmarks": "FacialLandmarks",
    }
    told = [_last(graph, topic) for topic in ("tracked", *(f"{name}/{t}" for t in ("roi", "expression", "landmarks")))]
    assert all(message.header is image.header for message in told)
    _, roi, expression, landmarks = told
    np.testing.assert_allclose([roi.xmin, roi.ymin, roi.xmax, roi.ymax], np.divide(ASTRONAUT_FACE, 512), atol=0.05)
    assert roi.c > 0.8
    assert (expression.expression, expression.valence > 0.7, expression.arousal > 0.4) == ("happy", True, True)
    assert expression.confidence > 0.9
    known = {code for code, point in enumerate(landmarks.landmarks) if point.c > 0}
    assert known == {landmarks.RIGHT_PUPIL, landmarks.LEFT_PUPIL, landmarks.NOSE, 48, 54}
    right, left = landmarks.landmarks[landmarks.RIGHT_PUPIL], landmarks.landmarks[landmarks.LEFT_PUPIL]
    assert roi.xmin < right.x < left.x < roi.xmax
    assert (landmarks.width, landmarks.height) == (512, 512)


def test_a_face_keeps_its_id_and_its_topics_go_with_it(node: Any, graph: Graph) -> None:
    node.trigger_activate()
    for _ in range(3):
        _send(node, graph, _image())
    lists = [tuple(message.ids) for message in graph.published["/humans/faces/tracked"]]  # type: ignore[attr-defined]
    assert len(set(lists)) == 1
    (name,) = lists[0]
    while _faces(graph):
        _send(node, graph, _image(empty_scene(512, 512)))
    assert not [topic for topic in graph.publishers if name in topic]
    node.trigger_deactivate()
    node.trigger_activate()
    _send(node, graph, _image())
    assert _faces(graph) != [name]


def test_a_calibrated_camera_gives_the_head_a_frame(node: Any, graph: Graph) -> None:
    from sensor_msgs.msg import CameraInfo

    node.trigger_activate()
    _send(node, graph, _image())
    assert not graph.transforms  # without a calibration nobody knows where it is
    graph.send("camera_info", CameraInfo(header=_header(), k=K))
    _send(node, graph, _image())
    face, gaze = graph.transforms
    (name,) = _faces(graph)
    assert (face.header.frame_id, face.child_frame_id) == ("camera_optical_frame", f"face_{name}")  # type: ignore[attr-defined]
    assert (gaze.header.frame_id, gaze.child_frame_id) == (f"face_{name}", f"gaze_{name}")  # type: ignore[attr-defined]
    at = face.transform.translation  # type: ignore[attr-defined]
    assert 0.6 < at.z < 1.2  # eyes 42 px apart at a focal length of 600 px
    assert (at.x, at.y) == pytest.approx((-0.045, -0.23), abs=0.05)


@pytest.mark.parametrize("parameters", [{"compressed": True}, {"roi_in_pixels": True, "head_frames": False}])
def test_other_pictures_and_regions(graph: Graph, server: ServerThread, parameters: dict[str, Any]) -> None:
    from sensor_msgs.msg import CompressedImage

    for node in _node(server, **parameters):
        node.trigger_activate()
        if "compressed" in parameters:
            picture = CompressedImage(header=_header(), format="jpeg", data=jpeg(astronaut()))
            _send(node, graph, picture, "image/compressed")
        else:
            _send(node, graph, _image())
        (name,) = _faces(graph)
        roi = _last(graph, f"{name}/roi")
        if "roi_in_pixels" in parameters:
            assert type(roi).__name__ == "RegionOfInterest"
            np.testing.assert_allclose([roi.x_offset, roi.y_offset], ASTRONAUT_FACE[:2], atol=25)


def _lines(graph: Graph) -> list[str]:
    return [text for level, text in graph.log if level == "warning"]


def test_bad_pictures_cost_a_line_and_the_stream_goes_on(node: Any, graph: Graph) -> None:
    node.trigger_activate()
    _send(node, graph, _image())
    (name,) = _faces(graph)
    for changes in ({"data": b"x"}, {"encoding": "mono16"}, {"width": 0, "height": 0, "data": b""}, {"step": 1}):
        for _ in range(3):
            graph.send("image", _image(**changes))
    assert node._counts.refused == 12
    assert [line.partition(" must")[0] for line in _lines(graph)] == ["data", "encoding", "width and height", "step"]
    assert _lines(graph)[0] == "data must have 786432 bytes for 512 rows of 1536, got 1"
    small = np.ascontiguousarray(astronaut()[:300, 50:400])
    _send(node, graph, _image(small))
    assert _last(graph, f"{_faces(graph)[0]}/landmarks").width == 350
    _send(node, graph, _image())
    assert [name] == _faces(graph)


def test_a_picture_that_the_server_cannot_read_is_a_fault(graph: Graph, server: ServerThread) -> None:
    from sensor_msgs.msg import CompressedImage

    for node in _node(server, compressed=True):
        node.trigger_activate()
        for _ in range(3):
            broken = CompressedImage(header=_header(), format="jpeg", data=jpeg(astronaut())[:2000])
            faults = node._counts.faults
            graph.send("image/compressed", broken)
            node.spin_until(lambda node=node, faults=faults: node._counts.faults > faults)
        assert len(_lines(graph)) == 1
        _send(node, graph, CompressedImage(header=_header(), format="jpeg", data=jpeg(astronaut())), "image/compressed")


def test_a_server_that_comes_back_is_used_again(engine: Engine, graph: Graph) -> None:
    server = ServerThread(engine)
    server.start()
    try:
        for node in _node(server):
            node.trigger_activate()
            _send(node, graph, _image())
            server.stop()
            graph.send("image", _image())
            server.start()
            before = _answered(node)

            def answered(node: Any = node, before: int = before) -> bool:
                graph.send("image", _image())
                return _answered(node) > before

            node.spin_until(answered)
            assert len(_faces(graph)) == 1
    finally:
        server.close()


def test_without_a_server_the_node_lives_says_so_once_and_ends(graph: Graph, server: ServerThread) -> None:
    for node in _node(server, target="127.0.0.1:1"):
        node.trigger_activate()
        graph.send("image", _image())
        node.spin_until(lambda: bool(_lines(graph)))
        assert "127.0.0.1:1" in _lines(graph)[0]
        node.timers[0]()
        (status,) = graph.published["/diagnostics"][-1].status  # type: ignore[attr-defined]
        assert (status.level, status.name) == (status.ERROR, "ferserve: stream")
        assert "127.0.0.1:1" in status.message


def test_the_newest_picture_counts(node: Any, graph: Graph) -> None:
    node.trigger_activate()
    _send(node, graph, _image())
    images = [_image() for _ in range(30)]
    for image in images:
        graph.send("image", image)
    node.spin_until(lambda: _last(graph, "tracked").header is images[-1].header)
    counts = node._counts
    assert counts.received == 31
    assert counts.answered + counts.dropped + counts.replaced == 31
    node.timers[0]()
    (status,) = graph.published["/diagnostics"][-1].status  # type: ignore[attr-defined]
    assert status.level == status.OK
    assert {pair.key: pair.value for pair in status.values}["received"] == "31"


def test_after_two_seconds_without_an_answer_no_face_counts_as_seen(node: Any, graph: Graph) -> None:
    node.trigger_activate()
    _send(node, graph, _image())
    node.timers[0]()
    assert len(_faces(graph)) == 1
    node._answered_at -= 2.1
    node.timers[0]()
    assert _faces(graph) == []
    assert not [topic for topic in graph.publishers if topic.endswith("/roi")]
    (status,) = graph.published["/diagnostics"][-1].status  # type: ignore[attr-defined]
    assert (status.level, status.message) == (status.WARN, "no answer for two seconds; do pictures come?")
    _send(node, graph, _image())
    assert len(_faces(graph)) == 1


def test_pictures_are_taken_best_effort_and_only_while_active(node: Any, graph: Graph) -> None:
    _, _, qos = graph.subscriptions["image"]
    assert (qos.depth, qos.reliability) == (1, ReliabilityPolicy.BEST_EFFORT)
    graph.send("image", _image())
    assert node._counts.received == 0
    node.trigger_cleanup()
    assert not graph.publishers
    assert not graph.subscriptions
    assert not node.timers


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("target", "no address", "target must be"),
        ("max_faces", -1, "max_faces must be"),
        ("smoothing_ms", math.nan, "smoothing_ms must be"),
        ("eyes_apart_m", -1.0, "eyes_apart_m must be above 0 m, got -1"),
    ],
)
def test_a_wrong_parameter_fails_the_configuration(graph: Graph, name: str, value: Any, words: str) -> None:
    from ferserve_ros.node import FerserveNode
    from rclpy.lifecycle import TransitionCallbackReturn

    node = FerserveNode()
    node.set_parameter(name, value)
    assert node.trigger_configure() is TransitionCallbackReturn.FAILURE
    assert node.state == "unconfigured"
    ((level, text),) = graph.log
    assert level == "error"
    assert words in text
