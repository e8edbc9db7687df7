"""TF frames of heads: ``face_<id>`` below the camera's optical frame, ``gaze_<id>`` below that."""

from __future__ import annotations

from typing import Any

import geometry_msgs.msg
import tf2_ros

from ferserve_ros import mapping
from ferserve_ros.head_frame import GAZE_IN_FACE, Camera, HeadFrame, head_frame


class HeadFrames:
    """Broadcasts where heads are, once the camera's calibration is known."""

    def __init__(self, node: Any, *, eyes_apart_m: float, max_pose_age_ms: float) -> None:
        """``eyes_apart_m`` gives the distance its scale; poses that are older than ``max_pose_age_ms`` are left out."""
        self._broadcaster = tf2_ros.TransformBroadcaster(node)
        self._eyes_apart_m, self._max_pose_age_ms = eyes_apart_m, max_pose_age_ms
        self.camera: Camera | None = None

    def publish(self, stream: str, header: Any, result: Any) -> None:
        """Broadcast the frames of all faces with a pose of late, under the header of the picture."""
        transforms = []
        for face in result.faces:
            late = face.landmarks_age_ms > self._max_pose_age_ms
            if self.camera is None or face.head_pose is None or face.landmarks is None or late or not face.track_id:
                continue
            found = head_frame(face.landmarks, face.head_pose, self.camera, self._eyes_apart_m)
            if found is not None:
                name = mapping.face_id(stream, face.track_id)
                transforms.append(_transform(header, header.frame_id, f"face_{name}", found))
                gaze = HeadFrame((0.0, 0.0, 0.0), GAZE_IN_FACE)
                transforms.append(_transform(header, f"face_{name}", f"gaze_{name}", gaze))
        if transforms:
            self._broadcaster.sendTransform(transforms)


def _transform(header: Any, parent: str, child: str, frame: HeadFrame) -> Any:
    transform = geometry_msgs.msg.TransformStamped()
    transform.header.stamp = header.stamp
    transform.header.frame_id = parent
    transform.child_frame_id = child
    for target, names, values in (
        (transform.transform.translation, "xyz", frame.position),
        (transform.transform.rotation, "xyzw", frame.orientation),
    ):
        for name, value in zip(names, values, strict=True):
            setattr(target, name, float(value))
    return transform
