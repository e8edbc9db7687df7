"""Files of pretrained weights: where they are looked for, and one line that says which one a run takes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from training.errors import WeightsError


def keras_folder() -> Path:
    """Where Keras keeps the weights that it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def torch_folder() -> Path:
    """Where torchvision keeps the weights that it downloads."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"


def say_weights(path: Path) -> None:
    """Print name, SHA-256 and folder of the file that a network starts from."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
    print(f"weights: {path.name}, sha256 {digest.hexdigest()}, in {path.resolve().parent}")


def find_torchvision(network: str) -> Path:
    """The file of ``network``'s ImageNet weights that is at hand, as torchvision or timm name it.

    Raises :class:`WeightsError` that says what to put where.
    """
    patterns = f"{network}-*.pth", f"{network}.tv_in1k.safetensors"
    folders = torch_folder(), keras_folder()
    for folder in folders:
        for pattern in patterns:
            for path in sorted(folder.glob(pattern)):
                return path
    names, places = " or ".join(patterns), " or ".join(map(str, folders))
    raise WeightsError(
        f"weights imagenet of {network} must be at hand as {names} in {places}, got none; download torchvision's file "
        f"or model.safetensors of timm/{network}.tv_in1k and pass it with --weights FILE, or pass --weights none"
    )
