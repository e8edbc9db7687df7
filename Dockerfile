# syntax=docker/dockerfile:1
# ferserve on a plain CPU box, x86-64 or aarch64:
#   docker build -t ferserve .
#   docker run --rm -p 50051:50051 -p 127.0.0.1:50053:50053 ferserve
# Arguments go to `ferserve serve`: docker run --rm -p 50051:50051 ferserve --workers 4
FROM python:3.12-slim AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY ext ext
COPY proto proto
COPY ferserve ferserve
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
COPY deploy/requirements.txt /wheels/
RUN pip install --no-cache-dir --require-hashes --requirement /wheels/requirements.txt \
    && pip install --no-cache-dir --no-deps /wheels/*.whl && rm -rf /wheels && useradd --create-home --uid 10001 ferserve
USER 10001
EXPOSE 50051 50053
# Said here and not as CMD, whose place the arguments of `docker run` take.
ENV FERSERVE_SERVER_HOST=0.0.0.0
# Health has a port of its own, so that the probe works whether the server speaks TLS or not.
ENV FERSERVE_SERVER_HEALTH_PORT=50052
# Metrics for Prometheus, at /metrics. Whoever reaches the port sees them, so publish it to those alone.
ENV FERSERVE_SERVER_METRICS_PORT=50053
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-c", "\
import grpc; from grpc_health.v1 import health_pb2 as h, health_pb2_grpc as s; \
answer = s.HealthStub(grpc.insecure_channel('127.0.0.1:50052')).Check(h.HealthCheckRequest(), timeout=2); \
raise SystemExit(answer.status != h.HealthCheckResponse.SERVING)"]
ENTRYPOINT ["ferserve", "serve"]
