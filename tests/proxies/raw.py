"""A stream by hand, with the metadata that proxies hash."""

from __future__ import annotations

from ferserve.wire.metadata import INSTANCE_KEY, STREAM_KEY, as_dict
from tests.serving.streams import RawStream, stub_of


async def server_of(address: str, stream_id: str) -> str:
    """Open a stream, and end it well; which server took it."""
    async with stub_of(address) as stub:
        stream = RawStream(stub, (STREAM_KEY, stream_id))
        await stream.open(stream_id=stream_id)
        instance = as_dict(await stream.call.initial_metadata())[INSTANCE_KEY]
        await stream.finish()
        return instance.partition(":")[0]
