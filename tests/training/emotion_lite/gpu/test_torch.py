"""The networks, the steps and a whole dry run in torch, which `pip install '.[gpu-training]'` brings."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="GPU training needs torch: pip install '.[gpu-training]'")

import skimage.data
import torch

from ferserve.config import EngineConfig
from ferserve.local import LocalClient
from training import __main__ as command
from training.emotion_lite.fit import predict_logits
from training.emotion_lite.gpu.disturb import Disturbance, disturb, normalise
from training.emotion_lite.gpu.families import ENLARGED, MIRRORED, PLAIN, RESIDUAL, SQUEEZED, Family, Mirrored
from training.emotion_lite.gpu.gpu_plan import SHAPES
from training.emotion_lite.gpu.landing import student_model
from training.emotion_lite.gpu.networks import MirrorNet, build_teacher
from training.emotion_lite.gpu.state import read_state
from training.emotion_lite.gpu.steps import Descent
from training.emotion_lite.gpu.trainer import answer_views, head_loss, probabilities, taught
from training.emotion_lite.release import release_run
from training.errors import CheckpointError
from training.models.emotion_stages import Stage, count_macs

NOTHING = Disturbance(0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)


@pytest.mark.parametrize("family", [RESIDUAL, SQUEEZED, PLAIN, ENLARGED, MIRRORED], ids=lambda f: f.name)
def test_the_plans_work_is_what_the_nets_do(family: Family | Mirrored) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        build_teacher(family).eval()(torch.zeros(1, 1, 48, 48))
    assert counter.get_total_flops() / 2 == pytest.approx(family.macs, rel=1e-5)


def test_a_step_of_a_student_is_three_passes() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    net = MirrorNet(SHAPES["lite"])
    counter = FlopCounterMode(display=False)
    with counter:
        net(torch.zeros(2, 1, 48, 48)).sum().backward()
    # No gradient flows into the picture: the first layer has two passes.
    assert counter.get_total_flops() / 2 == pytest.approx(6 * count_macs(SHAPES["lite"]), rel=0.02)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_student_is_the_network_that_keras_exports(shape: str, tmp_path: Path) -> None:
    net = MirrorNet(SHAPES[shape]).train()
    images = np.random.default_rng(1).integers(0, 256, (16, 48, 48)).astype(np.uint8)
    x = normalise(torch.from_numpy(images))
    for _ in range(3):
        net(x)  # statistics that are no longer the first ones
    path = tmp_path / "student.npz"
    np.savez(path, **net.keras_arrays(), stages=json.dumps([asdict(stage) for stage in SHAPES[shape]]))
    model, stages = student_model(path)
    assert stages == SHAPES[shape]
    with torch.no_grad():
        own = net.eval()(x).numpy()
    np.testing.assert_allclose(predict_logits(model, images, exact=True), own, atol=1e-4 * np.abs(own).max())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="file must hold a whole student"):
        student_model(path)


def test_nothing_is_changed_if_nothing_is_asked_for() -> None:
    images = torch.randint(0, 256, (4, 48, 48), dtype=torch.uint8)
    targets = torch.rand(4, 17)
    x, y = disturb(images, targets, NOTHING)
    straight = normalise(images)
    for row, plain in zip(x, straight, strict=True):  # the mirror is always drawn
        assert min((row - plain).abs().max(), (row - plain.flip(2)).abs().max()) < 0.02
    torch.testing.assert_close(y, targets)


def test_rows_are_mixed_within_their_group() -> None:
    images = torch.zeros((64, 48, 48), dtype=torch.uint8)
    images[32:] = 255
    targets = torch.zeros(64, 17)
    targets[32:] = 1
    only = Disturbance(0, 0, 0, 0, 0, 0, 0, 0, mixup=1.0)
    _, apart = disturb(images, targets, only, groups=2)
    torch.testing.assert_close(apart, targets)
    _, together = disturb(images, targets, only, groups=1)
    assert (together[[0, 32]] - targets[[0, 32]]).abs().max() > 0.001


@pytest.mark.parametrize("name", ["degrade", "erase", "contrast", "rotation_deg", "shift"])
def test_every_change_can_be_seen_and_stays_in_bounds(name: str) -> None:
    image = np.asarray(skimage.data.astronaut()[66:162, 176:272].mean(axis=2), np.uint8)[::2, ::2]
    images = torch.from_numpy(image)[None].repeat(64, 1, 1)
    strength = {"contrast": 0.3, "rotation_deg": 12.0, "shift": 0.08}.get(name, 1.0)
    x, _ = disturb(images, torch.zeros(64, 17), Disturbance(**{**vars(NOTHING), name: strength}))
    straight = normalise(images)
    gap = torch.minimum((x - straight).abs().mean(dim=(1, 2, 3)), (x - straight.flip(3)).abs().mean(dim=(1, 2, 3)))
    assert 0.005 < gap.mean() < 1
    assert x.abs().max() < 3.5


def test_targets_are_shared_between_labels_and_teachers() -> None:
    labels, answers = torch.tensor([[0.5] * 6 + [0.0] * 11, [0.0] * 17]), torch.full((2, 17), 0.25)
    labels[0] *= 1.0
    mixed = taught(labels, answers, 0.4)
    torch.testing.assert_close(mixed[0], 0.6 * labels[0] + 0.4 * answers[0])
    torch.testing.assert_close(mixed[1], answers[1])


def test_a_step_is_nesterovs_with_decay_beside_it() -> None:
    net = torch.nn.Linear(3, 17)
    x, y = torch.randn(8, 3), probabilities(torch.randn(8, 17))
    peer = torch.nn.Linear(3, 17)
    peer.load_state_dict(net.state_dict())
    other = torch.optim.SGD(peer.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    descent = Descent(net, decay=0.0)
    descent.rate.fill_(0.1)
    for _ in range(4):
        descent.step(lambda: head_loss(net(x), y), sharp=False)
        other.zero_grad()
        head_loss(peer(x), y).backward()
        other.step()
    torch.testing.assert_close(net.weight, peer.weight)
    before = net.weight.detach().clone()
    decayed = Descent(net, decay=0.5)
    decayed.rate.fill_(0.1)
    decayed.step(lambda: 0.0 * head_loss(net(x), y), sharp=False)
    torch.testing.assert_close(net.weight, before * 0.95)


def test_a_sharp_step_descends_by_the_gradient_at_the_worst_place_nearby() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(2.0)
    descent = Descent(net, decay=0.0)
    descent.rate.fill_(0.1)
    descent.step(lambda: (net.weight**2).sum(), sharp=True)
    # Gradient 4 there, 4.1 a step of 0.05 uphill; Nesterov's first step is 1.9 gradients.
    assert float(net.weight.detach()) == pytest.approx(2.0 - 0.1 * 1.9 * 2 * 2.05, abs=1e-5)


def test_averaged_weights_follow_with_their_statistics() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    descent = Descent(net, decay=0.0)
    descent.keep.fill_(0.75)
    net(torch.full((2, 1, 8, 8), 3.0))
    start = descent.average[1].running_mean.clone()
    gone = net[1].running_mean.clone()
    descent.step(lambda: sum(weight.sum() for weight in net.parameters()) * 0.0, sharp=False)
    torch.testing.assert_close(descent.average[1].running_mean, start + 0.25 * (gone - start))


def test_views_are_averaged() -> None:
    net = MirrorNet((Stage(8, 2, kernel=2), Stage(8, 2, kernel=2))).eval()
    x = torch.randn(5, 1, 48, 48)
    with torch.no_grad():
        one, other = probabilities(net(x)), probabilities(net(torch.roll(x, 1, dims=2)))
    torch.testing.assert_close(answer_views(net, x, 2), one)  # the mirror image gets the same answer
    torch.testing.assert_close(answer_views(net, x, 3), (2 * one + other) / 3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_dry_run_ends_in_files_that_serve(data: Path, tmp_path: Path) -> None:
    """Every phase, small: teachers, students, the file that saw PublicTest, export, INT8, card, serving."""
    packed, out = str(tmp_path / "packed.npz"), tmp_path / "run"
    assert command.main(["gpu-run", "--pack", packed, "--data", str(data)]) == 0
    line = ["gpu-run", "--packed", packed, "--out", str(out), "--minutes", "30", "--small", "--device", "cpu"]
    assert command.main(line) == 0
    state = read_state(out)
    assert len(state.done) == 8
    assert command.main([*line, "--resume"]) == 0  # nothing is left to do
    assert read_state(out).done == state.done
    card = release_run(out, data).read_text()
    assert "## In the pipeline" in card
    for folder in (out, out / "with_public_test"):
        for name in ("emotion-lite", "emotion-lite-int8"):
            with LocalClient(EngineConfig(model=str(folder / f"{name}.onnx"), threads=1, max_batch_size=1)) as client:
                (face,) = client.classify(skimage.data.astronaut()[..., ::-1]).faces
                assert math.isclose(float(face.heads[0].probabilities.sum()), 1, abs_tol=1e-4)
                described = client.model()
                assert ("public" in str(described.metrics)) == (folder == out)
