"""A classifier runs its graph on parts of long batches if the session asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ferserve.runtime import Session, Tensor, open_session
from ferserve.runtime.classifier import Classifier
from tests.tiny_models import brightness_spec, write_brightness_model


class _Noted:
    """A real session that runs at most ``max_rows_per_run`` at once and notes the lengths of its runs."""

    def __init__(self, session: Session, max_rows_per_run: int) -> None:
        self.inputs, self.outputs, self.runs_on = session.inputs, session.outputs, session.runs_on
        self.max_rows_per_run = max_rows_per_run
        self.lengths: list[int] = []
        self._session = session

    def run(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        self.lengths += [len(rows) for rows in feeds.values()]
        return self._session.run(feeds)

    def run_first(self, feeds: Mapping[str, Tensor], limit_s: float) -> list[Tensor]:
        return self.run(feeds)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return open_session(write_brightness_model(tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    ("max_rows_per_run", "rows", "lengths"),
    [(0, 10, [10]), (4, 10, [4, 4, 2]), (4, 4, [4]), (4, 3, [3]), (1, 2, [1, 1])],
)
def test_each_row_has_its_answer_however_the_batch_is_parted(
    session: Session, max_rows_per_run: int, rows: int, lengths: list[int]
) -> None:
    noted = _Noted(session, max_rows_per_run)
    shades = np.linspace(0, 1, rows, dtype=np.float32)
    batch = shades.reshape(-1, 1, 1, 1) * np.ones((1, 1, 8, 8), np.float32)
    (answers,) = Classifier(noted, brightness_spec("m")).infer(batch)
    np.testing.assert_allclose(answers[:, 1], shades, atol=1e-6)
    assert noted.lengths == lengths


def test_on_the_cpu_long_batches_are_parted(session: Session) -> None:
    assert 0 < session.max_rows_per_run < 16
