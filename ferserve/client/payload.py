"""The picture of a call. A path may lead to a pipe or a device, where reading may block for ever."""

from __future__ import annotations

import concurrent.futures
import os
import stat
from concurrent.futures import Future

from ferserve.client.deadline import Deadline
from ferserve.errors import FrameDeadlineError
from ferserve.sources.images import Color, ImageLike, payload_of
from ferserve.sources.threads import start_feed_thread
from ferserve.types import Payload


def start_payload(image: ImageLike, color: Color) -> Future[Payload]:
    """The payload of ``image``, see :func:`payload_of`; what may block is read in a thread of its own."""
    made: Future[Payload] = Future()
    made.set_running_or_notify_cancel()

    def work() -> None:
        try:
            made.set_result(payload_of(image, color))
        except BaseException as error:
            made.set_exception(error)

    if _may_block(image):
        start_feed_thread(work)
    else:
        work()
    return made


def payload_within(image: ImageLike, color: Color, deadline: Deadline) -> Payload:
    """:func:`start_payload`, waited for; raises :class:`FrameDeadlineError`."""
    made = start_payload(image, color)
    try:
        return made.result(deadline.left_s())
    except concurrent.futures.TimeoutError:
        if made.done():  # an error of reading the image
            raise
        raise unread(image, deadline) from None


def unread(image: ImageLike, deadline: Deadline) -> FrameDeadlineError:
    """The error of an image that was not read in time."""
    return FrameDeadlineError(
        f"image must be readable within {deadline.timeout_s:g} s, got nothing more from {image!r}; give the call a "
        "longer timeout"
    )


def _may_block(image: ImageLike) -> bool:
    if not isinstance(image, str | os.PathLike):
        return False
    try:
        return not stat.S_ISREG(os.stat(image).st_mode)
    except (OSError, ValueError):  # reading says what is wrong
        return False
