"""Models that a caller is the first to ask for are loaded beside the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferserve.engine import Engine
    from ferserve.options import FrameOptions


async def load_models(engine: Engine, options: FrameOptions) -> None:
    """Load what ``options`` name, if it is not loaded; raises as :meth:`Engine.load` does."""
    for name in options.names:
        if not engine.is_loaded(name):
            await asyncio.to_thread(engine.load, name)
