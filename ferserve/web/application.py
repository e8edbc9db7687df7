"""The ASGI application: the page, the API behind it, and what guards both."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from ferserve._version import __version__
from ferserve.client import AsyncClient
from ferserve.config import EngineConfig, ServerConfig
from ferserve.engine import Engine
from ferserve.rendering.csv import CsvRenderer
from ferserve.server.calls import ActiveCalls
from ferserve.server.client_limit import ClientLimit
from ferserve.server.grpc_options import with_message_limit
from ferserve.types import FrameResult
from ferserve.web.bodies import Bodies
from ferserve.web.caller import Authenticate, Visitors, bearer_token
from ferserve.web.engine_upstream import EngineUpstream
from ferserve.web.guard import Guard
from ferserve.web.openapi import document
from ferserve.web.option_values import frame_options_of_query
from ferserve.web.server_upstream import ServerUpstream
from ferserve.web.stream_session import StreamSession, result_body
from ferserve.web.upstream import Upstream

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Most bytes of a socket's message, unless the configuration allows less: no camera's JPEG is larger, and a visitor may
have many sockets."""
STATIC = Path(str(files(__package__))) / "static"


def app(
    answers: Engine | AsyncClient,
    config: ServerConfig | None = None,
    *,
    authenticate: Authenticate | None = None,
    hosts: Collection[str] = (),
    demo_clip: Path | None = None,
) -> Starlette:
    """The page and its API as an ASGI application, which others can mount: every address in it is relative.

    Args:
        answers: The engine that answers, or a client of the server that does; neither is closed.
        config: Limits, and ``web_origins``; None for the defaults.
        authenticate: Tells who asks; None for the tokens of ``config.token_file``, without which everyone may.
        hosts: Names under which the page may be asked for; empty for any. A page for this machine alone should have
            :data:`ferserve.web.guard.LOOPBACK_NAMES`, so that no other site can lend it its name.
        demo_clip: A video that the page offers in place of a camera.

    Raises:
        ConfigError: The token file cannot be read.
    """
    max_pixels = answers.config.max_pixels if isinstance(answers, Engine) else EngineConfig().max_pixels
    config = with_message_limit(config or ServerConfig(), max_pixels)
    upstream: Upstream = EngineUpstream(answers, config) if isinstance(answers, Engine) else ServerUpstream(answers)
    api = _Api(upstream, config, authenticate or Visitors(config), demo_clip)
    origins = [origin.strip() for origin in config.web_origins.split(",") if origin.strip()]
    application = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/v1/classify", api.classify, methods=["POST"]),
            Route("/v1/models", api.models),
            Route("/v1/info", api.info),
            Route("/v1/demo", api.demo),
            Route("/v1/openapi.json", _openapi),
            WebSocketRoute("/v1/stream", api.stream),
        ],
        middleware=[Middleware(Guard, origins=origins, hosts=hosts)],
    )
    application.state.calls = api.calls
    application.state.max_frame_bytes = api.max_frame_bytes
    return application


class _Api:
    """The handlers of one application."""

    def __init__(
        self, upstream: Upstream, config: ServerConfig, authenticate: Authenticate, demo_clip: Path | None
    ) -> None:
        self.calls = ActiveCalls()
        self.max_frame_bytes = min(config.max_message_bytes, MAX_FRAME_BYTES)
        self._upstream = upstream
        self._config = config
        self._authenticate = authenticate
        self._demo_clip = demo_clip
        self._bodies = Bodies(config)
        self._streams = ClientLimit(
            "open streams", config.max_streams_per_client, "server.max_streams_per_client", "close one first"
        )
        self._requests = ClientLimit(
            "calls in flight", config.max_calls_per_client, "server.max_calls_per_client", "wait for an answer"
        )

    async def classify(self, request: Request) -> Response:
        """All faces of the picture in the body."""
        self.calls.track()
        caller = self._authenticate(request, bearer_token(request))
        options = frame_options_of_query(_single(request))
        with self._requests.hold(caller.name):
            picture = await self._bodies.read(request, caller.name)
            result = await self._upstream.classify(picture, options, caller)
        if "text/csv" in request.headers.get("accept", ""):
            return Response(await self._csv(result), media_type="text/csv")
        return JSONResponse(result_body(result))

    async def models(self, request: Request) -> Response:
        """Every model."""
        self._authenticate(request, bearer_token(request))
        return JSONResponse({"models": [model.to_dict() for model in await self._upstream.models()]})

    async def info(self, request: Request) -> Response:
        """What the page has to know before it begins."""
        demo = None if self._demo_clip is None else "v1/demo"
        return JSONResponse(
            {
                "version": __version__,
                "max_picture_bytes": self._config.max_message_bytes,
                "max_frame_bytes": self.max_frame_bytes,
                "demo_clip": demo,
            }
        )

    async def demo(self, request: Request) -> Response:
        """The demo's clip."""
        if self._demo_clip is None:
            return JSONResponse({"error": {"code": "not_found", "message": "there is no demo clip"}}, 404)
        return FileResponse(self._demo_clip)

    async def stream(self, socket: WebSocket) -> None:
        """One stream of frames."""
        session = StreamSession(socket, self._upstream, self._config, self._streams, self._authenticate)
        self.calls.track(session.drain)
        await session.run()

    async def _csv(self, result: FrameResult) -> str:
        for model in await self._upstream.models():
            if (model.name, model.version) == (result.model_name, result.model_version):
                table = CsvRenderer(model.heads)
                return "".join(f"{line}\r\n" for line in (table.header(), *table.lines(result)))
        raise LookupError(f"the model {result.model_name} went while it answered")


def _single(request: Request) -> dict[str, str]:
    return dict(request.query_params.multi_items())


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _openapi(request: Request) -> Response:
    return JSONResponse(await asyncio.to_thread(document))
