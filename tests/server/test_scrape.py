"""The metrics port of one process: what is counted, what it says, and what it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest

import ferserve
from ferserve.config import Config, EngineConfig, ServerConfig
from ferserve.errors import FerserveError, OverloadedError
from ferserve.meters.gpu import find_meters
from ferserve.options import Delivery, FrameOptions, StreamOptions
from ferserve.server.app import open_engine
from ferserve.server.telemetry import catalogue
from ferserve.server.telemetry.exporter import Exporter
from ferserve.server.telemetry.exposition import Exposition
from ferserve.types import Frame
from tests.busy import held_workers
from tests.serving.scrape import Scrape, Scraped, scrape, scraped_server, until
from tests.serving.streams import astronaut_jpeg
from tests.unit.test_metrics import GREY

EVERY = StreamOptions(delivery=Delivery.EVERY)


@pytest.fixture(scope="module")
def scraped(engine_config: EngineConfig) -> Iterator[Scraped]:
    with scraped_server(engine_config) as scraped:
        yield scraped


@pytest.fixture
def client(scraped: Scraped) -> Iterator[ferserve.Client]:
    with ferserve.Client(scraped.address) as client:
        yield client


@pytest.fixture
def grown(scraped: Scraped) -> Callable[..., float]:
    """How much a series, or all of a name, have grown since the test began."""
    before = scrape(scraped.port)

    def grown(name: str, **labels: str) -> float:
        after = scrape(scraped.port)
        return after.get(name, **labels) - before.get(name, **labels) if labels else after[name] - before[name]

    return grown


def test_a_scrape_has_every_metric_with_its_type_and_help(scraped: Scraped, client: ferserve.Client) -> None:
    client.classify(astronaut_jpeg())
    seen = scrape(scraped.port)
    named = {family.name.removesuffix("_total"): family for _, family in catalogue.WORKERS}
    of_gpus = catalogue.BY_GPU if find_meters() else ()
    for family in (*catalogue.FAMILIES, *catalogue.BY_MODEL, *of_gpus, *catalogue.INFO):
        named.setdefault(family.name.removesuffix("_total"), family)
    assert seen.families.keys() == named.keys()
    for name, family in named.items():
        assert (seen.families[name].type, seen.families[name].documentation) == (family.kind, family.help)
        assert seen.families[name].samples, name
    for family in catalogue.BY_MODEL:
        assert f"# TYPE {family.name} counter\n{family.name}{{" in seen.text
    assert len(seen.text) < 50_000


def test_answered_frames_are_counted_with_the_times_that_their_results_tell(
    client: ferserve.Client, grown: Callable[..., float]
) -> None:
    results = [client.classify(astronaut_jpeg()), *client.stream([astronaut_jpeg()] * 6, EVERY)]
    faces = sum(len(result.faces) for result in results)
    assert grown("ferserve_frames_total", outcome="answered", reason="") == len(results) == 7
    assert grown("ferserve_frame_faces_sum") == grown("nv_inference_count") == faces == 7
    assert grown("ferserve_batch_faces_count") == grown("nv_inference_exec_count") == 7
    assert grown("nv_inference_request_success") == 7
    for stage in catalogue.STAGES:
        told_s = sum(getattr(result.timings, f"{stage}_ms") for result in results) / 1000
        assert grown("ferserve_stage_duration_seconds_sum", stage=stage) == pytest.approx(told_s, rel=1e-4)
        assert grown("ferserve_stage_duration_seconds_count", stage=stage) == 7
    total_ms = sum(result.timings.total_ms for result in results)
    assert grown("ferserve_frame_duration_seconds_sum") == pytest.approx(total_ms / 1000, rel=1e-4)
    assert grown("nv_inference_request_duration_us") == pytest.approx(total_ms * 1000, rel=1e-4)
    assert grown("ferserve_detection_passes_total") + grown("ferserve_followed_frames_total") == 7
    assert grown("ferserve_followed_frames_total") >= 1


@pytest.mark.parametrize("bound_ms", [0.1, 1, 20, 200])
def test_buckets_hold_the_frames_up_to_their_bound(
    scraped: Scraped, client: ferserve.Client, grown: Callable[..., float], bound_ms: float
) -> None:
    results = list(client.stream([astronaut_jpeg()] * 5, EVERY))
    below = sum(result.timings.total_ms <= bound_ms for result in results)
    assert grown("ferserve_frame_duration_seconds_bucket", le=repr(bound_ms / 1000)) == below
    assert grown("ferserve_frame_duration_seconds_bucket", le="+Inf") == 5


def test_faults_and_refused_calls_are_counted_by_kind(client: ferserve.Client, grown: Callable[..., float]) -> None:
    with pytest.raises(FerserveError):
        client.classify(b"no picture")
    with pytest.raises(FerserveError):
        client.classify(astronaut_jpeg(), options=FrameOptions("nobody"))
    assert grown("ferserve_frames_total", outcome="fault", reason="invalid_frame") == 1
    assert grown("nv_inference_request_failure", reason="OTHER") == 1
    assert grown("ferserve_calls_refused_total", kind="invalid_frame") == 1
    assert grown("ferserve_calls_refused_total", kind="model_not_found") == 1
    assert grown("ferserve_calls_refused_total") == 2


def test_refusals_by_a_limit_name_the_setting(scraped: Scraped, grown: Callable[..., float]) -> None:
    for limit in ("server.max_streams_per_client", "engine.max_queue", "server.of_a_later_version"):
        scraped.engine.metrics.limit_reached(limit)
    assert grown("ferserve_limit_reached_total", limit="server.max_streams_per_client") == 1
    assert grown("ferserve_limit_reached_total", limit="engine.max_queue") == 1
    assert grown("ferserve_limit_reached_total", limit="other") == 1


def test_what_waits_is_dropped_and_cancelled(scraped: Scraped, grown: Callable[..., float]) -> None:
    engine, size = scraped.engine, Frame(0, GREY).payload_bytes
    with engine.open_stream() as latest, engine.open_stream(EVERY) as every:
        with held_workers(engine):
            futures = [latest.submit(Frame(i, GREY)) for i in range(5)] + [
                every.submit(Frame(i, GREY)) for i in range(2)
            ]
            single = engine.submit(Frame(0, GREY))
            busy = scrape(scraped.port)
            assert busy["ferserve_queue_frames"] == busy["nv_inference_pending_request_count"] == 4
            assert busy["ferserve_queue_bytes"] == 4 * size
            assert busy["ferserve_threads_busy"] == busy["ferserve_threads"] == engine.threads
            assert single.cancel()
            every.close()
        for future in futures:
            future.result(10)
    until(scraped.port, lambda seen: not seen["ferserve_queue_frames"])
    assert grown("ferserve_frames_total", outcome="dropped", reason="superseded") == 4
    assert grown("ferserve_frames_total", outcome="dropped", reason="shutdown") == 2
    until(scraped.port, lambda _: grown("ferserve_frames_total", outcome="cancelled", reason="") == 1)
    assert grown("nv_inference_request_failure", reason="REJECTED") == 2
    assert grown("nv_inference_request_failure", reason="CANCELED") == 1


def test_streams_tracks_and_resumption(scraped: Scraped, grown: Callable[..., float]) -> None:
    named = StreamOptions(stream_id="door\n{}", delivery=Delivery.EVERY)
    parked = scrape(scraped.port)["ferserve_streams_resumable"]
    with scraped.engine.open_stream(named) as stream:
        stream.submit(Frame(0, ferserve.EncodedImage(astronaut_jpeg()))).result(10)
        assert grown("ferserve_streams_open") == grown("ferserve_tracks") == 1
    after = scrape(scraped.port)
    assert after["ferserve_streams_resumable"] == parked + 1
    assert after["ferserve_streams_resumable_bytes"] > 1000
    with scraped.engine.open_stream(named):
        assert grown("ferserve_streams_opened_total", resumed="true") == 1
        assert grown("ferserve_tracks") == 1
    assert grown("ferserve_streams_open") == 0
    assert "door" not in scrape(scraped.port).text


async def test_nothing_that_a_client_sends_adds_a_series(scraped: Scraped) -> None:
    """Not even a name: neither of methods, nor of models, streams, metadata."""
    before = scrape(scraped.port).samples.keys()
    async with grpc.aio.insecure_channel(scraped.address) as channel:
        for method in (
            "/ferserve.v1.EmotionService/Classify",
            "/ferserve.v1.EmotionService/No",
            "/" + "x" * 999,
            "/a/b",
        ):
            for message in (b"", b"\xff" * 99, b'\n\x05"}\n{#'):
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(method)(message, metadata=(("x-request-id", "id"), ("bin-bin", b"\0")))
    async with ferserve.AsyncClient(scraped.address) as client:
        for model in ("nobody", 'a"b\n', "é" * 50):
            with pytest.raises(FerserveError):
                await client.classify(astronaut_jpeg(), options=FrameOptions(model))
    assert scrape(scraped.port).samples.keys() == before


def test_models_and_what_runs_them(scraped: Scraped, client: ferserve.Client) -> None:
    client.classify(astronaut_jpeg(), options=FrameOptions("other"))
    seen = scrape(scraped.port)
    told = {dict(labels)["model"]: dict(labels) for name, labels in seen.samples if name == "ferserve_model_info"}
    for model in client.models():
        if model.runs_on:
            assert told[model.name] == {
                "model": model.name, "version": model.version, "runs_on": model.runs_on, "sha256": model.sha256
            }  # fmt: skip
    assert {"brightness", "other"} <= told.keys()
    (info,) = (dict(labels) for name, labels in seen.samples if name == "ferserve_engine_info")
    assert info == {"runs_on": scraped.engine.runs_on}
    (build,) = (dict(labels) for name, labels in seen.samples if name == "ferserve_build_info")
    assert (build["version"], build["grpc"]) == (ferserve.__version__, grpc.__version__)


def test_figures_of_the_process(scraped: Scraped) -> None:
    seen = scrape(scraped.port)
    assert seen["process_resident_memory_bytes"] > 50e6
    assert seen["process_cpu_seconds_total"] > 0.1
    assert 5 < seen["process_open_fds"] < seen["process_max_fds"]
    for name in ("ferserve_worker_up", "ferserve_worker_starts_total"):
        assert seen.get(name, worker="0") == 1


def test_overload_is_counted(engine_config: EngineConfig) -> None:
    config = Config(EngineConfig(**{**vars(engine_config), "max_queue": 1}), ServerConfig(metrics_port=1))
    with open_engine(config) as engine, held_workers(engine):
        engine.submit(Frame(0, GREY))
        with pytest.raises(OverloadedError):
            engine.submit(Frame(1, GREY))
        assert isinstance(engine.metrics, Exporter)
        seen = Scrape(Exposition([engine.metrics.page], 1, lambda: None).text().decode())
    assert seen.get("ferserve_frames_total", outcome="dropped", reason="overloaded") == 1
