"""Every kernel test runs on every path that this processor has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ferserve import _kernels


@pytest.fixture(autouse=True, params=_kernels.features()["available"])
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """The instruction set in use."""
    before = _kernels.features()["path"]
    _kernels.use_path(request.param)
    yield request.param
    _kernels.use_path(before)
