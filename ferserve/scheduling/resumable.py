"""The tracks of streams whose connection broke, kept for the return of those who opened them."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ferserve.config import EngineConfig
from ferserve.scheduling.caller import Caller
from ferserve.tracking.state import StreamState
from ferserve.types import ModelDescription
from ferserve.types.handover import Handover, head_digest

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class ResumeKey:
    """What a stream is found by: its name, and who may resume it."""

    client: str
    """Whose part of the room it takes."""
    token: bytes
    """The secret that only the first client was told; empty if its identity is known, or the stream has no name."""
    digest: bytes
    """Of all that must be equal. It is looked up in place of the token, so the time that takes says nothing of it."""

    @classmethod
    def of(cls, stream_id: str, caller: Caller, token: bytes) -> ResumeKey:
        """The key of a stream of that name, for ``caller`` with ``token``."""
        owner, token = (caller.name.encode(), b"") if caller.authenticated else (b"", token)
        digest = hashlib.blake2b(repr((stream_id, caller.authenticated, owner, token)).encode()).digest()
        return cls(caller.name, token, digest)

    @classmethod
    def new(cls, stream_id: str, caller: Caller) -> ResumeKey:
        """The key of a new stream."""
        needs_token = bool(stream_id) and not caller.authenticated
        return cls.of(stream_id, caller, secrets.token_bytes(_TOKEN_BYTES) if needs_token else b"")


@dataclass(frozen=True)
class ResumableStream:
    """The state of a closed stream and the last frame that a worker took up."""

    key: ResumeKey
    state: StreamState
    last_frame_id: int
    expires: float
    size_bytes: int


def taken_over(
    handover: Handover, state: StreamState, models: Sequence[ModelDescription], stream_id: str, caller: Caller
) -> ResumableStream:
    """The stream of another server, with ``state``, a new one, taking its place; ``models`` answer it here."""
    heads = {head_digest(*head): head for model in models for head in model.heads.items()}
    state.take_over(handover, heads)
    return ResumableStream(ResumeKey.new(stream_id, caller), state, handover.frame_id, 0.0, state.size_bytes)


class ResumableStreams:
    """Closed streams by their key, the longest gone first. Not thread-safe: the caller holds a lock.

    A client that keeps too many makes room itself; if all together are too many or too large, the one that takes most
    of it does. So invented streams evict nobody else's.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._streams: dict[bytes, ResumableStream] = {}
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._streams)

    def holds(self) -> tuple[int, int]:
        """What is kept now: its number, and its bytes."""
        self._forget_old()
        return len(self), self._bytes.total()

    def put(self, key: ResumeKey, state: StreamState, last_frame_id: int) -> None:
        """Keep the state of a stream from now on."""
        self._remove(key.digest)
        expires = time.monotonic() + self._config.resume_s
        self._streams[key.digest] = ResumableStream(key, state, last_frame_id, expires, state.size_bytes)
        self._counts[key.client] += 1
        self._bytes[key.client] += state.size_bytes
        self._forget_old()
        while self._has_too_many(key.client):
            self._remove_oldest(key.client)
        while len(self) > self._config.max_resumable or self._bytes.total() > self._config.max_resumable_bytes:
            self._remove_oldest(max(self._bytes, key=self._bytes.__getitem__))

    def _has_too_many(self, client: str) -> bool:
        most, most_bytes = self._config.max_resumable_per_client, self._config.max_resumable_bytes_per_client
        return self._counts[client] > most or self._bytes[client] > most_bytes

    def take(self, key: ResumeKey) -> ResumableStream | None:
        """Hand out and forget the stream of that key; None if there is none, or no longer."""
        self._forget_old()
        return self._remove(key.digest)

    def _forget_old(self) -> None:
        now = time.monotonic()
        while self._streams and next(iter(self._streams.values())).expires <= now:
            self._remove(next(iter(self._streams)))

    def _remove_oldest(self, client: str) -> None:
        self._remove(next(digest for digest, stream in self._streams.items() if stream.key.client == client))

    def _remove(self, digest: bytes) -> ResumableStream | None:
        stream = self._streams.pop(digest, None)
        if stream is not None:
            client = stream.key.client
            self._counts[client] -= 1
            self._bytes[client] -= stream.size_bytes
            if not self._counts[client]:
                del self._counts[client], self._bytes[client]
        return stream
