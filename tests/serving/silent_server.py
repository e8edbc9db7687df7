"""A server in a process of its own whose engine never answers, which a real one cannot be made to do."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from ferserve.config import EngineConfig, ServerConfig
from ferserve.metrics import NO_METRICS
from ferserve.server.run import serve
from ferserve.types import FrameResult


class SilentEngine:
    """Takes frames and keeps them."""

    runs_on = "nothing"
    config = EngineConfig()
    metrics = NO_METRICS

    def is_loaded(self, name: str) -> bool:
        return True

    def stalled_s(self) -> float:
        return 0.0

    def submit(self, frame: Any, options: Any, caller: Any) -> Future[FrameResult]:
        return Future()


if __name__ == "__main__":
    asyncio.run(serve(SilentEngine(), ServerConfig(port=0, grace_s=60)))
