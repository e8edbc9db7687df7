"""Errors as answers: HTTP statuses and close codes by the kind of an error."""

from __future__ import annotations

import logging
import uuid
from typing import Any, Final

from starlette.responses import JSONResponse

from ferserve.errors import ConfigError, FerserveError, ModelLoadError, ModelPullError, ModelSpecError
from ferserve.server.logs import one_line

logger = logging.getLogger(__name__)

STATUS_BY_KIND: Final[dict[str, int]] = {
    "invalid_frame": 400,
    "invalid_options": 400,
    "stream_protocol": 400,
    "model_not_found": 404,
    "model_not_ready": 503,
    "overloaded": 429,
    "wrong_worker": 503,
    "frame_deadline": 504,
    "server_unavailable": 503,
    "device": 503,
    "unauthenticated": 401,
    "permission_denied": 403,
    "unsupported": 501,
    "foreign_origin": 403,
    "foreign_host": 403,
    "too_large": 413,
}
"""HTTP status of each kind of error; 500 of all others."""

_RETRY_LATER: Final = {"model_not_ready", "overloaded", "wrong_worker", "server_unavailable", "device"}
POLICY_VIOLATION, INTERNAL_ERROR, TRY_AGAIN_LATER = 1008, 1011, 1013
"""Close codes of RFC 6455 and its registry."""


class ForeignOriginError(FerserveError):
    """A script of another site asks, which the configuration does not name."""

    kind = "foreign_origin"


class ForeignHostError(FerserveError):
    """The page is asked for under a name that is not this machine's: another site may have lent it its own."""

    kind = "foreign_host"


class TooLargeError(FerserveError):
    """A body is larger than a message may be."""

    kind = "too_large"


def for_strangers(error: Exception, what: str) -> FerserveError:
    """``error`` as it may be told; what is the server's own fault is logged, and the answer names the log's entry."""
    own_fault = (ConfigError, ModelSpecError, ModelPullError, ModelLoadError)
    if isinstance(error, FerserveError) and not isinstance(error, own_fault) and error.kind not in ("internal",):
        logger.info("%s refused: %s: %s", what, error.kind, one_line(str(error)))
        return error
    error_id = uuid.uuid4().hex[:12]
    if isinstance(error, own_fault):
        logger.warning("error %s in %s: %s: %s", error_id, what, error.kind, one_line(str(error)))
    else:
        logger.error("internal error %s in %s", error_id, what, exc_info=error)
    return FerserveError(f"internal error (id {error_id}); the server's log says more")


def refusal(error: FerserveError) -> JSONResponse:
    """The HTTP answer of ``error``."""
    headers = {"Retry-After": "1"} if error.kind in _RETRY_LATER else None
    return JSONResponse({"error": error_body(error)}, STATUS_BY_KIND.get(error.kind, 500), headers)


def error_body(error: FerserveError) -> dict[str, Any]:
    """``error`` in the types of JSON."""
    return {"code": error.kind, "message": str(error)}


def close_code(error: FerserveError) -> int:
    """How a socket is closed after ``error``."""
    if error.kind in _RETRY_LATER:
        return TRY_AGAIN_LATER
    return POLICY_VIOLATION if STATUS_BY_KIND.get(error.kind, 500) < 500 else INTERNAL_ERROR
