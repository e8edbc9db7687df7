"""Metrics as this package describes them, and the places of their numbers in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Family:
    """One metric. All values of its labels are known beforehand: nothing that a client sends can add a series."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ((),)
    """The label values of each series."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without infinity."""
    highest: bool = False
    """Whether a gauge of several processes is the highest of theirs; otherwise it is the sum."""

    @property
    def numbers(self) -> int:
        """Numbers per series: a histogram has one per bucket, one for those beyond, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


def counter(name: str, text: str, **labels: Sequence[str]) -> Family:
    """A counter; its name ends with ``_total``, unless it is one of Triton's."""
    return Family(name, "counter", text, *_series(labels))


def gauge(name: str, text: str, *, highest: bool = False, **labels: Sequence[str]) -> Family:
    """A number that rises and falls."""
    return Family(name, "gauge", text, *_series(labels), highest=highest)


def histogram(name: str, text: str, buckets: Sequence[float], **labels: Sequence[str]) -> Family:
    """A distribution with the upper bounds ``buckets``."""
    return Family(name, "histogram", text, *_series(labels), buckets=tuple(buckets))


def _series(labels: dict[str, Sequence[str]]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    return tuple(labels), tuple(product(*labels.values()))


class Layout:
    """The place of every number of some families, one after the other, the same in every process."""

    def __init__(self, families: Sequence[Family]) -> None:
        self.families = tuple(families)
        self._starts: dict[str, int] = {}
        self.size = 0
        for family in self.families:
            self._starts[family.name] = self.size
            self.size += family.numbers * len(family.values)

    def place(self, family: Family, *values: str) -> int:
        """Index of the first number of the series with these label values."""
        return self._starts[family.name] + family.numbers * family.values.index(values)

    def series(self, family: Family) -> Iterator[tuple[tuple[str, ...], int]]:
        """The label values and the place of each series."""
        start = self._starts[family.name]
        for number, values in enumerate(family.values):
            yield values, start + number * family.numbers

    def of_kind(self, kind: Kind, *, highest: bool = False) -> list[int]:
        """Places of all numbers of the families of a kind."""
        return [
            place
            for family in self.families
            if family.kind == kind and family.highest == highest
            for _, start in self.series(family)
            for place in range(start, start + family.numbers)
        ]
