from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PixelFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_FORMAT_UNSPECIFIED: _ClassVar[PixelFormat]
    PIXEL_FORMAT_GRAY8: _ClassVar[PixelFormat]
    PIXEL_FORMAT_BGR24: _ClassVar[PixelFormat]
    PIXEL_FORMAT_RGB24: _ClassVar[PixelFormat]
    PIXEL_FORMAT_NV12: _ClassVar[PixelFormat]
    PIXEL_FORMAT_I420: _ClassVar[PixelFormat]
    PIXEL_FORMAT_YUYV: _ClassVar[PixelFormat]

class Delivery(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_UNSPECIFIED: _ClassVar[Delivery]
    DELIVERY_LATEST: _ClassVar[Delivery]
    DELIVERY_EVERY: _ClassVar[Delivery]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_READY: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_UNAVAILABLE: _ClassVar[ModelState]
PIXEL_FORMAT_UNSPECIFIED: PixelFormat
PIXEL_FORMAT_GRAY8: PixelFormat
PIXEL_FORMAT_BGR24: PixelFormat
PIXEL_FORMAT_RGB24: PixelFormat
PIXEL_FORMAT_NV12: PixelFormat
PIXEL_FORMAT_I420: PixelFormat
PIXEL_FORMAT_YUYV: PixelFormat
DELIVERY_UNSPECIFIED: Delivery
DELIVERY_LATEST: Delivery
DELIVERY_EVERY: Delivery
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_READY: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_UNAVAILABLE: ModelState

class Box(_message.Message):
    __slots__ = ("x0", "y0", "x1", "y1")
    X0_FIELD_NUMBER: _ClassVar[int]
    Y0_FIELD_NUMBER: _ClassVar[int]
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    x0: float
    y0: float
    x1: float
    y1: float
    def __init__(self, x0: _Optional[float] = ..., y0: _Optional[float] = ..., x1: _Optional[float] = ..., y1: _Optional[float] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class RawImage(_message.Message):
    __slots__ = ("format", "width", "height", "stride_bytes", "data")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    STRIDE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    format: PixelFormat
    width: int
    height: int
    stride_bytes: int
    data: bytes
    def __init__(self, format: _Optional[_Union[PixelFormat, str]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., stride_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("encoded", "raw")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    encoded: bytes
    raw: RawImage
    def __init__(self, encoded: _Optional[bytes] = ..., raw: _Optional[_Union[RawImage, _Mapping]] = ...) -> None: ...

class Crops(_message.Message):
    __slots__ = ("images",)
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[Image]
    def __init__(self, images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ...) -> None: ...

class Boxes(_message.Message):
    __slots__ = ("boxes",)
    BOXES_FIELD_NUMBER: _ClassVar[int]
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    def __init__(self, boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("frame_id", "capture_time_ns", "encoded", "raw", "crops", "boxes", "neutral")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    CROPS_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    NEUTRAL_FIELD_NUMBER: _ClassVar[int]
    frame_id: int
    capture_time_ns: int
    encoded: bytes
    raw: RawImage
    crops: Crops
    boxes: Boxes
    neutral: bool
    def __init__(self, frame_id: _Optional[int] = ..., capture_time_ns: _Optional[int] = ..., encoded: _Optional[bytes] = ..., raw: _Optional[_Union[RawImage, _Mapping]] = ..., crops: _Optional[_Union[Crops, _Mapping]] = ..., boxes: _Optional[_Union[Boxes, _Mapping]] = ..., neutral: bool = ...) -> None: ...

class ClassifyOptions(_message.Message):
    __slots__ = ("model", "min_score", "max_faces", "detection_side_px", "use_truncated", "models")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    MAX_FACES_FIELD_NUMBER: _ClassVar[int]
    DETECTION_SIDE_PX_FIELD_NUMBER: _ClassVar[int]
    USE_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    model: str
    min_score: float
    max_faces: int
    detection_side_px: int
    use_truncated: bool
    models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., min_score: _Optional[float] = ..., max_faces: _Optional[int] = ..., detection_side_px: _Optional[int] = ..., use_truncated: bool = ..., models: _Optional[_Iterable[str]] = ...) -> None: ...

class StreamConfig(_message.Message):
    __slots__ = ("options", "delivery", "smoothing_ms", "detection_interval", "frame_deadline_ms", "stream_id", "min_detection_interval", "priority", "neutral_first_ms", "last_track_id", "resume_token", "resume_state")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SMOOTHING_MS_FIELD_NUMBER: _ClassVar[int]
    DETECTION_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    FRAME_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_DETECTION_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    NEUTRAL_FIRST_MS_FIELD_NUMBER: _ClassVar[int]
    LAST_TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
    options: ClassifyOptions
    delivery: Delivery
    smoothing_ms: float
    detection_interval: int
    frame_deadline_ms: int
    stream_id: str
    min_detection_interval: int
    priority: Priority
    neutral_first_ms: float
    last_track_id: int
    resume_token: bytes
    resume_state: bytes
    def __init__(self, options: _Optional[_Union[ClassifyOptions, _Mapping]] = ..., delivery: _Optional[_Union[Delivery, str]] = ..., smoothing_ms: _Optional[float] = ..., detection_interval: _Optional[int] = ..., frame_deadline_ms: _Optional[int] = ..., stream_id: _Optional[str] = ..., min_detection_interval: _Optional[int] = ..., priority: _Optional[_Union[Priority, str]] = ..., neutral_first_ms: _Optional[float] = ..., last_track_id: _Optional[int] = ..., resume_token: _Optional[bytes] = ..., resume_state: _Optional[bytes] = ...) -> None: ...

class ClassifyRequest(_message.Message):
    __slots__ = ("frame", "options")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    frame: Frame
    options: ClassifyOptions
    def __init__(self, frame: _Optional[_Union[Frame, _Mapping]] = ..., options: _Optional[_Union[ClassifyOptions, _Mapping]] = ...) -> None: ...

class ClassifyResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: FrameResult
    def __init__(self, result: _Optional[_Union[FrameResult, _Mapping]] = ...) -> None: ...

class ClassifyStreamRequest(_message.Message):
    __slots__ = ("config", "frame")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    config: StreamConfig
    frame: Frame
    def __init__(self, config: _Optional[_Union[StreamConfig, _Mapping]] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ...) -> None: ...

class ClassifyStreamResponse(_message.Message):
    __slots__ = ("started", "result")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    started: StreamStarted
    result: FrameResult
    def __init__(self, started: _Optional[_Union[StreamStarted, _Mapping]] = ..., result: _Optional[_Union[FrameResult, _Mapping]] = ...) -> None: ...

class StreamStarted(_message.Message):
    __slots__ = ("model", "resumed", "last_frame_id", "effective", "resume_token", "models")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    LAST_FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    model: Model
    resumed: bool
    last_frame_id: int
    effective: StreamConfig
    resume_token: bytes
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, model: _Optional[_Union[Model, _Mapping]] = ..., resumed: bool = ..., last_frame_id: _Optional[int] = ..., effective: _Optional[_Union[StreamConfig, _Mapping]] = ..., resume_token: _Optional[bytes] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class FrameResult(_message.Message):
    __slots__ = ("frame_id", "capture_time_ns", "faces", "fault", "dropped", "timings", "model_name", "model_version", "width", "height", "degraded", "models", "resume_state")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
    frame_id: int
    capture_time_ns: int
    faces: Faces
    fault: Fault
    dropped: Dropped
    timings: Timings
    model_name: str
    model_version: str
    width: int
    height: int
    degraded: str
    models: _containers.RepeatedCompositeFieldContainer[Model]
    resume_state: bytes
    def __init__(self, frame_id: _Optional[int] = ..., capture_time_ns: _Optional[int] = ..., faces: _Optional[_Union[Faces, _Mapping]] = ..., fault: _Optional[_Union[Fault, _Mapping]] = ..., dropped: _Optional[_Union[Dropped, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., model_name: _Optional[str] = ..., model_version: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., degraded: _Optional[str] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., resume_state: _Optional[bytes] = ...) -> None: ...

class Faces(_message.Message):
    __slots__ = ("faces",)
    FACES_FIELD_NUMBER: _ClassVar[int]
    faces: _containers.RepeatedCompositeFieldContainer[Face]
    def __init__(self, faces: _Optional[_Iterable[_Union[Face, _Mapping]]] = ...) -> None: ...

class Face(_message.Message):
    __slots__ = ("track_id", "box", "landmarks", "score", "heads", "certainty", "sure", "head_pose", "landmarks_age_ms")
    TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    CERTAINTY_FIELD_NUMBER: _ClassVar[int]
    SURE_FIELD_NUMBER: _ClassVar[int]
    HEAD_POSE_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    track_id: int
    box: Box
    landmarks: _containers.RepeatedCompositeFieldContainer[Point]
    score: float
    heads: _containers.RepeatedCompositeFieldContainer[HeadOutput]
    certainty: float
    sure: bool
    head_pose: HeadPose
    landmarks_age_ms: float
    def __init__(self, track_id: _Optional[int] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., landmarks: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., score: _Optional[float] = ..., heads: _Optional[_Iterable[_Union[HeadOutput, _Mapping]]] = ..., certainty: _Optional[float] = ..., sure: bool = ..., head_pose: _Optional[_Union[HeadPose, _Mapping]] = ..., landmarks_age_ms: _Optional[float] = ...) -> None: ...

class HeadPose(_message.Message):
    __slots__ = ("yaw", "pitch", "roll")
    YAW_FIELD_NUMBER: _ClassVar[int]
    PITCH_FIELD_NUMBER: _ClassVar[int]
    ROLL_FIELD_NUMBER: _ClassVar[int]
    yaw: float
    pitch: float
    roll: float
    def __init__(self, yaw: _Optional[float] = ..., pitch: _Optional[float] = ..., roll: _Optional[float] = ...) -> None: ...

class HeadOutput(_message.Message):
    __slots__ = ("name", "probabilities", "label", "confidence", "raw_probabilities", "top", "top_confidence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    RAW_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    TOP_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    label: str
    confidence: float
    raw_probabilities: _containers.RepeatedScalarFieldContainer[float]
    top: str
    top_confidence: float
    def __init__(self, name: _Optional[str] = ..., probabilities: _Optional[_Iterable[float]] = ..., label: _Optional[str] = ..., confidence: _Optional[float] = ..., raw_probabilities: _Optional[_Iterable[float]] = ..., top: _Optional[str] = ..., top_confidence: _Optional[float] = ...) -> None: ...

class Fault(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Dropped(_message.Message):
    __slots__ = ("reason",)
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Dropped.Reason]
        REASON_SUPERSEDED: _ClassVar[Dropped.Reason]
        REASON_OVERLOADED: _ClassVar[Dropped.Reason]
        REASON_DEADLINE: _ClassVar[Dropped.Reason]
        REASON_SHUTDOWN: _ClassVar[Dropped.Reason]
    REASON_UNSPECIFIED: Dropped.Reason
    REASON_SUPERSEDED: Dropped.Reason
    REASON_OVERLOADED: Dropped.Reason
    REASON_DEADLINE: Dropped.Reason
    REASON_SHUTDOWN: Dropped.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: Dropped.Reason
    def __init__(self, reason: _Optional[_Union[Dropped.Reason, str]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_ms", "decode_ms", "detect_ms", "preprocess_ms", "infer_ms", "total_ms")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    DETECT_MS_FIELD_NUMBER: _ClassVar[int]
    PREPROCESS_MS_FIELD_NUMBER: _ClassVar[int]
    INFER_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    decode_ms: float
    detect_ms: float
    preprocess_ms: float
    infer_ms: float
    total_ms: float
    def __init__(self, queue_ms: _Optional[float] = ..., decode_ms: _Optional[float] = ..., detect_ms: _Optional[float] = ..., preprocess_ms: _Optional[float] = ..., infer_ms: _Optional[float] = ..., total_ms: _Optional[float] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class LoadModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class LoadModelResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class UnloadModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UnloadModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "description", "heads", "input_width", "input_height", "input_color", "license", "trained_on", "metrics", "runs_on", "is_default", "sha256", "state", "reason", "aliases")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    INPUT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    INPUT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    INPUT_COLOR_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    TRAINED_ON_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RUNS_ON_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    description: str
    heads: _containers.RepeatedCompositeFieldContainer[Head]
    input_width: int
    input_height: int
    input_color: str
    license: str
    trained_on: _containers.RepeatedScalarFieldContainer[str]
    metrics: _containers.ScalarMap[str, float]
    runs_on: str
    is_default: bool
    sha256: str
    state: ModelState
    reason: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., description: _Optional[str] = ..., heads: _Optional[_Iterable[_Union[Head, _Mapping]]] = ..., input_width: _Optional[int] = ..., input_height: _Optional[int] = ..., input_color: _Optional[str] = ..., license: _Optional[str] = ..., trained_on: _Optional[_Iterable[str]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., runs_on: _Optional[str] = ..., is_default: bool = ..., sha256: _Optional[str] = ..., state: _Optional[_Union[ModelState, str]] = ..., reason: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("name", "labels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ...) -> None: ...
