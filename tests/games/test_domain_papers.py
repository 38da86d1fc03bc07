"""Experiments of two domains compose to the settings of their papers, and their networks are the papers'."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import config
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from gantrain.commands.assembly import build_game, build_learners
from gantrain.games import CoGAN, CycleGAN
from gantrain.networks.cogan import CoGANDiscriminator, CoGANGenerator
from gantrain.schedules import Linear

CYCLEGAN = {
    "model.weight": 10.0,
    "model.identity": 0.5,
    "model.pool": 50,
    "model.generator.width": 64,
    "model.generator.blocks": 9,
    "model.generator.halvings": 2,
    "model.discriminator.patch": 70,
    "loss.adversarial.weight": 1.0,
    "dataset.image_size": 256,
    "dataset.augment.flip": True,
    "dataset.augment.jitter": 30,
    "optimizer.lr": 2e-4,
    "optimizer.betas": [0.5, 0.999],
    "trainer.batch_size": 1,
    "trainer.steps": 200 * 1334,
    "tricks": {},
}
COGAN = {
    "dataset.domains": "edges",
    "model.generator_own": 1,
    "model.discriminator_own": 1,
    "model.noise.dim": 100,
    "model.noise.kind": "uniform",
    "optimizer.lr": 2e-4,
    "optimizer.betas": [0.5, 0.999],
    "optimizer.generator.weight_decay": 5e-4,
    "optimizer.discriminator.weight_decay": 5e-4,
    "trainer.batch_size": 128,
    "trainer.steps": 25_000,
    "tricks": {},
}


def of_its_own(network: nn.Module, other: nn.Module) -> list[nn.Parameter]:
    """The parameters of a network that another does not share."""
    shared = {id(p) for p in other.parameters()}
    return [p for p in network.parameters() if id(p) not in shared]


def test_cyclegan_is_the_papers(tmp_path: Path) -> None:
    for name in ("trainA", "trainB"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (256, 256)).save(tmp_path / name / "0.png")
    cfg = config("experiment=cyclegan_horse2zebra", f"dataset.path={tmp_path}")
    assert {path: OmegaConf.select(cfg, path) for path in CYCLEGAN} == CYCLEGAN
    game = build_game(cfg)
    assert isinstance(game, CycleGAN)
    schedule = build_learners(cfg, game)["generator"].schedule
    assert isinstance(schedule, Linear)
    assert [schedule(step, 100) for step in (0, 50, 75, 100)] == pytest.approx([1, 1, 0.5, 0])
    assert sum(p.numel() for p in game.generator.a_to_b.parameters()) == pytest.approx(11.4e6, rel=0.01)


def test_cogan_is_the_papers() -> None:
    cfg = config("experiment=cogan_mnist")
    assert {path: OmegaConf.select(cfg, path) for path in COGAN} == COGAN
    game = build_game(config("experiment=cogan_mnist", "model.generator.width=16", "model.discriminator.width=4"))
    assert isinstance(game, CoGAN)
    last = [m for m in game.generator.b.modules() if isinstance(m, nn.ConvTranspose2d)][-1]
    assert list(map(id, of_its_own(game.generator.b, game.generator.a))) == list(map(id, last.parameters()))
    trunk = game.discriminator.trunk
    assert list(map(id, of_its_own(trunk.b, trunk.a))) == list(map(id, trunk.b[0].parameters()))


def test_networks_of_cogan() -> None:
    """1024, 512, 256 and 128 channels at 4, 7, 13 and 25 pixels; two convolutions with pooling and 500 units."""
    generator, sizes = CoGANGenerator([1, 28, 28], 100), []
    for module in generator.net:
        if isinstance(module, (nn.ConvTranspose2d, nn.Tanh)):
            module.register_forward_hook(lambda _, given, out: sizes.append(tuple(out.shape[1:])))
    made = generator(torch.randn(2, 100))
    assert sizes == [(1024, 4, 4), (512, 7, 7), (256, 13, 13), (128, 25, 25), (1, 28, 28), (1, 28, 28)]
    discriminator = CoGANDiscriminator([1, 28, 28])
    layers = [m for m in discriminator.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [tuple(m.weight.shape) for m in layers] == [(20, 1, 5, 5), (50, 20, 5, 5), (500, 800), (1, 500)]
    assert discriminator(made).shape == (2,)
    for kind in (lambda: CoGANGenerator([1, 16, 16], 8), lambda: CoGANDiscriminator([1, 32, 32])):
        with pytest.raises(ValueError, match="works on pictures of side 28"):
            kind()
