"""Trains the models that ferserve serves. Never imported by ``ferserve`` itself."""

import sys

from training.moved import MovedModules

sys.meta_path.append(MovedModules())
