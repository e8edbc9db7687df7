"""The topics of the faces that are seen: made when a face comes, closed when it is gone."""

from __future__ import annotations

from typing import Any

import hri_msgs.msg
import sensor_msgs.msg

from ferserve_ros import mapping

_DEPTH = 1
_ROOT = "/humans/faces"


class FaceTopics:
    """Publishes the faces of results under ``/humans/faces``, as REP-155 has it."""

    def __init__(self, node: Any, *, roi_in_pixels: bool, landmarks: bool) -> None:
        """``node`` makes the publishers; regions come in pixels (``sensor_msgs/RegionOfInterest``, the REP's text) or
        normalised (``hri_msgs/NormalizedRegionOfInterest2D``, what its libraries subscribe to)."""
        self._node, self._roi_in_pixels, self._landmarks = node, roi_in_pixels, landmarks
        self._tracked = node.create_publisher(hri_msgs.msg.IdsList, f"{_ROOT}/tracked", _DEPTH)
        self._publishers: dict[str, dict[str, Any]] = {}

    def publish(self, stream: str, header: Any, result: Any) -> None:
        """Publish the list of faces, and what each shows, under the header of the picture."""
        faces = {mapping.face_id(stream, face.track_id): face for face in result.faces if face.track_id}
        for gone in self._publishers.keys() - faces.keys():
            self._close(gone)
        self._tracked.publish(hri_msgs.msg.IdsList(header=header, ids=list(faces)))
        for name, face in faces.items():
            publishers = self._publishers.get(name) or self._open(name)
            publishers["roi"].publish(self._roi(header, face, result))
            publishers["expression"].publish(_expression(header, face))
            if "landmarks" in publishers and face.landmarks is not None:
                publishers["landmarks"].publish(_landmarks(header, face, result))

    def clear(self, header: Any) -> None:
        """Say that no face is seen."""
        for gone in list(self._publishers):
            self._close(gone)
        self._tracked.publish(hri_msgs.msg.IdsList(header=header, ids=[]))

    def close(self) -> None:
        """Close all topics."""
        for gone in list(self._publishers):
            self._close(gone)
        self._node.destroy_publisher(self._tracked)

    def _open(self, name: str) -> dict[str, Any]:
        kinds: dict[str, Any] = {"expression": hri_msgs.msg.Expression}
        kinds["roi"] = (
            sensor_msgs.msg.RegionOfInterest if self._roi_in_pixels else hri_msgs.msg.NormalizedRegionOfInterest2D
        )
        if self._landmarks:
            kinds["landmarks"] = hri_msgs.msg.FacialLandmarks
        made = {
            topic: self._node.create_publisher(kind, f"{_ROOT}/{name}/{topic}", _DEPTH) for topic, kind in kinds.items()
        }
        self._publishers[name] = made
        return made

    def _close(self, name: str) -> None:
        for publisher in self._publishers.pop(name).values():
            self._node.destroy_publisher(publisher)

    def _roi(self, header: Any, face: Any, result: Any) -> Any:
        if self._roi_in_pixels:
            x, y, width, height = mapping.pixel_box(face.box, result.width, result.height)
            return sensor_msgs.msg.RegionOfInterest(
                x_offset=x, y_offset=y, width=width, height=height, do_rectify=False
            )
        x0, y0, x1, y1 = mapping.normalized_box(face.box, result.width, result.height)
        return hri_msgs.msg.NormalizedRegionOfInterest2D(
            header=header, xmin=x0, ymin=y0, xmax=x1, ymax=y1, c=float(face.score)
        )


def _expression(header: Any, face: Any) -> Any:
    shown = mapping.expression_of(face)
    return hri_msgs.msg.Expression(
        header=header,
        expression=shown.expression,
        valence=shown.valence,
        arousal=shown.arousal,
        confidence=shown.confidence,
    )


def _landmarks(header: Any, face: Any, result: Any) -> Any:
    """Five of the seventy points; the others have a confidence of 0."""
    points = [hri_msgs.msg.NormalizedPointOfInterest2D() for _ in range(70)]
    for code, (x, y) in zip(mapping.POINTS, face.landmarks, strict=True):
        u, v, _, _ = mapping.normalized_box((x, y, x, y), result.width, result.height)
        points[code] = hri_msgs.msg.NormalizedPointOfInterest2D(x=u, y=v, c=float(face.score))
    return hri_msgs.msg.FacialLandmarks(header=header, landmarks=points, height=result.height, width=result.width)
