"""Trains the tasks of a run in torch, with the data on the device."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.emotion_lite.gpu.budget import Progress
from training.emotion_lite.gpu.gpu_plan import Plan, Shape, Task
from training.emotion_lite.gpu.networks import MirrorNet, build_teacher
from training.emotion_lite.gpu.packing import Packed
from training.emotion_lite.gpu.state import RunState
from training.emotion_lite.gpu.trainer import Rows, answer_images, answer_views, figures, layout, train

SHAPE = "stages"
"""Array of a student's file that says its shape, as JSON."""


class TorchWorkshop:
    """The device, the data on it, and the finished teachers as they are needed."""

    def __init__(self, packed: Packed, plan: Plan, state: RunState, tasks: list[Task], device: Any) -> None:
        self._packed, self._plan, self._state, self._device = packed, plan, state, device
        self._tasks = {task.name: task for task in tasks}
        self._test = torch.from_numpy(packed.test_images).to(device)
        # PublicTest's rows lie behind the others; only the final student learns from them.
        usable = packed.test_usable
        self._images = self._put(np.concatenate([packed.images, packed.test_images[usable]]))
        self._targets = self._put(np.concatenate([packed.targets, packed.test_targets[usable]]).astype(np.float32))
        self._teachers: dict[int, list[nn.Module]] = {}
        if device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True

    def train(self, task: Task, progress: Progress) -> tuple[dict[str, float], dict[str, NDArray[Any]]]:
        """See :class:`training.emotion_lite.gpu.driver.Workshop`."""
        torch.manual_seed(self._plan.seed + list(self._tasks).index(task.name))
        if task.kind == "teacher":
            assert task.network
            model, rows, answer = build_teacher(task.network), self._rows_of_teacher(task.fold), None
        else:
            model = MirrorNet(self._shape_of(task))
            rows, answer = self._rows_of_student(task)
        model = model.to(self._device, memory_format=layout(self._device))
        averaged = train(model, task, rows, self._plan, progress, answer)
        told = answer_images(averaged, self._test)
        found = {} if task.kind == "final" else figures(told, self._packed)
        return found, self._kept(task, averaged, told)

    def mean_of_teachers(self) -> float:
        """See :class:`training.emotion_lite.gpu.driver.Workshop`."""
        told = [
            self._state.arrays(name)["public_test"]
            for name, task in self._tasks.items()
            if task.kind == "teacher" and name in self._state.done
        ]
        return figures(torch.from_numpy(np.mean(told, axis=0)), self._packed)["fer2013"]

    def _put(self, array: NDArray[Any]) -> Any:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    def _rows_of_teacher(self, fold: int) -> Rows:
        seen = self._packed.labelled & (self._packed.folds != fold)
        return Rows(self._images, self._targets, (self._put(np.flatnonzero(seen)),))

    def _rows_of_student(self, task: Task) -> tuple[Rows, Callable[[Any], Any]]:
        """A pool per fold, and the answers of the teachers that did not see it.

        The final student keeps a fold for its temperatures, and gets PublicTest's rows, which no teacher saw.
        """
        folds = [fold for fold in range(self._plan.folds) if not (task.kind == "final" and fold == task.fold)]
        pools = [np.flatnonzero(self._packed.folds == fold) for fold in folds]
        if task.kind == "final":
            added = np.arange(len(self._packed.images), len(self._images))
            pools = [np.concatenate([pool, added[k :: len(folds)]]) for k, pool in enumerate(pools)]
        teachers = [self._teachers_of(fold) for fold in folds]

        def answer(x: Any) -> Any:
            parts = zip(teachers, x.chunk(len(folds)), strict=True)
            return torch.cat([torch.stack([self._views(t, part) for t in some]).mean(dim=0) for some, part in parts])

        return Rows(self._images, self._targets, tuple(self._put(pool) for pool in pools)), answer

    def _views(self, teacher: nn.Module, x: Any) -> Any:
        return answer_views(teacher, x, self._plan.views)

    def _teachers_of(self, fold: int) -> list[nn.Module]:
        """The finished teachers that did not see ``fold``, read once."""
        if fold not in self._teachers:
            found = []
            for name, task in self._tasks.items():
                if task.kind == "teacher" and task.fold == fold:
                    assert task.network
                    model = build_teacher(task.network)
                    arrays = self._state.arrays(name)
                    arrays.pop("public_test")
                    own = model.state_dict()
                    read = {key: torch.from_numpy(value).to(own[key].dtype) for key, value in arrays.items()}
                    model.load_state_dict(read)
                    found.append(
                        model.to(self._device, memory_format=layout(self._device)).eval().requires_grad_(False)
                    )
            self._teachers[fold] = found
        return self._teachers[fold]

    def _shape_of(self, task: Task) -> Shape:
        """The shape in the plan; of the final student that of the best one by FER2013's labels."""
        shapes = dict(self._plan.shapes)
        if task.kind == "student":
            return shapes[task.shape]
        return shapes[self._tasks[self._state.best_student()].shape]

    def _kept(self, task: Task, model: nn.Module, told: Any) -> dict[str, NDArray[Any]]:
        if task.kind != "teacher":
            stages = json.dumps([asdict(stage) for stage in self._shape_of(task)])
            return {**model.keras_arrays(), SHAPE: np.array(stages)}
        # Half precision: it answers in bfloat16, and files come back over a network.
        arrays = {key: value.detach().half().cpu().numpy() for key, value in model.state_dict().items()}
        return {**arrays, "public_test": told.cpu().numpy()}
