"""A server that cannot be had at first."""

from __future__ import annotations

import grpc

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc


class Away(emotion_pb2_grpc.EmotionServiceServicer):
    """Says UNAVAILABLE twice, then answers; or another status for ever."""

    def __init__(self, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.status, self.calls = status, 0

    async def Classify(self, request: pb.ClassifyRequest, context: grpc.aio.ServicerContext) -> pb.ClassifyResponse:
        self.calls += 1
        if self.calls <= 2 or self.status is not grpc.StatusCode.UNAVAILABLE:
            await context.abort(self.status, "not now")
        return pb.ClassifyResponse(result=pb.FrameResult(faces=pb.Faces()))

    async def ClassifyStream(self, requests: object, context: grpc.aio.ServicerContext) -> None:
        self.calls += 1
        await context.abort(self.status, "not now")
