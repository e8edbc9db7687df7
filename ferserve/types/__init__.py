"""Values that flow through the pipeline: frames in, results out.

Arrays are (row, column); boxes are (x0, y0, x1, y1) in pixels, half-open.
"""

from ferserve.types.detections import Detections
from ferserve.types.frames import Crops, EncodedImage, Frame, Payload, PixelFormat, RawImage
from ferserve.types.head_pose import HeadPose, PoseCalibration
from ferserve.types.models import ModelDescription, ModelState
from ferserve.types.results import DropReason, Face, FrameFault, FrameResult, HeadResult, Timings

__all__ = [
    "Crops",
    "Detections",
    "DropReason",
    "EncodedImage",
    "Face",
    "Frame",
    "FrameFault",
    "FrameResult",
    "HeadPose",
    "HeadResult",
    "ModelDescription",
    "ModelState",
    "Payload",
    "PixelFormat",
    "PoseCalibration",
    "RawImage",
    "Timings",
]
