"""Waiting and dropping in one server: the queue M/M/c+D, scaled by how much arrivals and work vary.

Frames arrive at rate λ; each of c processors works through μ per second. A frame of a ``LATEST`` stream is dropped if
it still waits when its camera sends the next one, a patience of D = 1/fps. With exponential times that is Barrer's
queue with deterministic impatience (Operations Research 5, 1957): at the moment of an arrival the work ahead has the
density ``λ p(c-1) exp((λ - cμ) t)`` below D and falls by ``exp(-cμ (t - D))`` beyond: overload has a steady state too.

Real frames vary less than exponential ones: times are scaled by v = (ca² + cs²) / 2, the squared coefficients of
variation of arrivals and of service, as in Kingman's (1961) and Lee and Longton's (1959) approximations. Many cameras
with phases of their own look like a Poisson stream: ca² = 1, which errs on the safe side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_LONG = 50.0
"""Time constants after which nobody waits any more."""


@dataclass(frozen=True)
class Queue:
    """One server under a steady load. Times in s."""

    arrivals_per_s: float
    service_s: float
    """Processor time of a frame."""
    processors: int
    patience_s: float
    """After how long a waiting frame is dropped; infinite for ``EVERY``."""
    variation: float = 1.0
    """v of the module; 1 for exponential times."""

    @property
    def load(self) -> float:
        """Work that arrives over what the processors can do; above 1 something must be dropped."""
        return self.arrivals_per_s * self.service_s / self.processors

    def waits_longer(self, seconds: float) -> float:
        """Share of all frames that find more than ``seconds`` of work ahead of them, 0 to 1."""
        if self.load >= 1 and math.isinf(self.patience_s):
            return 1.0
        patience, at = self.patience_s / self.variation, seconds / self.variation
        start = self._busy_density()
        tail = start * self._grown(patience) / self._rate() if math.isfinite(patience) else 0.0
        if at >= patience:
            return tail * math.exp(-self._rate() * (at - patience))
        return min(1.0, start * self._grown_between(at, patience) + tail)

    def dropped(self) -> float:
        """Share of the frames that are dropped, 0 to 1."""
        return self.waits_longer(self.patience_s) if math.isfinite(self.patience_s) else 0.0

    def wait_quantile_s(self, share: float) -> float:
        """The wait that ``share`` of the answered frames do not exceed; infinite if an ``EVERY`` queue only grows."""
        if self.load >= 1 and math.isinf(self.patience_s):
            return math.inf
        lost = self.dropped()
        wanted = lost + (1 - lost) * (1 - share)
        if self.waits_longer(0.0) <= wanted:
            return 0.0
        low, high = 0.0, self.patience_s if math.isfinite(self.patience_s) else self._longest_s()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.waits_longer(middle) > wanted else (low, middle)
        return high

    def _longest_s(self) -> float:
        return self.variation * _LONG / self._decay()

    def _rate(self) -> float:
        return self.processors / self.service_s

    def _decay(self) -> float:
        return self._rate() - self.arrivals_per_s

    def _shift(self) -> float:
        """Logarithm that all densities are divided by: under overload they grow beyond any number."""
        return min(0.0, self._decay() * self.patience_s / self.variation) if self._decay() < 0 else 0.0

    def _grown(self, at: float) -> float:
        return math.exp(self._shift() - self._decay() * at)

    def _grown_between(self, low: float, high: float) -> float:
        """Integral of :meth:`_grown`; ``high`` may be infinite."""
        if abs(self._decay()) * (high - low) < 1e-9:
            return (high - low) * self._grown(low)
        return (self._grown(low) - (0.0 if math.isinf(high) else self._grown(high))) / self._decay()

    def _busy_density(self) -> float:
        """λ p(c-1), shifted: how the density of the work ahead begins, with all probabilities summing to 1."""
        offered = self.arrivals_per_s * self.service_s
        below = term = 1.0  # of the last one that p(c-1) is
        for busy in range(self.processors - 1, 0, -1):
            term *= busy / offered
            below += term
            if term < 1e-18 * below:
                break
        patience = self.patience_s / self.variation
        ahead = self._grown_between(0.0, patience)
        if math.isfinite(patience):
            ahead += self._grown(patience) / self._rate()
        return self.arrivals_per_s / (below * math.exp(self._shift()) + self.arrivals_per_s * ahead)
