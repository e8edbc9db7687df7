"""All errors that ferserve raises on purpose.

The taxonomy does not depend on gRPC: each class has a ``kind``, and ``ferserve/wire/status.py`` maps kinds to status
codes. Messages follow one grammar: ``<field> must be <expected>, got <actual>``, or, if no field is at fault, ``cannot
<do>: <reason>``; then the way out.
"""

from __future__ import annotations

from typing import ClassVar, Final

KIND_KEY: Final = "ferserve-error-kind"
"""Metadata key of an error's kind, so that a client raises the class that the server raised."""


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
    """No bundled model and no model in ``model_dir`` has this name."""

    kind = "model_not_found"


class ModelNotReadyError(FerserveError):
    """A model is loading, failed to load, or is shutting down."""

    kind = "model_not_ready"


class OverloadedError(FerserveError):
    """A bounded queue or a limit on streams is reached; try again later."""

    kind = "overloaded"


class WrongWorkerError(FerserveError):
    """Another worker of the same server should serve this stream; a new connection may reach it."""

    kind = "wrong_worker"


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


def explain_import(error: ImportError) -> ImportError:
    """The same error with the way out, if it is OpenCV that cannot be imported."""
    if error.name != "cv2":
        return error
    return ImportError(
        f"cannot import cv2: {error}; install one of OpenCV's wheels: `pip install opencv-python-headless`",
        name=error.name,
        path=error.path,
    )
