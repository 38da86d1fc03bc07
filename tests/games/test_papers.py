"""Experiments compose to the settings of their papers' code."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import config
from omegaconf import OmegaConf
from small import fakes_of, game_of, only_latent
from torch import nn

from gantrain.commands.assembly import build_game, build_learners
from gantrain.errors import UserError

PAPERS: dict[str, dict[str, Any]] = {
    "infogan_mnist": {
        "model.categorical": [10],
        "model.continuous": 2,
        "model.weight": 1.0,
        "model.continuous_weight": 1.0,
        "model.norm": "batch",
        "model.noise.dim": 62,
        "model.noise.kind": "uniform",
        "optimizer.discriminator.lr": 2e-4,
        "optimizer.generator.lr": 1e-3,
        "optimizer.betas": [0.5, 0.999],
        "trainer.batch_size": 128,
        "trainer.steps": 5000,
        "tricks": {},
    },
    "cgan_cifar10": {
        "loss.n_critic": 5,
        "loss.generator_batches": 2,
        "trainer.batch_size": 64,
        "dataset.augment.flip": False,
        "model.last_norm": False,
        "model.discriminator.head_bias": False,
        "optimizer.lr": 2e-4,
        "optimizer.betas": [0.0, 0.9],
        "tricks": {},
    },
    "bigan_mnist": {
        "model.noise.dim": 50,
        "model.noise.kind": "uniform",
        "model.encoder.hidden": [1024, 1024],
        "model.encoder.norm": "batch",
        "model.encoder.norm_first": False,
        "model.discriminator.hidden": [1024],
        "model.width": 1024,
        "model.code_hidden": [],
        "model.norm": "batch",
        "optimizer.lr": 2e-4,
        "trainer.batch_size": 128,
        "tricks": {},
    },
    "sgan_mnist": {
        "optimizer.lr": 3e-3,
        "model.unsupervised_weight": 0.5,
        "model.labels_per_class": 10,
        "tricks.instance_noise.std": 0.6,
        "tricks.instance_noise.steps": None,
        "tricks.ema.players": ["discriminator", "generator"],
        "trainer.batch_size": 100,
        "trainer.steps": 180000,
    },
}


@pytest.mark.parametrize("experiment", PAPERS)
def test_settings_are_the_papers(experiment: str) -> None:
    cfg = config(f"experiment={experiment}")
    found = {path: OmegaConf.select(cfg, path) for path in PAPERS[experiment]}
    assert found == PAPERS[experiment]


def test_rates_fall_as_in_the_papers_code() -> None:
    """cgan: linearly to 0 from the first step on; bigan: constant for half the passes, then by a hundredth."""
    words = "experiment=cgan_cifar10"
    cfg = config(words, "model.generator.width=16", "model.discriminator.width=16")
    schedule = build_learners(cfg, build_game(cfg))["generator"].schedule
    assert [schedule(step, 50_000) for step in (0, 12_500, 25_000, 50_000)] == pytest.approx([1, 0.75, 0.5, 0])
    cfg = config("experiment=bigan_mnist")
    schedule = build_learners(cfg, build_game(cfg))["generator"].schedule
    steps = cfg.trainer.steps
    assert [schedule(round(s * steps), steps) for s in (0, 0.5, 0.75, 1)] == pytest.approx([1, 1, 0.1, 0.01])
    assert {p.optimizer.defaults["weight_decay"] for p in build_learners(cfg, build_game(cfg)).values()} == {5e-5}


def shapes(network: nn.Module) -> list[tuple[str, int]]:
    """The layers in their order, with their widths; norms by their kind."""
    kinds: dict[type[nn.Module], str] = {
        nn.Linear: "linear", nn.Conv2d: "conv", nn.ConvTranspose2d: "deconv",
        nn.BatchNorm1d: "norm", nn.BatchNorm2d: "norm",
    }  # fmt: skip
    found = []
    for module in network.modules():
        if type(module) in kinds:
            width = next(
                getattr(module, w) for w in ("out_features", "out_channels", "num_features") if hasattr(module, w)
            )
            found.append((kinds[type(module)], width))
    return found


def test_infogan_has_the_papers_networks() -> None:
    """Chen et al. 2016, table 1, with the norms of their code; Q shares D's trunk and has batch norm."""
    game = game_of("experiment=infogan_mnist")
    assert shapes(game.get_submodule("generator")) == [
        ("linear", 1024), ("norm", 1024), ("linear", 7 * 7 * 128), ("norm", 7 * 7 * 128),
        ("deconv", 64), ("norm", 64), ("deconv", 1),
    ]  # fmt: skip
    assert shapes(game.get_submodule("discriminator.trunk")) == [
        ("conv", 64), ("conv", 128), ("norm", 128), ("linear", 1024), ("norm", 1024)
    ]  # fmt: skip
    q = game.get_submodule("discriminator.heads.code")
    assert shapes(q) == [("linear", 128), ("norm", 128), ("linear", 10 + 2)]
    slopes = {m.negative_slope for m in game.get_submodule("discriminator").modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.01}
    (first,) = [m for m in game.get_submodule("generator").modules() if isinstance(m, nn.Linear)][:1]
    assert first.in_features == 62 + 10 + 2
    assert fakes_of(game, only_latent(game.latents(3))).x.shape == (3, 1, 28, 28)


def test_bigan_has_the_papers_networks() -> None:
    """Donahue et al. 2017: the first layer of encoder and D has no norm, the second one has."""
    game = game_of("experiment=bigan_mnist")
    assert shapes(game.get_submodule("generator.encoder")) == [
        ("linear", 1024), ("linear", 1024), ("norm", 1024), ("linear", 50)
    ]  # fmt: skip
    judge = {part: shapes(game.get_submodule(f"discriminator.{part}")) for part in ("trunk", "code", "meeting", "head")}
    assert judge["trunk"] == [("linear", 1024)]
    assert judge["code"] == []
    assert judge["meeting"] == [("linear", 1024), ("norm", 1024)]
    assert judge["head"] == [("linear", 1)]
    assert shapes(game.get_submodule("generator.decoder")) == [
        ("linear", 1024), ("norm", 1024), ("linear", 1024), ("norm", 1024), ("linear", 784)
    ]  # fmt: skip


def test_a_plain_last_norm_belongs_to_conditional_ones() -> None:
    with pytest.raises(UserError, match="last_norm=false belongs to conditioning=projection, not to concat"):
        game_of("model=cgan", "model.conditioning=concat", "model.last_norm=false")


def test_cgan_leaves_the_last_norm_plain_and_the_logit_without_bias() -> None:
    """Miyato & Koyama 2018, as in their code: six conditional norms in three blocks, and a plain one."""
    game = game_of("experiment=cgan_cifar10", "model.generator.width=16", "model.discriminator.width=16")
    norms = [m for m in game.get_submodule("generator").modules() if isinstance(m, nn.BatchNorm2d)]
    assert [norm.affine for norm in norms] == [False] * 6 + [True]
    assert game.get_submodule("discriminator").head.bias is None
    conditional = game_of("experiment=cgan_cifar10", "model.generator.width=16", "model.last_norm=true")
    norms = [m for m in conditional.get_submodule("generator").modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(norm.affine for norm in norms)
