"""A stream by hand, with the metadata that proxies hash."""

from __future__ import annotations

from ferserve.wire.metadata import STREAM_KEY
from tests.serving.streams import RawStream, stub_of


async def server_of(address: str, stream_id: str) -> str:
    """Open a stream, and end it well; which server took it."""
    async with stub_of(address) as stub:
        stream = RawStream(stub, (STREAM_KEY, stream_id))
        version: str = (await stream.open(stream_id=stream_id)).model.version
        await stream.finish()
        return version
