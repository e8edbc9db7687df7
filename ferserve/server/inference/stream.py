"""One call of ``ModelStreamInfer``: many requests, each answered once, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from ferserve.errors import KIND_KEY, FerserveError, ModelNotReadyError
from ferserve.inference import service_pb2 as pb
from ferserve.server.interceptors import refusal_of
from ferserve.wire.inference.responses import FINAL
from ferserve.wire.metadata import as_dict

_METHOD: Final = "/inference.GRPCInferenceService/ModelStreamInfer"
_ERRORS_END_IT: Final = "triton_grpc_error"
"""Metadata of a client that wants the first error as the status of the call."""
MAX_UNANSWERED: Final = 32
"""Requests that are taken before the first of them is answered."""

Start = Callable[[pb.ModelInferRequest], Awaitable["asyncio.Future[pb.ModelInferResponse]"]]


@dataclass(slots=True)
class _Taken:
    """A request that waits for its answer."""

    request: pb.ModelInferRequest
    answer: asyncio.Future[pb.ModelInferResponse]


class InferStream:
    """Serves one call: a task reads requests, the caller's task writes the answers."""

    def __init__(self, start: Start, context: Any, max_unanswered: int) -> None:
        """``start`` begins to answer a request; what it returns raises what makes the request fail."""
        self._start, self._context = start, context
        self._permits = asyncio.Semaphore(max_unanswered)
        self._taken: asyncio.Queue[_Taken | BaseException | None] = asyncio.Queue()
        self._reader: asyncio.Future[None] | None = None
        self._draining = False

    def drain(self) -> None:
        """Take no further request, answer those taken, then end the call."""
        self._draining = True
        if self._reader is not None:
            self._reader.cancel()

    async def run(self) -> None:
        """Serve until the client half-closes and every request is answered; raises the error that ends the call."""
        ends_with_error = as_dict(self._context.invocation_metadata()).get(_ERRORS_END_IT, "").lower() == "true"
        self._reader = asyncio.ensure_future(self._read())
        self._reader.add_done_callback(self._on_reader_done)
        if self._draining:
            self._reader.cancel()
        taken = None
        try:
            while (taken := await self._taken.get()) is not None:
                if isinstance(taken, BaseException):
                    raise taken
                response = await self._response(taken, ends_with_error=ends_with_error)
                await self._context.write(response)
                self._permits.release()
        finally:
            self._reader.cancel()
            self._cancel(taken)

    async def _read(self) -> None:
        try:
            while True:
                await self._permits.acquire()
                request = await self._context.read()
                if request is grpc.aio.EOF:
                    self._taken.put_nowait(None)
                    return
                self._taken.put_nowait(_Taken(request, await self._start(request)))
        except Exception as error:
            self._taken.put_nowait(error)

    def _on_reader_done(self, reader: asyncio.Future[None]) -> None:
        if reader.cancelled():
            self._taken.put_nowait(
                ModelNotReadyError("server must be running, got shutting down; open the stream again to go on")
            )

    async def _response(self, taken: _Taken, *, ends_with_error: bool) -> pb.ModelStreamInferResponse:
        try:
            response = await taken.answer
        except Exception as error:
            if ends_with_error:
                raise
            refusal = refusal_of(error, _METHOD)
            return pb.ModelStreamInferResponse(
                error_message=str(refusal), infer_response=_failed(taken.request, refusal)
            )
        response.parameters[FINAL].bool_param = True
        return pb.ModelStreamInferResponse(infer_response=response)

    def _cancel(self, taken: Any) -> None:
        """Give up what is not answered: the call is over."""
        waiting = [taken]
        while not self._taken.empty():
            waiting.append(self._taken.get_nowait())
        for item in waiting:
            if isinstance(item, _Taken):
                item.answer.cancel()
                item.answer.add_done_callback(_retrieve)


def _failed(request: pb.ModelInferRequest, refusal: FerserveError) -> pb.ModelInferResponse:
    message = pb.ModelInferResponse(model_name=request.model_name, model_version=request.model_version, id=request.id)
    message.parameters[FINAL].bool_param = True
    message.parameters[KIND_KEY].string_param = refusal.kind
    return message


def _retrieve(answer: asyncio.Future[pb.ModelInferResponse]) -> None:
    """Note the error of an answer that nobody waits for, so that asyncio does not log it."""
    if not answer.cancelled():
        answer.exception()
