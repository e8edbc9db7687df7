"""How long streams stay unanswered if their server is killed behind a proxy, and what they keep.

    python -m tests.benchmarks.failover [--cameras 9] [--fps 10] [--seconds 6]

Three servers share a resume key. Cameras film through Envoy, then through HAProxy; half-way one server is killed.
Prints per proxy: the longest time between two answers, of the streams that were on it and of the others; how many
streams have the ids of an undisturbed run, and the share of the frames with its label.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ferserve
from ferserve.bench.clips import Clip, make_clip
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame, FrameResult
from tests.proxies.backends import NAMES, Backend, Backends
from tests.proxies.proxy import PROXIES, Proxy
from tests.proxies.raw import server_of


@dataclass
class _Film:
    """One camera; times are monotonic s."""

    number: int
    results: list[tuple[float, FrameResult]] = field(default_factory=list)

    def play(self, address: str, clip: Clip, fps: float, seconds: float) -> None:
        """Until the film ends."""
        options = StreamOptions(stream_id=f"camera-{self.number}", delivery=Delivery.EVERY)
        with ferserve.Client(address) as client:
            for result in client.stream(_frames(clip, self.number, fps, seconds), options):
                self.results.append((time.monotonic(), result))

    def labels(self) -> list[str]:
        return [result.faces[0].emotion if result.faces else "" for _, result in self.results]

    def ids(self) -> set[int]:
        return {face.track_id for _, result in self.results for face in result.faces}

    def longest_gap(self) -> float:
        """Between two answers, s."""
        times = [at for at, _ in self.results]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def _frames(clip: Clip, number: int, fps: float, seconds: float) -> Iterator[Frame]:
    started = time.monotonic()
    for i in range(round(seconds * fps)):
        time.sleep(max(0.0, started + i / fps - time.monotonic()))
        picture = clip.frames[(7 * number + 3 * i) % len(clip.frames)]
        yield Frame(i + 1, EncodedImage(picture), int((i + 1) * 1e9 / fps))


def _play(address: str, clip: Clip, options: argparse.Namespace, backend: Backend | None) -> list[_Film]:
    """All cameras at once; a ``backend`` is killed half-way."""
    films = [_Film(number) for number in range(options.cameras)]
    arguments = (address, clip, options.fps, options.seconds)
    threads = [threading.Thread(target=film.play, args=arguments) for film in films]
    for thread in threads:
        thread.start()
    time.sleep(options.seconds / 2)
    if backend is not None:
        backend.kill()
    for thread in threads:
        thread.join()
    return films


def _measure(proxy: Proxy, clip: Clip, options: argparse.Namespace, backends: Backends) -> str:
    places = [asyncio.run(server_of(proxy.address, f"camera-{number}")) for number in range(options.cameras)]
    quiet = _play(proxy.address, clip, options, None)
    films = _play(proxy.address, clip, options, backends[places[0]])
    there = [film for film, place in zip(films, places, strict=True) if place == places[0]]
    others = [film for film in films if film not in there]
    labels = [
        pair
        for before, film in zip(quiet, films, strict=True)
        for pair in zip(before.labels(), film.labels(), strict=True)
    ]
    kept = sum(film.ids() == before.ids() for before, film in zip(quiet, films, strict=True))

    def longest(films: list[_Film]) -> str:
        return f"{max((film.longest_gap() for film in films), default=0):.2f} s"

    return (
        f"{proxy.name}: {len(there)} of {len(films)} streams were on the killed server and waited at most "
        f"{longest(there)}, the others {longest(others)}, undisturbed {longest(quiet)}; {kept} streams have the ids of "
        f"an undisturbed run, {sum(one == other for one, other in labels) / len(labels):.1%} of the frames its label"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.failover")
    parser.add_argument("--cameras", type=int, default=9)
    parser.add_argument("--fps", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    clip = make_clip("", 640, 480, 1, 30)
    with tempfile.TemporaryDirectory() as folder, Backends(Path(folder), bundled=True) as backends:
        keys = Path(folder) / "keys"
        keys.write_text(secrets.token_hex(32) + "\n")
        keys.chmod(0o600)
        for backend in backends.by_name.values():
            backend.stop()
            backend.start(resume_key_file=keys)
        for name, kind in PROXIES.items():
            (Path(folder) / name).mkdir()
            with kind(Path(folder) / name, {name: each.port for name, each in backends.by_name.items()}) as proxy:
                proxy.wait_for(*NAMES)
                print(_measure(proxy, clip, options, backends))
            for backend in backends.by_name.values():
                if not backend.is_up:
                    backend.start(resume_key_file=keys)


if __name__ == "__main__":
    main()
