"""All errors that ferserve raises on purpose.

The taxonomy does not depend on gRPC: each class has a ``kind``, and ``ferserve/wire/status.py`` maps kinds to status
codes. Messages follow one grammar: ``<field> must be <expected>, got <actual>``, or, if no field is at fault, ``cannot
<do>: <reason>``; then the way out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar, Final

KIND_KEY: Final = "ferserve-error-kind"
"""Metadata key of an error's kind, so that a client raises the class that the server raised."""


MAX_QUOTED: Final = 80
"""Characters of a stranger's value in a message."""


def quoted(value: object) -> str:
    """``repr`` of a value for a message, and no more of it than tells which one it is."""
    if isinstance(value, (str, bytes)) and len(value) > MAX_QUOTED:
        return f"{value[:MAX_QUOTED]!r}... of {len(value)}"
    text = repr(value)
    return text if len(text) <= 2 * MAX_QUOTED else f"{text[: 2 * MAX_QUOTED]}... of {len(text)}"


class FerserveError(Exception):
    """Base class of all errors; ``kind`` names the class in status tables and metrics."""

    kind: ClassVar[str] = "internal"


class InvalidFrameError(FerserveError, ValueError):
    """A frame cannot be read: it is damaged, too large, or of the wrong size for its format."""

    kind = "invalid_frame"


class StreamProtocolError(FerserveError):
    """A stream breaks the protocol: a frame before the config, a second config, or frame ids that do not rise."""

    kind = "stream_protocol"


class InvalidOptionsError(FerserveError, ValueError):
    """Options of a call or a stream are of the wrong type, out of range, or contradict each other."""

    kind = "invalid_options"


class ModelNotFoundError(FerserveError, LookupError):
    """No model at hand has this name, or no version of it this one."""

    kind = "model_not_found"


class ModelNotReadyError(FerserveError):
    """A model is loading, failed to load or was unloaded, or the server is shutting down."""

    kind = "model_not_ready"


class ModelLoadError(FerserveError):
    """A model could not be loaded while the server runs; what it served before goes on."""

    kind = "model_load"


class DeviceError(FerserveError):
    """The device that runs a model failed or is gone, such as a GPU that fell off the bus."""

    kind = "device"


class OverloadedError(FerserveError):
    """A bounded queue or a limit on streams is reached; try again later. ``limit`` is the setting, if one sets it."""

    kind = "overloaded"

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class WrongWorkerError(FerserveError):
    """Another worker of the same server should serve this stream; a new connection may reach it."""

    kind = "wrong_worker"


class UnsupportedError(FerserveError):
    """A protocol on the port has this call or form, and this server does not, or it is turned off."""

    kind = "unsupported"


class AuthenticationError(FerserveError):
    """The server does not know who calls: a token is missing, wrong or revoked."""

    kind = "unauthenticated"


class PermissionDeniedError(FerserveError):
    """The server knows who calls, and they may not do this."""

    kind = "permission_denied"


class FrameDeadlineError(FerserveError):
    """The deadline of a frame passed before its result was ready."""

    kind = "frame_deadline"


class ConfigError(FerserveError, ValueError):
    """A configuration key is unknown, or its value is out of range."""

    kind = "config"


class ModelSpecError(FerserveError, ValueError):
    """A model file has no valid spec."""

    kind = "model_spec"


class ModelPullError(FerserveError, OSError):
    """A model could not be fetched, or its digest is wrong."""

    kind = "model_pull"


class TableError(FerserveError, ValueError):
    """A table of faces is not what it should be: it cannot be read, or lacks columns that are needed."""

    kind = "table"


class ServerUnavailableError(FerserveError, ConnectionError):
    """The client could not reach its server in time."""

    kind = "server_unavailable"


class SourceLostError(FerserveError, ConnectionError):
    """A camera, a stream or a file that stopped before its end and did not come back."""

    kind = "source_lost"


class FrameTimeWarning(UserWarning):
    """Frames whose times are missing or do not rise, so that smoothing may see another film."""


class RemoteError(FerserveError):
    """The server failed through no fault of the client; ``code`` is the name of the gRPC status."""

    kind = "remote"

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code


class MissingPackageError(ImportError):
    """A package that this call needs is not installed, or cannot be loaded; the message says what to install."""


_WEB: Final = "the page needs the extra web: `pip install 'ferserve[web]'`"
_ANALYSIS: Final = "tables and plots need the extra analysis: `pip install 'ferserve[analysis]'`"
_REMEDIES: Final = {
    "cv2": "install one of OpenCV's wheels: `pip install opencv-python-headless`",
    "av": "videos need PyAV and NumPy: `pip install av numpy`",
    "numpy": "arrays need NumPy: `pip install numpy`",
    "simplejpeg": "arrays travel as JPEG by simplejpeg: `pip install simplejpeg`, or choose the encoding raw",
    "pyarrow": _ANALYSIS,
    "pandas": _ANALYSIS,
    "matplotlib": _ANALYSIS,
    "ray": "clusters need the extra ray: `pip install 'ferserve[ray]'`, on every node",
    "starlette": _WEB,
    "uvicorn": _WEB,
    "websockets": _WEB,
    "paho": "messages to a broker need the extra mqtt: `pip install 'ferserve[mqtt]'`",
    "ferserve": "ferserve-client is a client alone: `pip install ferserve`",
}
"""What to do if a package cannot be imported."""


def explain_import(error: ImportError) -> ImportError:
    """The error with the way out, a :class:`MissingPackageError`, if one is known for the package."""
    package = (error.name or "").partition(".")[0]
    ours = package == "ferserve" and not isinstance(error, ModuleNotFoundError)  # a fault of ours, no missing package
    if package not in _REMEDIES or ours or isinstance(error, MissingPackageError):
        return error
    message = f"cannot import {error.name}: {error}; {_REMEDIES[package]}"
    return MissingPackageError(message, name=error.name, path=error.path)


@contextlib.contextmanager
def explained_imports() -> Iterator[None]:
    """Imports inside that fail raise :class:`MissingPackageError`, if the way out is known."""
    try:
        yield
    except ImportError as error:
        raise explain_import(error) from error
