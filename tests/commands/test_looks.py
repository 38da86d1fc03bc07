"""What noise does, where D looks, and features in the plane: on networks whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, only_run
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from torch import Tensor, nn
from untrained import asked, untrained

from gantrain.commands.show_noise import show_noise
from gantrain.commands.show_saliency import saliency, show_saliency
from gantrain.networks import Discriminator, Generator
from gantrain.report.console import Console
from gantrain.turns import Samples


class Matrix(Generator):
    """Samples that are the noise times a matrix."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        return noise @ self.matrix


class Weighted(Discriminator):
    """The logit is the sum of the pixels times weights."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def logits(self, features: Tensor) -> Tensor:
        return features @ self.weights.flatten()


def test_noise_is_ranked_by_how_far_it_moves_numbers(tmp_path: Path) -> None:
    """Of a linear generator a unit of a dimension moves samples by the length of the matrix's row."""
    run = untrained(tmp_path, "dataset=ring8", "model.noise.dim=3", "tricks=[]")
    matrix = torch.tensor([[0.0, 0.1], [3.0, 4.0], [1.0, 0.0]])
    run.game.set_submodule("generator", Matrix(matrix))
    shown = show_noise(run, asked(), {}, "npz", Console())
    held = shown.arrays()
    assert held["dimensions"].tolist() == [1, 2, 0]
    assert held["change"] == pytest.approx([5.0, 1.0, 0.1], rel=1e-5)
    assert held["places"][[0, -1]].tolist() == [-2, 2]
    rows = held["samples"].reshape(3, 9, 2)
    assert np.diff(rows[0], axis=0) == pytest.approx(np.broadcast_to([1.5, 2.0], (8, 2)), rel=1e-5)
    assert shown.page().shape[2] == 3


def test_noise_of_pictures_is_ranked_in_levels(tmp_path: Path) -> None:
    """One pixel in four that goes from -1 to 1 while the noise goes from 0 to 1: a mean of 255 / 4 levels."""
    run = untrained(tmp_path, "dataset=digits", "networks@model=mlp", "model.noise.dim=2", "tricks=[]")
    quarter = torch.zeros(2, 16, 16)
    quarter[1, :8, :8] = 2.0
    picture = nn.Sequential(Matrix(quarter.flatten(1)), nn.Unflatten(1, (1, 16, 16)))
    run.game.set_submodule("generator", picture)
    held = show_noise(run, asked(n=3), {}, "npz", Console()).arrays()
    assert held["dimensions"].tolist() == [1, 0]
    assert held["change"] == pytest.approx([255 / 4, 0])
    assert held["samples"].shape == (18, 16, 16, 1)


@pytest.mark.parametrize("tricks", ["[]", "[packing]"])
def test_saliency_of_a_linear_discriminator_is_its_weights(tmp_path: Path, tricks: str) -> None:
    """The greatest of a pixel's channels, without a sign; that of a pack is each of its samples' own."""
    run = untrained(tmp_path, "dataset=digits", "networks@model=mlp", f"tricks={tricks}")
    packed = 2 if tricks == "[packing]" else 1
    weights = torch.randn(packed, 16, 16)
    run.game.set_submodule("discriminator", Weighted(weights))
    gradient, logits = saliency(run.game, "discriminator", Samples(torch.randn(6, 1, 16, 16)), run.game.batch_at(0))
    torch.testing.assert_close(gradient, weights.abs().repeat(6 // packed, 1, 1))
    assert logits.shape == (6 // packed,)
    assert all(p.grad is None for p in run.game.parameters())


def test_saliency_takes_the_greatest_channel(tmp_path: Path) -> None:
    run = untrained(tmp_path, "dataset=digits", "networks@model=mlp")
    weights = torch.randn(3, 4, 4)
    run.game.set_submodule("discriminator", Weighted(weights))
    gradient, _ = saliency(run.game, "discriminator", Samples(torch.randn(2, 3, 4, 4)), run.game.batch_at(0))
    torch.testing.assert_close(gradient, weights.abs().amax(0).expand(2, -1, -1))


@pytest.mark.parametrize("model", ["gman", "cgan", "bigan", "sgan", "acgan"])
def test_every_discriminator_of_every_game_can_be_looked_into(model: str, tmp_path: Path) -> None:
    """Each with what it is told of samples; modes and gradients are as they were."""
    run = untrained(tmp_path, "dataset=digits", f"model={model}", "networks@model=mlp")
    modes = [module.training for module in run.game.modules()]
    shown = show_saliency(run, asked(n=3), {}, "png", Console())
    held, many = shown.arrays(), len(run.game.discriminators)
    assert len(held) == 6 * many
    assert all(x.shape == (3, 16, 16) for name, x in held.items() if name.endswith("_gradient"))
    assert [module.training for module in run.game.modules()] == modes
    assert shown.page().shape[1] == 1200


def test_features_of_real_and_generated(gantrain: Command, tmp_path: Path) -> None:
    """As arrays, as a picture, and for the projector with a thumbnail and a label each."""
    words = ["dataset=digits", "networks=mlp", "model=cgan", "trainer.steps=2", "trainer.batch_size=16"]
    assert gantrain(*words).returncode == 0
    run = only_run(tmp_path)
    done = gantrain("sample", f"run={run}", "show=features", "n=12", "class=3", "projector=true", "out=f.npz")
    assert done.returncode == 0, done.stderr
    held = np.load("f.npz")
    assert held["features"].shape == (24, 256)
    assert held["generated"].tolist() == [False] * 12 + [True] * 12
    assert held["pca"].shape == held["tsne"].shape == (24, 2)
    centred = held["features"] - held["features"].mean(0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2] / np.sqrt(24)
    assert held["pca"].std(0) == pytest.approx(spread, rel=1e-3)
    folder = next((run / "projector").iterdir())
    board = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = board.embeddings
    lines = (folder / embedding.metadata_path).read_text().splitlines()
    assert (len(lines), lines[0].split("\t"), lines[-1].split("\t")) == (25, ["kind", "label"], ["generated", "3"])
    assert len((folder / embedding.tensor_path).read_text().splitlines()) == 24
    assert Image.open(folder / embedding.sprite.image_path).size == (5 * 16, 5 * 16)
    again = gantrain("sample", f"run={run}", "show=features", "n=9", "projector=true", "out=f.png")
    assert again.returncode == 0, again.stderr
    assert len(list((run / "projector").iterdir())) == 1
    assert Image.open("f.png").width > 1000


@pytest.mark.parametrize("dataset", ["ring8", "gaussian1d"])
def test_features_of_numbers(gantrain: Command, tmp_path: Path, dataset: str) -> None:
    assert gantrain(f"dataset={dataset}", "trainer.steps=1", "metrics.use=[]").returncode == 0
    run = only_run(tmp_path)
    done = gantrain("sample", f"run={run}", "show=features", "n=20", "projector=true", "out=f.png")
    assert done.returncode == 0, done.stderr


def test_a_projector_that_is_a_link_is_refused(gantrain: Command, tmp_path: Path) -> None:
    assert gantrain("dataset=ring8", "trainer.steps=1", "metrics.use=[]").returncode == 0
    run, elsewhere = only_run(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / "projector").symlink_to(elsewhere)
    refused = gantrain("sample", f"run={run}", "show=features", "n=20", "projector=true")
    assert refused.returncode == 2
    assert "is a link" in refused.stderr
    assert not list(elsewhere.iterdir())
