"""Resume tokens of streams: what a server hands to clients, and what it makes of those that come back."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from ferserve.auth.resume_keys import ResumeKeys
from ferserve.config import ServerConfig
from ferserve.metrics import NO_METRICS, Metrics
from ferserve.scheduling.caller import Caller
from ferserve.types.handover import Handover
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.resume_token import Refusal, owner_digest, seal, unseal

if TYPE_CHECKING:
    from ferserve.scheduling.stream import EngineStream


class ResumeTokens:
    """Seals and reads tokens if the configuration names keys; otherwise nothing happens."""

    def __init__(self, config: ServerConfig, metrics: Metrics = NO_METRICS) -> None:
        """Reads the keys; raises :class:`ferserve.errors.ConfigError` as :func:`read_keys` does."""
        self._keys = ResumeKeys(config.resume_key_file) if config.resume_key_file else None
        self._every, self._max_age_s = config.resume_every, config.resume_max_age_s
        self._metrics = metrics

    def read(self, config: pb.StreamConfig, caller: Caller) -> Handover | None:
        """What the token in a stream's config says; None for no token, and for one that does not count."""
        if self._keys is None or not config.resume_state or not config.stream_id:
            return None
        owner = _owner(config.stream_id, caller)
        found = unseal(config.resume_state, owner, self._keys.now(), _now_ms(), self._max_age_s)
        if isinstance(found, Refusal):
            self._metrics.resume_token(found.value)
            return None
        self._metrics.resume_token("accepted")
        return found

    def attach(self, stream: EngineStream, caller: Caller) -> None:
        """Let a stream that has a name make tokens from now on."""
        if self._keys is not None and stream.options.stream_id:
            stream.seal_with(partial(self._seal, _owner(stream.options.stream_id, caller)), self._every)

    def _seal(self, owner: bytes, handover: Handover) -> bytes:
        assert self._keys is not None
        return seal(handover, owner, self._keys.now()[0], _now_ms())


def _owner(stream_id: str, caller: Caller) -> bytes:
    return owner_digest(stream_id, caller.name, authenticated=caller.authenticated)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
