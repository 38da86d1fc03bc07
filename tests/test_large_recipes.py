"""Recipes for a GPU: their settings are those of their sources, and each plays."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Command, config
from omegaconf import OmegaConf

from gantrain.commands.assembly import build_game, build_learners

SNGAN = {
    "trainer.steps": 100_000,
    "trainer.batch_size": 64,
    "dataset.augment.flip": False,
    "loss.adversarial._target_": "gantrain.losses.Hinge",
    "loss.n_critic": 5,
    "model.noise.dim": 128,
    "model.noise.kind": "normal",
    "optimizer.generator.lr": 2e-4,
    "optimizer.discriminator.lr": 2e-4,
    "optimizer.betas": [0.0, 0.9],
    "metrics.use": ["fid"],
    "metrics.known.fid.samples": 50_000,
    "metrics.known.fid.split": "train",
    "metrics.known.fid.space._target_": "gantrain.metrics.Inception",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "sngan_cifar10": SNGAN
    | {
        "loss.generator_batches": 2,
        "model.generator.width": 256,
        "model.discriminator.width": 128,
        "model.discriminator.head_bias": False,
    },
    "sngan_celeba": SNGAN
    | {"dataset.image_size": 64, "loss.generator_batches": 1, "model.discriminator.pyramid": True},
    "wgan_gp_cifar10": {
        "trainer.steps": 100_000,
        "trainer.batch_size": 64,
        "dataset.augment.flip": False,
        "loss.adversarial._target_": "gantrain.losses.Wasserstein",
        "loss.penalties.gradient_penalty.weight": 10.0,
        "loss.n_critic": 5,
        "loss.generator_batches": 2,
        "model.noise.dim": 128,
        "model.generator.width": 128,
        "model.discriminator.width": 128,
        "model.discriminator.spectral_norm": False,
        "optimizer.generator.lr": 2e-4,
        "optimizer.betas": [0.0, 0.9],
        "tricks": {},
        "metrics.use": ["inception_score", "fid"],
    },
    "speedrun_cifar10": {
        "name": "speedrun_cifar10",
        "trainer.batch_size": 256,
        "dataset.split": "train",
        "loss.n_critic": 2,
        "optimizer.generator.lr": 2e-4,
        "optimizer.discriminator.lr": 4e-4,
        "model._target_": "gantrain.games.Conditional",
        "model.conditioning": "projection",
        "model.discriminator.width": 256,
        "tricks.diffaugment.policy": ["translation", "cutout"],
        "tricks.spectral_norm.generator": True,
        "tricks.ema.players": ["generator"],
        "metrics.every": 2000,
        "metrics.best": "metrics/fid",
        "metrics.known.fid.samples": 50_000,
    },
}


CREATED_EQUAL: dict[str, Any] = {
    "trainer.batch_size": 64,
    "dataset.augment.flip": False,
    "model.noise.dim": 64,
    "model.noise.kind": "uniform",
    "model.discriminator._target_": "gantrain.networks.InfoGANDiscriminator",
    "model.discriminator.slope": 0.2,
    "tricks": {},
}
CLASSICS: dict[str, dict[str, Any]] = {
    "dcgan_celeba64": {
        "trainer.steps": 34_180,
        "trainer.batch_size": 128,
        "dataset.image_size": 64,
        "dataset.augment.flip": False,
        "model.noise.dim": 100,
        "model.noise.kind": "uniform",
        "model.generator.stem": "linear",
        "optimizer.generator.lr": 2e-4,
        "optimizer.generator.weight_decay": 1e-5,
        "optimizer.discriminator.weight_decay": 1e-5,
        "tricks": {},
        "metrics.known.fid.samples": 50_000,
    },
    **{
        f"{loss}_mnist": CREATED_EQUAL
        | {"loss.n_critic": n_critic, "trainer.steps": 15_625 // n_critic, "optimizer.lr": lr}
        | {"optimizer.betas": [beta1, 0.999], "model.discriminator.norm": norm}
        for loss, n_critic, lr, beta1, norm in (
            ("minimax", 1, 5e-5, 0.0, "batch"),
            ("nonsaturating", 1, 5e-5, 0.0, "batch"),
            ("lsgan", 1, 2e-4, 0.5, "batch"),
            ("wgan", 5, 5e-5, 0.5, "batch"),
            ("wgan_gp", 5, 1e-4, 0.5, "none"),
            ("dragan", 1, 1e-4, 0.5, "layer"),
        )
    },
}
"""Of papers whose rates stay."""


@pytest.mark.parametrize("experiment", [*SETTINGS, *CLASSICS])
def test_settings_are_those_of_the_source(experiment: str) -> None:
    settings = {**SETTINGS, **CLASSICS}[experiment]
    cfg = config(f"experiment={experiment}")
    assert {path: OmegaConf.select(cfg, path) for path in settings} == settings


def narrow(*words: str) -> Any:
    return config(*words, "model.generator.width=16", "model.discriminator.width=16", "metrics=none")


@pytest.mark.parametrize("experiment", SETTINGS)
def test_rates_fall_to_zero_from_the_first_step_on(experiment: str) -> None:
    cfg = narrow(f"experiment={experiment}")
    for learner in build_learners(cfg, build_game(cfg)).values():
        assert [learner.schedule(step, 100) for step in (0, 25, 100)] == pytest.approx([1, 0.75, 0])


def test_another_choice_replaces_the_recipes_own() -> None:
    """Faces at 128 as their source has them, and time to quality without labels."""
    words = ["dataset.image_size=128", "loss.n_critic=2", "optimizer/schedule=constant"]
    cfg = narrow("experiment=sngan_celeba", *words)
    assert build_learners(cfg, build_game(cfg))["generator"].schedule(99, 100) == 1
    assert cfg.data.shape == [3, 128, 128]
    cfg = config("experiment=speedrun_cifar10", "model=sngan")
    assert cfg.model._target_ == "gantrain.games.Standard"
    assert cfg.tricks.spectral_norm.generator


@pytest.mark.parametrize(
    "experiment", ["sngan_cifar10", "sngan_celeba", "speedrun_cifar10", "wgan_gp_cifar10", *CLASSICS]
)
def test_each_plays_a_few_steps_on_digits(gantrain: Command, experiment: str) -> None:
    """Narrow and on pictures that are bundled: a loss that is no number ends the run."""
    sizes = ["model.generator.width=16", "model.discriminator.width=16", "trainer.batch_size=4", "trainer.steps=2"]
    done = gantrain(f"experiment={experiment}", "dataset=digits", *sizes, "metrics=none", "log.every=1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "experiment", ["sngan_cifar10", "sngan_celeba", "speedrun_cifar10", "biggan_cifar10", "r3gan_cifar10"]
)
def test_each_plays_a_step_at_full_width(gantrain: Command, real_data: str, experiment: str) -> None:
    done = gantrain(f"experiment={experiment}", f"data_dir={real_data}", "trainer.batch_size=4", "debug=dry")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nan" not in done.stdout
