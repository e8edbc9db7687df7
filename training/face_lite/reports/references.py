"""Pictures for measuring, and the faces that are wanted in them by one reference or another.

YuNet is no firm ground: two of its looks at one face, at two sizes or places, differ by more than a detector has to
err. So there are several references, and a photograph can be moved to where the grids of cells lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from training.data.photographs import photograph_paths, read_bgr
from training.face_lite.evaluate import TEACHER_MIN_SCORE, Image, at_side, ignore_unsure, shrink
from training.face_lite.faces import Faces
from training.face_lite.photographs import Photograph
from training.face_lite.teacher import Teacher

Picture = tuple[Image, Faces]
PictureSet = tuple[str, Callable[[int], Iterable[Picture]]]
"""A name, and the pictures at a longest side in pixels."""
MOVE_PX = 38
"""How far a placed photograph is moved: more than the coarsest cell of either detector."""


def look(teacher: Teacher, image: Image) -> Faces:
    """The faces that one pass of YuNet finds in ``image``, luma or BGR; unsure ones are marked to be ignored."""
    rows = teacher.one_pass(image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8))
    faces = Faces.from_rows(np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], axis=1))
    return ignore_unsure(faces, TEACHER_MIN_SCORE)


def marked(teacher: Teacher, image: Image, known: Faces, side_px: int, full: bool = False) -> Picture:
    """``image``, luma or BGR, as luma at ``side_px``, and the faces that one look of YuNet at that size is sure of.

    With ``full`` it looks at the image in its own size. What it doubts, what is under 8 px at ``side_px`` and what else
    is ``known`` counts neither way.
    """
    small, others = shrink(image, known, side_px)
    wanted = shrink(image, look(teacher, image), side_px)[1] if full else look(teacher, small)
    others = Faces(others.xyxy, others.landmarks, others.score, np.ones(len(others), bool))
    faces = Faces.from_rows(np.concatenate([ignore_unsure(wanted, TEACHER_MIN_SCORE, 8).to_rows(), others.to_rows()]))
    return small if small.ndim == 2 else np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8), faces


def marked_pictures(kept: Iterable[Photograph], yunet: Path, full: bool, side_px: int) -> Iterator[Picture]:
    """Grey photographs at ``side_px``, marked by YuNet."""
    teacher = Teacher(yunet)
    for photograph in kept:
        yield marked(teacher, photograph.luma, photograph.faces, side_px, full)


def colour_pictures(folder: Path, yunet: Path, full: bool, side_px: int) -> Iterator[Picture]:
    """Photographs as luma at ``side_px``, marked by YuNet in their full colour."""
    teacher = Teacher(yunet)
    for path in photograph_paths(folder):
        yield marked(teacher, read_bgr(path), Faces.empty(), side_px, full)


def placed(kept: Iterable[Photograph], seed: int = 3) -> Iterator[tuple[Photograph, float]]:
    """Photographs moved by up to :data:`MOVE_PX`, their edges mirrored, each with a part of its size from 0.3 to 1."""
    rng = np.random.default_rng(seed)
    for photograph in kept:
        part = float(np.exp(rng.uniform(np.log(0.3), 0)))
        y, x = (int(value) for value in rng.integers(0, MOVE_PX, 2))
        luma = cv2.copyMakeBorder(photograph.luma, y, MOVE_PX - y, x, MOVE_PX - x, cv2.BORDER_REFLECT_101)
        rows, known = photograph.faces.to_rows(), photograph.faces
        rows[:, :4] += (x, y, x, y)
        rows[:, 4:14] = (known.landmarks + np.array((x, y), np.float32)).reshape(-1, 10)
        yield Photograph(photograph.name, np.asarray(luma, np.uint8), Faces.from_rows(rows)), part


def placed_pictures(
    kept: Sequence[Photograph], yunet: Path, reference: str, throws: int, side_px: int
) -> Iterator[Picture]:
    """Photographs at random places and parts of ``side_px``, ``throws`` times each; ``reference`` is ``fused``,
    ``same`` or ``full``."""
    teacher = Teacher(yunet)
    for photograph, part in chain.from_iterable(placed(kept, seed=3 + throw) for throw in range(throws)):
        side = max(1, round(part * min(side_px, max(photograph.luma.shape))))
        if reference == "fused":
            yield from at_side([photograph], side)
        else:
            yield marked(teacher, photograph.luma, photograph.faces, side, reference == "full")


def _part(photograph: Photograph) -> str:
    """The folder, directly below that of all photographs, that one lies in."""
    folder, slash, _ = photograph.name.partition("/")
    return folder if slash else "photographs"


def picture_sets(kept: Sequence[Photograph], colour: Path | None, yunet: Path, throws: int = 1) -> Iterator[PictureSet]:
    """Every set that the figures of the model card are taken on; ``throws``: random places for each photograph."""
    for part in sorted({_part(photograph) for photograph in kept}):
        own = [photograph for photograph in kept if _part(photograph) == part]
        yield f"{part}, kept out, fused labels", partial(at_side, own)
        yield f"{part}, kept out, marked by YuNet", partial(marked_pictures, own, yunet, False)
        yield f"{part}, kept out, marked by YuNet in full size", partial(marked_pictures, own, yunet, True)
        for reference, says in (
            ("fused", "fused labels"),
            ("same", "marked by YuNet"),
            ("full", "marked in full size"),
        ):
            yield f"{part}, kept out, placed at random, {says}", partial(placed_pictures, own, yunet, reference, throws)
    if colour:
        yield f"{colour.name}, marked by YuNet in colour", partial(colour_pictures, colour, yunet, False)
        yield f"{colour.name}, marked by YuNet in colour and full size", partial(colour_pictures, colour, yunet, True)
