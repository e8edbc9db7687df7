"""ferserve: live facial-expression recognition as a service.

Importing this package loads nothing: each name is imported from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferserve._version import __version__

if TYPE_CHECKING:
    from ferserve.client import AsyncClient, Client
    from ferserve.client.boxes import BoxesLike
    from ferserve.client.stream_run import StreamSource
    from ferserve.config import EngineConfig, Tls
    from ferserve.engine import Engine
    from ferserve.errors import (
        AuthenticationError,
        ConfigError,
        DeviceError,
        FerserveError,
        FrameDeadlineError,
        FrameTimeWarning,
        InvalidFrameError,
        InvalidOptionsError,
        MissingPackageError,
        ModelLoadError,
        ModelNotFoundError,
        ModelNotReadyError,
        ModelPullError,
        ModelSpecError,
        OverloadedError,
        PermissionDeniedError,
        RemoteError,
        ServerUnavailableError,
        SourceLostError,
        StreamProtocolError,
        TableError,
        UnsupportedError,
        WrongWorkerError,
    )
    from ferserve.local import LocalClient
    from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
    from ferserve.sources.images import ImageLike, payload_of
    from ferserve.sources.iterables import StreamItem
    from ferserve.sources.live_source import LiveSource
    from ferserve.sources.source import VideoSource
    from ferserve.sources.status import SourceState, SourceStatus
    from ferserve.types import (
        Crops,
        DropReason,
        EncodedImage,
        Face,
        Frame,
        FrameFault,
        FrameResult,
        HeadPose,
        HeadResult,
        ModelDescription,
        ModelState,
        PixelFormat,
        RawImage,
        Timings,
    )

_HOMES = {
    "ferserve.client": ("AsyncClient", "Client"),
    "ferserve.client.boxes": ("BoxesLike",),
    "ferserve.client.stream_run": ("StreamSource",),
    "ferserve.config": ("EngineConfig", "Tls"),
    "ferserve.engine": ("Engine",),
    "ferserve.errors": (
        "AuthenticationError",
        "ConfigError",
        "DeviceError",
        "FerserveError",
        "FrameDeadlineError",
        "FrameTimeWarning",
        "InvalidFrameError",
        "InvalidOptionsError",
        "MissingPackageError",
        "ModelLoadError",
        "ModelNotFoundError",
        "ModelNotReadyError",
        "ModelPullError",
        "ModelSpecError",
        "OverloadedError",
        "PermissionDeniedError",
        "RemoteError",
        "ServerUnavailableError",
        "SourceLostError",
        "StreamProtocolError",
        "TableError",
        "UnsupportedError",
        "WrongWorkerError",
    ),
    "ferserve.local": ("LocalClient",),
    "ferserve.options": ("Delivery", "FrameOptions", "Priority", "StreamOptions"),
    "ferserve.sources.images": ("ImageLike", "payload_of"),
    "ferserve.sources.iterables": ("StreamItem",),
    "ferserve.sources.live_source": ("LiveSource",),
    "ferserve.sources.source": ("VideoSource",),
    "ferserve.sources.status": ("SourceState", "SourceStatus"),
    "ferserve.types": (
        "Crops",
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
        "PixelFormat",
        "RawImage",
        "Timings",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "BoxesLike",
    "Client",
    "ConfigError",
    "Crops",
    "Delivery",
    "DeviceError",
    "DropReason",
    "EncodedImage",
    "Engine",
    "EngineConfig",
    "Face",
    "FerserveError",
    "Frame",
    "FrameDeadlineError",
    "FrameFault",
    "FrameOptions",
    "FrameResult",
    "FrameTimeWarning",
    "HeadPose",
    "HeadResult",
    "ImageLike",
    "InvalidFrameError",
    "InvalidOptionsError",
    "LiveSource",
    "LocalClient",
    "MissingPackageError",
    "ModelDescription",
    "ModelLoadError",
    "ModelNotFoundError",
    "ModelNotReadyError",
    "ModelPullError",
    "ModelSpecError",
    "ModelState",
    "OverloadedError",
    "PermissionDeniedError",
    "PixelFormat",
    "Priority",
    "RawImage",
    "RemoteError",
    "ServerUnavailableError",
    "SourceLostError",
    "SourceState",
    "SourceStatus",
    "StreamItem",
    "StreamOptions",
    "StreamProtocolError",
    "StreamSource",
    "TableError",
    "Timings",
    "Tls",
    "UnsupportedError",
    "VideoSource",
    "WrongWorkerError",
    "__version__",
    "payload_of",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    from ferserve.errors import explained_imports

    with explained_imports():
        value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
