"""Structured pruning: removes whole channels, so the network is smaller and every dense runtime is faster.

Channels are ranked by the L1 norm of the filters that make them (Li et al. 2017, arXiv:1608.08710). Layers whose
outputs are added share their channels and lose the same ones, so residual networks work too. Channels that a layer
needs in a fixed order (concatenation, grouped convolution) and the model's outputs stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ferserve.errors import ConfigError

ALIGNMENT = 16
"""Remaining channels are a multiple of this. ONNX Runtime lays convolutions out in blocks of 16 on AVX-512 (8 before):
24 channels instead of 32 made the FER2013 study's small network slower, not faster."""
KEEPING = (
    layers.BatchNormalization,
    layers.Activation,
    layers.ReLU,
    layers.Dropout,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.ZeroPadding2D,
    layers.DepthwiseConv2D,
)
"""Layers whose output channel k comes from input channel k alone."""


@dataclass
class Channels:
    """Channels that several tensors share; ``importance`` sums up over the layers that make them."""

    size: int
    importance: NDArray[np.float64]
    pinned: bool = False
    parent: Channels | None = None
    keep: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))

    def root(self) -> Channels:
        """Representative of all joined channels."""
        return self if self.parent is None else self.parent.root()

    def join(self, other: Channels) -> None:
        """Make both lose the same channels."""
        mine, theirs = self.root(), other.root()
        if mine is not theirs:
            mine.importance = mine.importance + theirs.importance
            mine.pinned |= theirs.pinned
            theirs.parent = mine


@dataclass(frozen=True)
class Place:
    """Channels on a tensor's last axis; after a Flatten each of them occurs ``repeat`` times."""

    channels: Channels
    repeat: int = 1

    def index(self) -> NDArray[np.intp]:
        """Remaining positions on the last axis."""
        root = self.channels.root()
        return (np.arange(self.repeat)[:, None] * root.size + root.keep[None, :]).ravel()


def prune_channels(model: Any, fraction: float) -> Any:
    """A new Keras model without the least important ``fraction`` of each layer's channels, weights taken over.

    ``model`` is a functional model; it is not fine-tuned here.
    """
    if not 0 <= fraction < 1:
        raise ConfigError(f"fraction of channels must be from 0 to below 1, got {fraction}")
    places = _trace(model)
    for place in places.values():
        _choose(place.channels.root(), fraction)
    smaller = keras.models.clone_model(model, clone_function=lambda layer: _resized(layer, places))
    for layer in model.layers:
        if layer.weights:
            smaller.get_layer(layer.name).set_weights(_sliced(layer, places))
    return smaller


def _trace(model: Any) -> dict[int, Place]:
    """Follow the channels through the graph: the place of each tensor by its id."""
    places: dict[int, Place] = {}
    for layer in model.layers:
        inputs = [places[id(tensor)] for tensor in _tensors(layer.input)] if places else []
        for tensor in _tensors(layer.output):
            places[id(tensor)] = _place(layer, inputs, tensor)
    for tensor in _tensors(model.outputs):
        places[id(tensor)].channels.root().pinned = True
    return places


def _tensors(structure: Any) -> list[Any]:
    return list(keras.tree.flatten(structure))


def _place(layer: Any, inputs: list[Place], output: Any) -> Place:
    """The channels of ``layer``'s output."""
    size = int(output.shape[-1])
    if _makes_channels(layer):
        return Place(Channels(size, _importance(layer)))
    if isinstance(layer, layers.Add) and len({place.channels.root().size for place in inputs}) == 1:
        for place in inputs[1:]:
            inputs[0].channels.join(place.channels)
        return inputs[0]
    if isinstance(layer, layers.Flatten) and len(layer.input.shape) == 4:
        return Place(inputs[0].channels, int(np.prod(layer.input.shape[1:3])))
    if isinstance(layer, KEEPING) and getattr(layer, "depth_multiplier", 1) == 1:
        return inputs[0]
    for place in inputs:
        place.channels.root().pinned = True
    return Place(Channels(size, np.zeros(size), pinned=True))


def _makes_channels(layer: Any) -> bool:
    """True for layers whose filters can be removed: dense, convolution, separable convolution."""
    if isinstance(layer, layers.DepthwiseConv2D):
        return False
    if isinstance(layer, layers.SeparableConv2D):
        return bool(layer.depth_multiplier == 1)
    return isinstance(layer, layers.Dense) or (isinstance(layer, layers.Conv2D) and layer.groups == 1)


def _importance(layer: Any) -> NDArray[np.float64]:
    """L1 norm of each filter, relative to the layer's mean so that layers can be added up."""
    kernel = layer.pointwise_kernel if isinstance(layer, layers.SeparableConv2D) else layer.kernel
    weights = np.asarray(keras.ops.convert_to_numpy(kernel), np.float64)
    norms = np.abs(weights).reshape(-1, weights.shape[-1]).sum(axis=0)
    relative: NDArray[np.float64] = norms / max(float(norms.mean()), 1e-12)
    return relative


def _choose(channels: Channels, fraction: float) -> None:
    """Decide which channels stay, in their old order."""
    count = channels.size
    if not channels.pinned:
        wanted = round(count * (1 - fraction) / ALIGNMENT) * ALIGNMENT
        count = min(count, max(ALIGNMENT, wanted))
    order = np.argsort(-channels.importance, kind="stable")
    channels.keep = np.sort(order[:count])


def _resized(layer: Any, places: dict[int, Place]) -> Any:
    """A new ``layer`` with the remaining number of filters or units."""
    config = layer.get_config()
    if _makes_channels(layer):
        count = len(places[id(layer.output)].index())
        config["units" if isinstance(layer, layers.Dense) else "filters"] = count
    return type(layer).from_config(config)


def _sliced(layer: Any, places: dict[int, Place]) -> list[NDArray[np.float32]]:
    """The weights of ``layer`` for the channels that stay, in the order of ``get_weights``."""
    inputs = _tensors(layer.input)
    into = places[id(inputs[0])].index()
    out = places[id(_tensors(layer.output)[0])].index()
    sliced = []
    for variable, weights in zip(layer.weights, layer.get_weights(), strict=True):
        if variable.name == "depthwise_kernel" or isinstance(layer, layers.DepthwiseConv2D):
            sliced.append(weights[:, :, into] if weights.ndim == 4 else weights[into])
        elif variable.name in ("kernel", "pointwise_kernel") and _makes_channels(layer):
            sliced.append(weights[..., into, :][..., out])
        elif weights.ndim == 1:
            sliced.append(weights[out])
        else:
            sliced.append(weights)
    return sliced
