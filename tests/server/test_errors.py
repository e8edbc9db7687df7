"""How errors become statuses."""

from __future__ import annotations

import logging
import re
from concurrent.futures import Future
from typing import Any

import grpc
import pytest

from ferserve import errors
from ferserve.config import EngineConfig
from ferserve.errors import KIND_KEY, FerserveError
from ferserve.metrics import NO_METRICS
from ferserve.types import FrameResult
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from ferserve.wire.status import STATUS_BY_KIND
from tests.serving.fixtures import StartServer
from tests.serving.streams import stub_of

# The product's own: training, which has further ones, may be loaded beside it.
ERRORS = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, FerserveError)]

OF_THE_SERVER = (errors.ConfigError, errors.ModelSpecError, errors.ModelPullError)
"""Their words name files and settings of the server."""


class _FailingEngine:
    """Stands in for an engine with a defect, which a real one cannot be made to have."""

    config = EngineConfig()
    metrics = NO_METRICS

    def __init__(self, error: Exception) -> None:
        self._error = error

    def is_loaded(self, name: str) -> bool:
        return True

    def stalled_s(self) -> float:
        return 0.0

    def submit(self, frame: Any, options: Any, caller: Any) -> Future[FrameResult]:
        future: Future[FrameResult] = Future()
        future.set_exception(self._error)
        return future

    def models(self) -> Any:
        raise self._error


@pytest.mark.parametrize("cls", [c for c in ERRORS if c not in (FerserveError, errors.RemoteError)])
async def test_each_error_arrives_with_its_status_its_kind_and_its_words(
    start_server: StartServer, cls: type[FerserveError]
) -> None:
    async with stub_of(await start_server(_FailingEngine(cls("x must be y, got ü")))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=b"x")))
    assert failure.value.code() is STATUS_BY_KIND[cls.kind]
    if cls in OF_THE_SERVER:
        assert re.fullmatch(
            r"model must be one .*, got another \(id [0-9a-f]{12}\); its log.*", failure.value.details()
        )
    else:
        assert re.fullmatch(r"x must be y, got ü \(request [0-9a-f]{12}\)", failure.value.details())
    assert as_dict(failure.value.trailing_metadata())[KIND_KEY] == cls.kind


async def test_an_unknown_error_tells_the_client_an_id_and_the_log_everything(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = await start_server(_FailingEngine(RuntimeError("the password is swordfish")))
    async with stub_of(address) as stub:
        with caplog.at_level(logging.ERROR), pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.ListModels(pb.ListModelsRequest())
    details = failure.value.details()
    assert failure.value.code() is grpc.StatusCode.INTERNAL
    assert details.startswith("internal error (id ")
    assert "swordfish" not in details
    (record,) = [r for r in caplog.records if r.name.startswith("ferserve")]
    assert details.removeprefix("internal error (id ").removesuffix(")") in record.getMessage()
    assert "request" not in details, "one id is enough"
    assert record.exc_info is not None
    assert "swordfish" in str(record.exc_info[1])


@pytest.mark.parametrize("letter", ["x", "語"])  # of one byte, and of nine in a header
async def test_a_very_long_message_still_arrives(start_server: StartServer, letter: str) -> None:
    async with stub_of(await start_server(_FailingEngine(errors.InvalidFrameError(letter * 100_000)))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.Classify(pb.ClassifyRequest(frame=pb.Frame(encoded=b"x")))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.value.details().startswith(3 * letter)
    assert re.search(r"\(request [0-9a-f]{12}\)$", failure.value.details())


async def test_bytes_that_are_no_message_are_the_clients_fault(address: str, caplog: pytest.LogCaptureFixture) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.stream_stream("/ferserve.v1.EmotionService/ClassifyStream")()
        await call.write(b"\xff\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call.read()
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "must be protobuf of its type" in failure.value.details()
    assert not [record for record in caplog.records if record.name.startswith("ferserve")]
