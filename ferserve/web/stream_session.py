"""One open socket: reads frames, answers them in order, and reads no faster than it may."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ferserve.config import ServerConfig
from ferserve.errors import FerserveError, InvalidOptionsError, ModelNotReadyError, StreamProtocolError
from ferserve.rendering.json import SCHEMA_VERSION, rounded
from ferserve.server.client_limit import ClientLimit
from ferserve.types import FrameResult
from ferserve.web.caller import Authenticate
from ferserve.web.frame_message import frame_of
from ferserve.web.option_values import stream_options_of_json
from ferserve.web.refusals import close_code, error_body, for_strangers
from ferserve.web.upstream import FrameStream, Upstream

_MAX_CONFIG = 16 * 1024
"""Characters of a config; each of its values is far shorter."""


class StreamSession:
    """Serves one socket, from its config to its end.

    A reader task sends frames upstream; the caller's task writes the answers. Without room for another unanswered frame
    nothing is read, TCP's window fills up, and the page has to skip frames.
    """

    def __init__(
        self,
        socket: WebSocket,
        upstream: Upstream,
        config: ServerConfig,
        limit: ClientLimit,
        authenticate: Authenticate,
    ) -> None:
        self._socket = socket
        self._upstream = upstream
        self._config = config
        self._limit = limit
        self._authenticate = authenticate
        self._token = ""
        self._stream: FrameStream | None = None
        self._reader: asyncio.Task[None] | None = None
        self._draining = False

    def drain(self) -> None:
        """Take no further frame, answer those taken, then close: the page may open another socket elsewhere."""
        self._draining = True
        if self._reader is not None:
            self._reader.cancel()
        if self._stream is not None:
            self._stream.end(_shutting_down())

    async def run(self) -> None:
        """Accept and serve the socket; what ends it is told to the client in a last message."""
        await self._socket.accept()
        try:
            await self._serve()
        except WebSocketDisconnect:
            pass
        except Exception as error:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone meanwhile
                await self._refuse(for_strangers(error, "stream"))

    async def _serve(self) -> None:
        values = await self._read_config()
        self._token = _text(values, "token")
        caller = self._authenticate(self._socket, self._token)
        resume_token = _bytes(values, "resume_token")
        options = stream_options_of_json(values)
        if self._draining:
            raise _shutting_down()
        with self._limit.hold(caller.name):
            async with self._upstream.stream(options, caller, resume_token) as stream:
                self._stream = stream
                await self._send({"type": "started", **_started(stream)})
                self._reader = asyncio.ensure_future(self._read_frames(stream))
                try:
                    await self._write_answers(stream)
                finally:
                    self._stream = None
                    self._reader.cancel()

    async def _read_config(self) -> dict[str, Any]:
        timeout_s = self._config.receive_timeout_s
        try:
            message = await asyncio.wait_for(self._receive(), timeout_s)
        except asyncio.TimeoutError:
            raise StreamProtocolError(f"config must arrive within {timeout_s:g} s, got none; send it first") from None
        if not isinstance(message, str):
            raise StreamProtocolError("the first message must be a config as JSON, got a binary one")
        try:
            values = json.loads(message) if len(message) <= _MAX_CONFIG else None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise StreamProtocolError(
                f"config must be a JSON object of at most {_MAX_CONFIG} characters, got other text; see docs/web.md"
            )
        return values

    async def _read_frames(self, stream: FrameStream) -> None:
        """Send frame after frame upstream; what ends the stream is queued behind the answers."""
        try:
            while True:
                message = await self._receive()
                if isinstance(message, str):
                    raise StreamProtocolError("messages after the config must be binary frames, got text")
                self._authenticate(self._socket, self._token)  # it may be revoked by now
                await stream.send(frame_of(message))
        except Exception as error:
            stream.end(error)

    async def _receive(self) -> str | bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        text, data = message.get("text"), message.get("bytes")
        return text if text is not None else data or b""

    async def _write_answers(self, stream: FrameStream) -> None:
        while (result := await stream.next()) is not None:
            await self._send({"type": "result", **result_body(result)})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message, separators=(",", ":")))

    async def _refuse(self, error: FerserveError) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._send({"type": "error", "error": error_body(error)})
            await self._socket.close(close_code(error))


def result_body(result: FrameResult) -> dict[str, Any]:
    """``result`` as ``ferserve stream --json`` prints it."""
    return {"schema_version": SCHEMA_VERSION, **rounded(result.to_dict())}


def _started(stream: FrameStream) -> dict[str, Any]:
    token = base64.b64encode(stream.resume_token).decode()
    return {"model": stream.model.to_dict(), "resumed": stream.resumed, "resume_token": token}


def _text(values: dict[str, Any], name: str) -> str:
    value = values.pop(name, "")
    if not isinstance(value, str):
        raise InvalidOptionsError(f"{name} must be text, got {type(value).__name__}")
    return value


def _bytes(values: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(values, name), validate=True)
    except ValueError:
        raise InvalidOptionsError(f"{name} must be Base64, got other text; send it as it came") from None


def _shutting_down() -> ModelNotReadyError:
    return ModelNotReadyError("server must be running, got shutting down; open the stream again to go on")
