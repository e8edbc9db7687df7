"""Small data sets in exactly the real on-disk formats, drawn by code: each class is a pattern that can be learnt."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ferserve.labels import FER2013


def pattern(label: int, rng: np.random.Generator, side: int = 48) -> NDArray[np.uint8]:
    """A grey picture (side, side) whose stripes tell the label, with noise that makes each one unique."""
    rows, columns = np.mgrid[:side, :side] * (48 / side)
    angle = label * np.pi / 8
    stripes = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * 0.5)
    return np.clip(128 + 80 * stripes + rng.normal(0, 12, (side, side)), 0, 255).astype(np.uint8)


def colour(label: int, rng: np.random.Generator, height: int, width: int) -> Image.Image:
    """A colour picture of the pattern."""
    grey = Image.fromarray(pattern(label, rng, 96)).resize((width, height))
    return Image.merge("RGB", (grey, grey.point(lambda v: 255 - v // 2), grey.point(lambda v: v // 3)))


def fer2013_csv(path: Path, per_class: int = 4, tests_per_class: int = 2, ferplus: bool = False) -> Path:
    """``fer2013.csv`` in ``path``; with ``ferplus`` also ``fer2013new.csv``."""
    rng = np.random.default_rng(1)
    parts = (("Training", per_class), ("PublicTest", tests_per_class), ("PrivateTest", tests_per_class))
    rows = []
    for usage, count in parts:
        rows += [(label, " ".join(map(str, pattern(label, rng).ravel())), usage) for label in list(range(7)) * count]
    path.mkdir(parents=True, exist_ok=True)
    with (path / "fer2013.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("emotion", "pixels", "Usage"))
        writer.writerows(rows)
    if ferplus:
        with (path / "fer2013new.csv").open("w", newline="") as file:
            file.write("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n")
            for number, (label, _, usage) in enumerate(rows):
                file.write(f"{usage},fer{number:07d}.png,{label},{10 - label},0,0,0,0,0,0,0,0\n")
    return path / "fer2013.csv"


def fer2013_npz(path: Path, per_class: int = 4, tests_per_class: int = 2) -> Path:
    """The npz form, with votes and flags."""
    rng = np.random.default_rng(1)
    labels = np.asarray(list(range(7)) * (per_class + tests_per_class), np.uint8)
    usage = np.repeat(np.asarray([0, 1], np.uint8), (7 * per_class, 7 * tests_per_class))
    votes = np.zeros((len(labels), 10), np.uint8)
    votes[:, 0] = 10
    file = path / "fer2013.npz"
    np.savez(
        file,
        row=np.arange(len(labels), dtype=np.int32),
        images=np.stack([pattern(label, rng) for label in labels]),
        labels=labels,
        usage=usage,
        ferplus_votes=votes,
        near_private_test=np.arange(len(labels)) == 0,
        near_public_test=np.arange(len(labels)) == 1,
    )
    return file


def fer2013_folders(path: Path, per_class: int = 3) -> Path:
    """``train/angry/Training_….png`` and ``test/…``."""
    rng = np.random.default_rng(1)
    for part, names in (("train", ("Training",)), ("test", ("PublicTest", "PrivateTest"))):
        for label, emotion in enumerate(FER2013):
            folder = path / part / emotion
            folder.mkdir(parents=True)
            for name in names:
                for number in range(per_class):
                    Image.fromarray(pattern(label, rng)).save(folder / f"{name}_{number}{label}.png")
    return path


def jaffe(path: Path, subjects: tuple[str, ...] = ("KA", "KL", "KM"), poses: int = 1) -> Path:
    """``KA.AN1.39.tiff``: 256x256, the first of each subject with a palette."""
    rng = np.random.default_rng(1)
    path.mkdir(parents=True, exist_ok=True)
    number = 1
    for subject in subjects:
        for label, code in enumerate(("AN", "DI", "FE", "HA", "SA", "SU", "NE")):
            for pose in range(poses):
                image = Image.fromarray(pattern(label, rng, 256))
                if label == 0:
                    image = image.convert("P")
                image.save(path / f"{subject}.{code}{pose + 1}.{number}.tiff")
                number += 1
    return path


def faces(path: Path, persons: int = 6, height: int = 200, width: int = 160) -> Path:
    """``004_o_m_a_b.jpg``: six expressions of each person, set a alone."""
    rng = np.random.default_rng(1)
    path.mkdir(parents=True, exist_ok=True)
    for person in range(persons):
        age, gender = "ymo"[person % 3], "fm"[person % 2]
        for label, expression in enumerate("adfhns"):
            name = f"{person + 1:03d}_{age}_{gender}_{expression}_a.jpg"
            colour(label, rng, height, width).save(path / name, quality=90)
    return path


def class_folders(path: Path, names: tuple[str, ...] = ("angry", "happy", "sad"), per_class: int = 5) -> Path:
    """One folder a class, colour JPEG of different sizes."""
    rng = np.random.default_rng(1)
    for label, name in enumerate(names):
        (path / name).mkdir(parents=True)
        for number in range(per_class):
            colour(label, rng, 100 + number, 90).save(path / name / f"{number}.jpg")
    return path


def ckplus(path: Path, subjects: int = 2) -> Path:
    """``cohn-kanade-images`` with sequences of five frames and ``Emotion`` with a label for each."""
    rng = np.random.default_rng(1)
    for subject in range(1, subjects + 1):
        for code in range(1, 8):
            stem = f"S{subject:03d}_{code:03d}"
            folder = path / "cohn-kanade-images" / f"S{subject:03d}" / f"{code:03d}"
            folder.mkdir(parents=True)
            for frame in range(1, 6):
                Image.fromarray(pattern(code, rng, 64)).save(folder / f"{stem}_{frame:08d}.png")
            labels = path / "Emotion" / f"S{subject:03d}" / f"{code:03d}"
            labels.mkdir(parents=True)
            (labels / f"{stem}_{5:08d}_emotion.txt").write_text(f"   {code:.7e}\n")
    return path


def rafdb(path: Path, per_class: int = 2) -> Path:
    """``EmoLabel/list_patition_label.txt`` and ``Image/aligned``."""
    rng = np.random.default_rng(1)
    (path / "EmoLabel").mkdir(parents=True)
    (path / "Image" / "aligned").mkdir(parents=True)
    lines = []
    for part in ("train", "test"):
        for number in range(7 * per_class):
            name = f"{part}_{number + 1:05d}"
            colour(number % 7, rng, 100, 100).save(path / "Image" / "aligned" / f"{name}_aligned.jpg")
            lines.append(f"{name}.jpg {number % 7 + 1}")
    (path / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return path


def affectnet(path: Path, per_class: int = 2) -> Path:
    """``train_set/images/0.jpg`` with ``train_set/annotations/0_exp.npy``, and ``val_set``."""
    rng = np.random.default_rng(1)
    for part in ("train_set", "val_set"):
        (path / part / "images").mkdir(parents=True)
        (path / part / "annotations").mkdir(parents=True)
        for number in range(8 * per_class):
            colour(number % 8, rng, 112, 112).save(path / part / "images" / f"{number}.jpg")
            np.save(path / part / "annotations" / f"{number}_exp.npy", np.asarray(str(number % 8)))
    return path


def edit_line(path: Path, number: int, change: Callable[[str], str]) -> None:
    """Rewrite one line, counted from 1."""
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")
