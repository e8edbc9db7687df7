"""The workers of one server tell each other what an administrator wants: his call reaches one of them."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from ferserve.errors import ModelLoadError
from ferserve.v1 import emotion_pb2_grpc
from ferserve.wire.metadata import as_dict

SECRET_KEY = "ferserve-peer-secret"


@dataclass(frozen=True)
class Peers:
    """The other workers, and what they know each other by."""

    addresses: Sequence[str]
    secret: str
    """The addresses can be read by every process of the machine; this cannot."""

    async def tell(self, method: str, request: Any, context: Any) -> None:
        """Call ``method`` of all others; raises :class:`ModelLoadError` if one does not do it."""
        timeout_s = context.time_remaining()
        calls = (self._call(address, method, request, timeout_s) for address in self.addresses)
        failures = [failure for failure in await asyncio.gather(*calls) if failure]
        if failures:
            raise ModelLoadError(
                f"cannot do that in {len(failures)} of {len(self.addresses) + 1} workers: {failures[0]}; call again"
            )

    async def _call(self, address: str, method: str, request: Any, timeout_s: float | None) -> str:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = emotion_pb2_grpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                await getattr(stub, method)(request, timeout=timeout_s, metadata=((SECRET_KEY, self.secret),))
            except grpc.aio.AioRpcError as error:
                return str(error.details() or error.code().name)
        return ""

    async def require_peer(self, context: Any) -> None:
        """End a call that comes from nobody of ours, as if the method were not there."""
        told = as_dict(context.invocation_metadata()).get(SECRET_KEY, "")
        if not hmac.compare_digest(told.encode(), self.secret.encode()):
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
