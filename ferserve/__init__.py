"""ferserve: live facial-expression recognition as a service.

Importing this package loads nothing: each name below is imported from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferserve._version import __version__

if TYPE_CHECKING:
    from ferserve.client import AsyncClient, Client
    from ferserve.config import Tls
    from ferserve.errors import FerserveError
    from ferserve.options import Delivery, FrameOptions, Priority, StreamOptions
    from ferserve.types import Crops, EncodedImage, Face, Frame, FrameResult, ModelDescription, PixelFormat, RawImage

_HOMES = {
    "ferserve.client": ("AsyncClient", "Client"),
    "ferserve.config": ("Tls",),
    "ferserve.errors": ("FerserveError",),
    "ferserve.options": ("Delivery", "FrameOptions", "Priority", "StreamOptions"),
    "ferserve.types": (
        "Crops",
        "EncodedImage",
        "Face",
        "Frame",
        "FrameResult",
        "ModelDescription",
        "PixelFormat",
        "RawImage",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncClient",
    "Client",
    "Crops",
    "Delivery",
    "EncodedImage",
    "Face",
    "FerserveError",
    "Frame",
    "FrameOptions",
    "FrameResult",
    "ModelDescription",
    "PixelFormat",
    "Priority",
    "RawImage",
    "StreamOptions",
    "Tls",
    "__version__",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
