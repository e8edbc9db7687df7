"""Which provider of ONNX Runtime ran which node, from its profile."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ferserve.runtime.base import Placement, Tensor


def measure_placement(load: Callable[[ort.SessionOptions], Any], feeds: Mapping[str, Tensor], wanted: str) -> Placement:
    """Where the nodes of a graph ran in one run; ``load`` makes a session with the given options."""
    with tempfile.TemporaryDirectory(prefix="ferserve-profile-") as folder:
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = load(options)
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    ran = {
        event["name"]: event["args"]["provider"] for event in events if event.get("args", {}).get("provider")
    }  # a node by name: a profile may have it more than once
    counts = Counter(ran.values())
    return Placement(wanted, counts[wanted], sum(counts.values()) - counts[wanted])
