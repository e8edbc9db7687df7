"""The RPCs of ``inference.GRPCInferenceService``, each a few lines: find the model, let it answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import grpc

from ferserve import __version__
from ferserve.config import ServerConfig
from ferserve.errors import FerserveError, InvalidOptionsError, ModelNotFoundError, UnsupportedError, quoted
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.server.bridge import LoopBridge
from ferserve.server.callers import caller_of
from ferserve.server.calls import ActiveCalls
from ferserve.server.inference.catalogue import Catalogue, engine_name
from ferserve.server.inference.door import CallScope, Door
from ferserve.server.inference.sequences import Sequences
from ferserve.server.inference.stream import MAX_UNANSWERED, InferStream
from ferserve.server.model_admin import ModelAdmin
from ferserve.types import ModelState

if TYPE_CHECKING:
    from ferserve.engine import Engine

logger = logging.getLogger(__name__)

EXTENSIONS: Final = (
    "classification",
    "sequence",
    "model_repository",
    "model_configuration",
    "statistics",
    "parameters",
    "schedule_policy",
)
"""Of the protocol, as Triton names them."""
_UNSUPPORTED: Final = {
    "SystemSharedMemory": "send and read tensors in raw contents; a Unix domain socket (server.uds) copies as little",
    "CudaSharedMemory": "send and read tensors in raw contents; models take them to the device themselves",
    "TraceSetting": "read the stages of each request from ModelStatistics",
    "LogSettings": "start the server with -v",
}
"""The way out by the beginning of a method's name."""
_IGNORED_OF_LOADS: Final = ("unload_dependents",)


class InferenceServicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers calls through one engine. A :class:`ferserve.server.services.Service`."""

    name: str = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
    admin_methods = frozenset(
        f"/{pb.DESCRIPTOR.services_by_name['GRPCInferenceService'].full_name}/{method}"
        for method in ("RepositoryModelLoad", "RepositoryModelUnload")
    )
    """Full names of the methods that change what others get."""

    def __init__(self, engine: Engine, config: ServerConfig, is_ready: Callable[[], bool], admin: ModelAdmin) -> None:
        """``is_ready`` tells whether the server takes calls and works on them."""
        self._engine, self._config, self._is_ready, self._admin = engine, config, is_ready, admin
        self._calls = ActiveCalls()
        self._sequences = Sequences(config)

    def register(self, server: grpc.aio.Server) -> None:
        """See :meth:`ferserve.server.services.Service.register`."""
        door = Door(self._engine, LoopBridge(asyncio.get_running_loop()))
        self._models = Catalogue(door, self._sequences)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]

    async def drain(self, grace_s: float) -> None:
        """Answer what is in flight, then close the sequences. See :class:`ferserve.server.services.Service`."""
        logger.info("draining %s: calls in flight %d, grace %g s", self.name, len(self._calls), grace_s)
        await self._calls.drain(grace_s)
        self._sequences.close()

    async def ServerLive(self, request: pb.ServerLiveRequest, context: Any) -> pb.ServerLiveResponse:
        """True: the process answers."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request: pb.ServerReadyRequest, context: Any) -> pb.ServerReadyResponse:
        """As the health service says."""
        return pb.ServerReadyResponse(ready=self._is_ready())

    async def ServerMetadata(self, request: pb.ServerMetadataRequest, context: Any) -> pb.ServerMetadataResponse:
        """Name, version and extensions."""
        return pb.ServerMetadataResponse(name="ferserve", version=__version__, extensions=EXTENSIONS)

    async def ModelReady(self, request: pb.ModelReadyRequest, context: Any) -> pb.ModelReadyResponse:
        """Whether calls of the model are answered; false for one that does not exist."""
        try:
            model = await self._models.describe(request.name, request.version)
        except ModelNotFoundError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=model.state is ModelState.READY and self._is_ready())

    async def ModelMetadata(self, request: pb.ModelMetadataRequest, context: Any) -> pb.ModelMetadataResponse:
        """The tensors of a model."""
        self._calls.track()
        model = await self._models.find(request.name, request.version)
        return model.metadata(await self._models.versions(model.name))

    async def ModelConfig(self, request: pb.ModelConfigRequest, context: Any) -> pb.ModelConfigResponse:
        """How a model is served."""
        self._calls.track()
        return pb.ModelConfigResponse(config=(await self._models.find(request.name, request.version)).config)

    async def ModelInfer(self, request: pb.ModelInferRequest, context: Any) -> pb.ModelInferResponse:
        """Answer one request."""
        self._calls.track()
        model = await self._models.find(request.model_name, request.model_version)
        caller = caller_of(context)
        return await model.infer(request, CallScope(caller, context.peer(), caller.name))

    async def ModelStreamInfer(self, request_iterator: Any, context: Any) -> None:
        """Answer request after request."""
        scope = CallScope(caller_of(context), "", object())

        async def start(request: pb.ModelInferRequest) -> asyncio.Future[pb.ModelInferResponse]:
            try:
                model = await self._models.find(request.model_name, request.model_version)
            except FerserveError as error:
                failed: asyncio.Future[pb.ModelInferResponse] = asyncio.get_running_loop().create_future()
                failed.set_exception(error)
                return failed
            return asyncio.ensure_future(model.infer(request, scope))

        stream = InferStream(start, context, min(MAX_UNANSWERED, self._config.max_pending_results))
        self._calls.track(stream.drain)
        try:
            await stream.run()
        finally:
            self._sequences.close_scope(scope.sequences)

    async def ModelStatistics(self, request: pb.ModelStatisticsRequest, context: Any) -> pb.ModelStatisticsResponse:
        """Counts and durations of one model, or of all."""
        self._calls.track()
        return pb.ModelStatisticsResponse(model_stats=await self._models.statistics(request.name, request.version))

    async def RepositoryIndex(self, request: pb.RepositoryIndexRequest, context: Any) -> pb.RepositoryIndexResponse:
        """Every version of every model in both forms."""
        self._calls.track()
        _require_one_repository(request.repository_name)
        models = [
            pb.RepositoryIndexResponse.ModelIndex(
                name=name, version=model.version, state=model.state.value.upper(), reason=model.reason
            )
            for name, model in await self._models.descriptions()
            if model.state is ModelState.READY or not request.ready
        ]
        return pb.RepositoryIndexResponse(models=models)

    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: Any
    ) -> pb.RepositoryModelLoadResponse:
        """Read a model's files again; what was served before answers until the new is warm."""
        self._calls.track()
        key = _administered(request)
        await self._admin.load(key, context)
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: Any
    ) -> pb.RepositoryModelUnloadResponse:
        """Take a model from the callers to come."""
        self._calls.track()
        key = _administered(request)
        await self._admin.unload(key, context)
        return pb.RepositoryModelUnloadResponse()


def _administered(request: pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest) -> str:
    """What the engine calls the model that an administrator names."""
    _require_one_repository(request.repository_name)
    for name, given in request.parameters.items():
        if name not in _IGNORED_OF_LOADS or given.WhichOneof("parameter_choice") != "bool_param":
            raise UnsupportedError(
                f"cannot take the parameter {quoted(name)}: models come from files of the server; put it there"
            )
    return engine_name(request.model_name, "")


def _require_one_repository(name: str) -> None:
    if name:
        raise InvalidOptionsError(f"repository_name must be empty, got {quoted(name)}; this server has one repository")


def _unsupported(method: str) -> Callable[[InferenceServicer, Any, Any], Awaitable[Any]]:
    """A handler that says what to use instead."""
    way_out = next(words for start, words in _UNSUPPORTED.items() if method.startswith(start))

    async def handler(self: InferenceServicer, request: Any, context: Any) -> Any:
        raise UnsupportedError(f"cannot answer {method}: this server has no such extension; {way_out}")

    return handler


for _method in pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods:
    if _method.input_type is pb.UnsupportedRequest.DESCRIPTOR:
        setattr(InferenceServicer, _method.name, _unsupported(_method.name))
