"""The head that is served: one distribution over FER+'s labels, made from both raw heads.

FER+'s taggers saw neutral in many faces that were posed as something else, so its head alone calls a scowl neutral.
FER2013's head knows the posed label. The served head is a linear map of both heads' log probabilities (a logarithmic
opinion pool: Genest & Zidek 1986, doi:10.1214/ss/1177013825) with an offset per label that corrects the frequencies of
the training set (Saerens et al. 2002, doi:10.1162/089976602753284446). The map is one small product within the graph.

``python -m training.emotion_lite.served_head MODEL.onnx … --data FILE.npz`` fits the head of exported files on
PublicTest and writes it into them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import FER2013, FER2013_NAME, FERPLUS
from ferserve.models.spec import HeadSpec, ModelSpec
from training.common.atomic_write import atomic_write
from training.common.export import embed_spec, read_spec
from training.emotion_lite.temperature import fit_temperature
from training.emotion_lite.voted_samples import VotedSamples, load_voted_samples
from training.errors import in_one_line
from training.evaluation.served_model import ServedModel
from training.models.emotion_stages import HEADS

Floats = NDArray[np.floating[Any]]

SERVED, RAW_FERPLUS, RAW_FER2013 = "emotion", "emotion_ferplus", "emotion_fer2013"
"""Names of the served head, which comes first, and of the raw ones."""

POSED_SHARE = 0.15
"""Weight of FER2013's labels in the fit; the rest is that of FER+'s votes. Chosen on PublicTest by 5-fold
cross-validation: more costs FER+ more than 0.7 points of accuracy, less leaves anger neutral."""
ANGER_WEIGHT = 4.5
"""Weight of angry rows beside other rows of FER2013: their misses are what users see first."""
RIDGE = 0.003
"""Pull of each weight towards the raw FER+ head."""


@dataclass(frozen=True)
class ServedHead:
    """``matrix`` (8, 15) and ``bias`` (8,): log probabilities of both raw heads to logits of the served one."""

    matrix: Floats
    bias: Floats

    def logits(self, raw: Floats) -> Floats:
        """(N, 8) for (N, 15) log probabilities or logits, FER+'s labels first; offsets per head do not matter."""
        return np.asarray(raw @ self.matrix.T + self.bias)


def fit_served_head(raw: Floats, samples: VotedSamples) -> ServedHead:
    """The map of ``raw`` (N, 15) log probabilities that explains votes and labels of ``samples`` best.

    Maximum likelihood of FER+'s votes and, with :data:`POSED_SHARE`, of FER2013's labels with classes weighted by
    their rarity; one weight per head and label, none below 0. A temperature then makes the confidence true on FER+'s
    majority labels.
    """
    from scipy.optimize import minimize

    objective = _Objective(raw @ _centring(), _targets(samples), _allowed())
    bounds = [(0.0, None)] * objective.weights + [(None, None)] * len(FERPLUS)
    found = minimize(objective, objective.first(), jac=True, method="L-BFGS-B", bounds=bounds).x
    matrix, bias = objective.unpack(found)
    fitted = ServedHead(matrix @ _centring(), bias)
    majority = samples.votes.argmax(axis=1)
    named = majority < len(FERPLUS)
    temperature = fit_temperature(fitted.logits(raw)[named], majority[named])
    return ServedHead(fitted.matrix / temperature, fitted.bias / temperature)


class _Objective:
    """Weighted negative log likelihood with its ridge, and its slope, of the allowed weights and the offsets."""

    def __init__(self, raw: Floats, targets: Floats, allowed: NDArray[np.bool_]) -> None:
        self._raw, self._targets, self._shape = raw, targets, allowed.shape
        self._where = np.flatnonzero(allowed)
        self._start = np.eye(*allowed.shape)

    @property
    def weights(self) -> int:
        """How many weights are free."""
        return len(self._where)

    def first(self) -> Floats:
        """The raw FER+ head alone."""
        return np.concatenate([self._start.ravel()[self._where], np.zeros(self._shape[0])])

    def unpack(self, values: Floats) -> tuple[Floats, Floats]:
        """Matrix and offsets."""
        matrix = np.zeros(self._shape)
        matrix.flat[self._where] = values[: self.weights]
        return matrix, values[self.weights :]

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        matrix, bias = self.unpack(values)
        logits = self._raw @ matrix.T + bias
        logits = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        pull, count = matrix - self._start, len(self._raw)
        loss = -(self._targets * log_probabilities).sum() / count + RIDGE * (pull**2).sum()
        slope = (np.exp(log_probabilities) * self._targets.sum(axis=1, keepdims=True) - self._targets) / count
        into_weights = (slope.T @ self._raw + 2 * RIDGE * pull).ravel()[self._where]
        return float(loss), np.concatenate([into_weights, slope.sum(axis=0)])


def _centring() -> Floats:
    """(15, 15): takes the mean over each head's labels away, so that what is common to a head's logits drops out."""
    blocks = np.zeros((len(FERPLUS) + len(FER2013),) * 2)
    for start, size in ((0, len(FERPLUS)), (len(FERPLUS), len(FER2013))):
        blocks[start : start + size, start : start + size] = np.eye(size) - 1 / size
    return blocks


def _allowed() -> NDArray[np.bool_]:
    """(8, 15): which raw labels speak for a served one. FER2013 knows no contempt, so its head does not vote on it."""
    allowed = np.zeros((len(FERPLUS), len(FERPLUS) + len(FER2013)), np.bool_)
    np.fill_diagonal(allowed, True)
    for row, label in enumerate(FERPLUS):
        if label in FER2013_NAME:
            allowed[row, len(FERPLUS) + FER2013.index(FER2013_NAME[label])] = True
    return allowed


def _targets(samples: VotedSamples) -> Floats:
    """(N, 8) weights of the served labels per row: the votes, and the posed label."""
    votes = samples.votes[:, : len(FERPLUS)].astype(float)
    votes[samples.votes.argmax(axis=1) >= len(FERPLUS)] = 0  # rows that most taggers could not name
    votes /= np.maximum(votes.sum(axis=1, keepdims=True), 1)
    ferplus_name = {theirs: ours for ours, theirs in FER2013_NAME.items()}
    posed = np.array([FERPLUS.index(ferplus_name[label]) for label in FER2013])
    share = np.bincount(samples.labels, minlength=len(FER2013)) / len(samples)
    weight = 1 / (len(FER2013) * np.maximum(share, 1 / len(samples)))
    weight[FER2013.index("angry")] *= ANGER_WEIGHT
    labels = np.zeros_like(votes)
    labels[np.arange(len(samples)), posed[samples.labels]] = weight[samples.labels]
    return np.asarray((1 - POSED_SHARE) * votes + POSED_SHARE * labels)


def raw_log_probabilities(path: Path, images: NDArray[np.uint8]) -> Floats:
    """(N, 15) of an exported file for (N, 48, 48) luma: both raw heads beside each other."""
    served = ServedModel(path)
    by_name = dict(zip((head.name for head in served.spec.heads), served.answers(served.rows(images)), strict=True))
    ferplus = by_name[RAW_FERPLUS if RAW_FERPLUS in by_name else SERVED]
    probabilities = np.concatenate([ferplus, by_name[RAW_FER2013]], axis=1)
    return np.asarray(np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)))


def attach(path: Path, head: ServedHead) -> None:
    """Write ``head`` into an exported file as its first head, in place of one that is there; raw heads stay.

    Such a file holds the logits of all raw heads under the name ``logits`` (:mod:`training.emotion_lite.onnx_graph`).
    """
    import onnx
    from onnx import checker, numpy_helper

    model, spec = onnx.load(path), read_spec(path)
    if RAW_FERPLUS not in {h.name for h in spec.heads}:
        spec = _insert(model.graph, spec)
    # The graph's logits hold the clarity head too, which has no say.
    matrix = np.pad(head.matrix, ((0, 0), (0, sum(HEADS.values()) - head.matrix.shape[1])))
    node = next(node for node in model.graph.node if node.name == _LOGITS)
    kept = [weight for weight in model.graph.initializer if weight.name not in (*_WEIGHTS, *node.input[1:])]
    node.input[1:] = _WEIGHTS  # a quantiser may have renamed them
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    for name, value in zip(_WEIGHTS, (matrix, head.bias), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    embed_spec(model, spec)
    checker.check_model(model)
    with atomic_write(path) as partial:
        onnx.save(model, partial)


_LOGITS, _WEIGHTS = "served.logits", ("served.matrix", "served.bias")


def _insert(graph: Any, spec: ModelSpec) -> ModelSpec:
    """Rename the raw head, and add the nodes of the served one; returns the spec that says so."""
    from onnx import TensorProto, helper

    for node in graph.node:
        node.output[:] = [RAW_FERPLUS if name == SERVED else name for name in node.output]
        node.name = RAW_FERPLUS if node.name == SERVED else node.name
    for end in graph.output:
        end.name = RAW_FERPLUS if end.name == SERVED else end.name
    graph.node.append(helper.make_node("Gemm", ["logits", *_WEIGHTS], [_LOGITS], _LOGITS, transB=1))
    graph.node.append(helper.make_node("Softmax", [_LOGITS], [SERVED], SERVED, axis=-1))
    graph.output.insert(0, helper.make_tensor_value_info(SERVED, TensorProto.FLOAT, ["batch", len(FERPLUS)]))
    raw = (replace(spec.heads[0], name=RAW_FERPLUS, output=RAW_FERPLUS), *spec.heads[1:])
    return replace(spec, heads=(HeadSpec(SERVED, FERPLUS, output=SERVED), *raw))


def fit_and_attach(path: Path, held_out: VotedSamples) -> ServedHead:
    """Fit the served head of an exported file on ``held_out`` and write it into the file."""
    head = fit_served_head(raw_log_probabilities(path, held_out.images), held_out)
    attach(path, head)
    return head


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m training.emotion_lite.served_head", description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    options = parser.parse_args(arguments)
    _, public_test = load_voted_samples(options.data)
    for path in options.models:
        fit_and_attach(path, public_test)
        print(path)


if __name__ == "__main__":
    sys.exit(in_one_line(main))
