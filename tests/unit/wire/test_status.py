"""Errors to statuses and back."""

from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from ferserve import errors
from ferserve.errors import KIND_KEY, FerserveError
from ferserve.wire.status import (
    MAX_DETAILS_BYTES,
    STATUS_BY_KIND,
    details_of,
    error_from_rpc,
    is_broken_connection,
    is_wrong_worker,
    status_of,
)

# The product's own: training, which has further ones, may be loaded beside it.
ERRORS = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, FerserveError)]
TOLD = [c for c in ERRORS if c not in (FerserveError, errors.RemoteError)]


def _ended(code: grpc.StatusCode, details: str = "", kind: str = "") -> AioRpcError:
    trailing = Metadata((KIND_KEY, kind)) if kind else Metadata()
    return AioRpcError(code, Metadata(), trailing, details)


def test_every_kind_has_a_status() -> None:
    assert set(STATUS_BY_KIND) == {cls.kind for cls in ERRORS}


def test_the_table_says_what_clients_rely_on() -> None:
    code = grpc.StatusCode
    assert STATUS_BY_KIND[errors.InvalidFrameError.kind] is code.INVALID_ARGUMENT
    assert STATUS_BY_KIND[errors.StreamProtocolError.kind] is code.INVALID_ARGUMENT
    assert STATUS_BY_KIND[errors.ModelNotFoundError.kind] is code.NOT_FOUND
    assert STATUS_BY_KIND[errors.ModelNotReadyError.kind] is code.UNAVAILABLE
    assert STATUS_BY_KIND[errors.OverloadedError.kind] is code.RESOURCE_EXHAUSTED
    assert STATUS_BY_KIND[errors.FrameDeadlineError.kind] is code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("cls", TOLD)
def test_an_error_comes_back_as_its_own_class(cls: type[FerserveError]) -> None:
    error = cls("x must be y, got z")
    back = error_from_rpc(_ended(status_of(error), str(error), error.kind), "host:1")
    assert (type(back), str(back)) == (cls, str(error))


@pytest.mark.parametrize("code", grpc.StatusCode)
@pytest.mark.parametrize("kind", ["", "of_a_newer_server", "internal"])
def test_a_status_without_a_known_kind_still_becomes_one_of_our_errors(code: grpc.StatusCode, kind: str) -> None:
    back = error_from_rpc(_ended(code, "no such luck", kind), "host:1", timeout_s=3)
    if code is grpc.StatusCode.UNAVAILABLE:
        assert isinstance(back, errors.ServerUnavailableError)
        assert "host:1: no such luck" in str(back)
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        assert isinstance(back, errors.FrameDeadlineError)
        assert "within 3 s" in str(back)
    else:
        assert isinstance(back, errors.RemoteError)
        assert (back.code, str(back)) == (code.name, "no such luck")


def test_only_broken_connections_and_stopping_servers_are_worth_a_second_try() -> None:
    code = grpc.StatusCode
    assert is_broken_connection(_ended(code.UNAVAILABLE))
    assert is_broken_connection(_ended(code.UNAVAILABLE, kind="model_not_ready"))
    assert not is_broken_connection(_ended(code.INTERNAL, kind="internal"))
    assert not is_broken_connection(_ended(code.INVALID_ARGUMENT))
    assert not is_broken_connection(_ended(code.UNAVAILABLE, kind="wrong_worker"))
    assert is_wrong_worker(_ended(code.UNAVAILABLE, kind="wrong_worker"))
    assert not is_wrong_worker(_ended(code.UNAVAILABLE))


@pytest.mark.parametrize("letter", ["x", "ü", "語"])
def test_details_are_cut_between_letters(letter: str) -> None:
    cut = details_of(letter * 5000)
    assert set(cut) == {letter}
    assert MAX_DETAILS_BYTES - 3 < len(cut.encode()) <= MAX_DETAILS_BYTES
    assert details_of(letter) == letter
