"""Every error that ferserve raises on purpose.

The taxonomy knows nothing of gRPC: each class carries a ``kind`` and ``ferserve/wire/status.py`` maps kinds to
status codes. Messages follow one grammar, ``<field> must be <expected>, got <actual>``, then the way out.
"""

from __future__ import annotations

from typing import ClassVar, Final

KIND_KEY: Final = "ferserve-error-kind"
"""The name under which a kind travels beside an error's text, so that a client raises what the server raised."""


class FerserveError(Exception):
    """Base of all errors below; ``kind`` names the error for status tables and metrics."""

    kind: ClassVar[str] = "internal"


class InvalidFrameError(FerserveError, ValueError):
    """A frame that cannot be read: undecodable, too large, or of the wrong size for its format."""

    kind = "invalid_frame"


class StreamProtocolError(FerserveError):
    """A stream that breaks the grammar: no config first, or frame ids that do not rise."""

    kind = "stream_protocol"


class InvalidOptionsError(FerserveError, ValueError):
    """Options of a call or a stream that are out of range or do not fit together."""

    kind = "invalid_options"


class ModelNotFoundError(FerserveError, LookupError):
    """A model name that no folder of models knows."""

    kind = "model_not_found"


class ModelNotReadyError(FerserveError):
    """A model that is loading, failed to load, or is shutting down."""

    kind = "model_not_ready"


class OverloadedError(FerserveError):
    """A bounded queue or a limit on streams is full; try again later."""

    kind = "overloaded"


class WrongWorkerError(FerserveError):
    """A stream that another worker of the same server should carry; a new connection may lead there."""

    kind = "wrong_worker"


class FrameDeadlineError(FerserveError):
    """A frame whose deadline passed before it was answered."""

    kind = "frame_deadline"


class ConfigError(FerserveError, ValueError):
    """A configuration value that is unknown or out of range."""

    kind = "config"


class ModelSpecError(FerserveError, ValueError):
    """A model file that does not say what it is, or says it wrongly."""

    kind = "model_spec"


class ModelPullError(FerserveError, OSError):
    """A model that could not be fetched, or that is not the one that was asked for."""

    kind = "model_pull"


class ServerUnavailableError(FerserveError, ConnectionError):
    """The client could not reach its server within the time that it was given."""

    kind = "server_unavailable"


class RemoteError(FerserveError):
    """The server failed in a way that is not the client's fault; ``code`` is the gRPC status name."""

    kind = "remote"

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code
