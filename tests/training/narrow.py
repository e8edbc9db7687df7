"""Networks with every layer of the recipes' own, and a fraction of the channels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any
from unittest.mock import patch

TIMES = 4
"""How many times fewer channels. A group of ResNeXt50's narrowest convolutions, 4 channels wide, keeps one of them."""


def narrow(build: Callable[..., Any]) -> Callable[..., Any]:
    """``build`` with a quarter of the filters in each convolution; depth, kinds and names of layers stay.

    What is written, converted and answered goes through the same layers; only weights become fewer, by up to sixteen.
    """

    @wraps(build)
    def built(*arguments: Any, **options: Any) -> Any:
        from keras.layers import Conv2D, SeparableConv2D

        with ExitStack() as patches:
            for kind in (Conv2D, SeparableConv2D):
                patches.enter_context(patch.object(kind, "__init__", _with_fewer_filters(kind.__init__)))
            return build(*arguments, **options)

    return built


def _with_fewer_filters(init: Callable[..., None]) -> Callable[..., None]:
    def fewer(layer: Any, filters: int, *rest: Any, **named: Any) -> None:
        init(layer, filters // TIMES, *rest, **named)

    return fewer
