"""What every request passes: the check of its origin, the headers of its answer, and errors as answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from ferserve.errors import quoted
from ferserve.web.refusals import ForeignHostError, ForeignOriginError, for_strangers, refusal

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Of every answer: the page runs its own files only, and nothing of it is sent elsewhere."""

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type, accept",
    "Access-Control-Max-Age": "600",
}
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """ASGI middleware around the page."""

    def __init__(self, app: ASGIApp, origins: Collection[str] = (), hosts: Collection[str] = ()) -> None:
        """``origins`` of other sites may call; ``hosts`` are the names that the page has, empty for any."""
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        send = self._with_headers(request, send)
        try:
            self._require_host(request)
            self._require_origin(request)
            if scope["type"] == "http" and scope["method"] == "OPTIONS" and "origin" in request.headers:
                await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
                return
            await self._app(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:
            answer = refusal(for_strangers(error, f"{scope.get('method', 'socket')} {scope['path']}"))
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(answer)
            else:
                await answer(scope, receive, send)

    def _require_host(self, request: HTTPConnection) -> None:
        host = request.headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._hosts and name.lower() not in self._hosts:
            raise ForeignHostError(
                f"host must be {', '.join(sorted(self._hosts))}, got {quoted(host)}; ask for the page under such a name"
            )

    def _require_origin(self, request: HTTPConnection) -> None:
        origin = request.headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower() != "":
            return
        raise ForeignOriginError(
            f"origin must be the page's own or one of server.web_origins, got {quoted(origin)}; "
            "add it there if its scripts may call"
        )

    def _with_headers(self, request: HTTPConnection, send: Send) -> Send:
        origin = request.headers.get("origin", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.add_vary_header("Origin")
                if origin in self._origins:
                    headers["Access-Control-Allow-Origin"] = origin
            await send(message)

        return send_with_headers
