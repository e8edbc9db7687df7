"""One training step as the device runs it: recorded once as a CUDA graph and replayed, or run as it is on a CPU.

A small network's step is hundreds of short kernels; started one by one from Python they leave the device idle most of
the time. Replaying a recording starts them all at once, without a compiler's minute for each network.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

MOMENTUM, CLIP, RADIUS = 0.9, 10.0, 0.05
"""Of Nesterov's SGD; largest norm of a gradient; how far SAM looks (Foret et al. 2021, arXiv:2010.01412)."""
WARM_UP = 3


class Descent:
    """Nesterov's SGD with decoupled weight decay, SAM on demand, and averaged weights; nothing leaves the device.

    ``rate`` and ``keep`` are scalars on the device, so that a recorded step reads their present values.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.average = model, copy.deepcopy(model).eval().requires_grad_(False)
        self._weights = [w for w in model.parameters() if w.requires_grad]
        self._decayed = [w for w in self._weights if w.ndim > 1]
        self._momenta = [torch.zeros_like(w) for w in self._weights]
        device = self._weights[0].device
        self._decay = decay
        self.rate, self.keep = torch.zeros((), device=device), torch.zeros((), device=device)

    def step(self, loss: Callable[[], Any], sharp: bool) -> Any:
        """One update by the gradient of ``loss``, or, if ``sharp``, of ``loss`` at the worst place nearby."""
        value = loss()
        gradients = list(torch.autograd.grad(value, self._weights))
        if sharp:
            away = torch._foreach_mul(gradients, RADIUS / (_norm(gradients) + 1e-12))
            torch._foreach_add_(self._weights_data(), away)
            gradients = list(torch.autograd.grad(loss(), self._weights))
            torch._foreach_sub_(self._weights_data(), away)
        with torch.no_grad():
            self._descend(gradients)
            self._follow()
        return value.detach()

    def _weights_data(self) -> list[Any]:
        return [weight.data for weight in self._weights]

    def _descend(self, gradients: list[Any]) -> None:
        scale = torch.clamp(CLIP / (_norm(gradients) + 1e-12), max=1.0)
        gradients = list(torch._foreach_mul(gradients, scale))
        torch._foreach_mul_(self._momenta, MOMENTUM)
        torch._foreach_add_(self._momenta, gradients)
        updates = list(torch._foreach_add(gradients, self._momenta, alpha=MOMENTUM))
        torch._foreach_mul_([weight.data for weight in self._decayed], 1 - self.rate * self._decay)
        torch._foreach_sub_(self._weights_data(), list(torch._foreach_mul(updates, self.rate)))

    def _follow(self) -> None:
        """Averaged weights, and statistics of the normalisation, drift towards the present ones."""
        own, averaged = _floats(self.model), _floats(self.average)
        gaps = list(torch._foreach_sub(own, averaged))
        torch._foreach_add_(averaged, list(torch._foreach_mul(gaps, 1 - self.keep)))


def _floats(model: nn.Module) -> list[Any]:
    return [value.data for value in (*model.parameters(), *model.buffers()) if value.is_floating_point()]


def _norm(tensors: list[Any]) -> Any:
    return torch.stack(torch._foreach_norm(tensors)).norm()


class Recorded:
    """A function of no arguments that reads and writes tensors in place; returns a tensor that each call overwrites."""

    def __init__(self, run: Callable[[], Any], device: Any) -> None:
        self._run, self._cuda = run, torch.device(device).type == "cuda"
        self._graph: Any = None
        self._result: Any = None
        self._calls = 0

    def __call__(self) -> Any:
        """Run once."""
        if not self._cuda:
            return self._run()
        if self._graph is None:
            self._calls += 1
            if self._calls <= WARM_UP:
                return self._beside()
            self._record()
        if self._graph is not None:
            self._graph.replay()
            return self._result
        return self._run()

    def _beside(self) -> Any:
        """Run on another stream, as recording asks of the runs before it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = self._run()
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._result = self._run()
        except RuntimeError as error:
            # Slower, but a run of minutes must not end here.
            print(f"cannot record the step: {error}; it runs unrecorded", file=sys.stderr, flush=True)
            torch.cuda.synchronize()
            self._cuda = False
            return
        self._graph = graph
