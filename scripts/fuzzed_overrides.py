"""Overrides for scripts/fuzz.py: one bad value on one setting of one of several choices, and what comes of it.

Each is taken as far as a run gets before it reads data: composed, completed and built.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gantrain.commands.assembly import build_game, build_learners, build_metrics, plain
from gantrain.config import build, complete, compose, hydra_at
from gantrain.errors import UserError

GROUPS = ("dataset", "model", "loss", "optimizer", "tricks", "metrics")
CHOICES = (
    "",
    "dataset=gaussian1d model=mlp_tutorial loss=minimax optimizer=sgd_tutorial tricks=[minibatch_tutorial,ema]",
    "dataset=gaussian1d_sorted loss=lsgan optimizer=rmsprop tricks=[label_smoothing,label_flipping,instance_noise]",
    "dataset=ring8 loss=wgan tricks=[packing,weight_regularisation,gradient_clipping,mode_seeking,topk]",
    "dataset=grid25 model=madgan loss=dragan optimizer=adamw tricks=[experience_replay,historical_averaging]",
    "dataset=digits model=dcgan loss=r1 tricks=[ada,lecam,consistency,ema] model.generator.width=4 "
    "model.discriminator.width=4 dataset.augment.crop=1",
    "dataset=digits model=resnet loss=hinge tricks=[diffaugment,spectral_norm,orthogonal] model.generator.width=4 "
    "model.discriminator.width=4",
    "dataset=digits model=cgan loss=hinge tricks=[minibatch_stddev,n_critic] optimizer/schedule=linear",
    "dataset=digits model=acgan loss=wgan_gp tricks=[ema,ttur] optimizer/schedule=exponential",
    "dataset=digits model=sgan loss=nonsaturating tricks=[feature_matching] metrics=test_error dataset.held_out=100",
    "dataset=digits model=triplegan loss=nonsaturating tricks=[virtual_batch_norm] metrics=test_error "
    "dataset.held_out=100",
    "dataset=digits model=infogan loss=nonsaturating tricks=[reference_batch_norm] metrics=code_error "
    "dataset.held_out=100",
    "dataset=ring8 model=gman loss=ragan tricks=[minibatch_discrimination,early_stopping] metrics.every=10 "
    "metrics.best=metrics/modes",
    "dataset=ring8 model=bigan networks@model=mlp loss=rpgan tricks=[unrolled]",
    "dataset=mnist model=gman networks@model=dcgan_small loss=r1_mnist",
    "dataset=stacked_mnist",
    "dataset=cifar10 model=dcgan_small",
    "dataset=celeba model=dcgan_small",
)
VALUES = (
    *("null", "abc", "''", "true", "auto", "3", "1", "0", "-1", "-2.5", "0.5", "1.5", "7", "nan", "inf", "-inf"),
    *("1e23", "100000000000000000000000", "[]", "[1,2]", "[0.5]", "[abc,-1]", "[nan,0.5]", "[0]", "[[1],2]", "{}"),
    *("{a: 1}", "[100000000000000000000000]", "{_target_: gantrain.tricks.EMA}", "{_target_: gantrain.losses.R1}"),
    *("{_target_: gantrain.networks.Noise, dim: 2}", "{_target_: torch.optim.SGD}", "{_target_: 3}"),
    "{_target_: gantrain.networks.MLPDiscriminator, _partial_: true, shape: [2], hidden: [4]}",
)
NAMES = ("foo", "foreach", "weight", "lr", "loss", "shape", "_partial_", "_target_", "every")
"""Settings that are added where they may not be known."""


@cache
def _composed(choice: str) -> DictConfig:
    with hydra_at():
        return compose(choice.split())


def _paths(node: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _paths(value, f"{path}.{key}")


@cache
def _keys(choice: str) -> list[str]:
    """The settings of the groups in use."""
    held = OmegaConf.to_container(_composed(choice))
    assert isinstance(held, dict)
    use = held["metrics"]["use"] or ()
    idle = tuple(f"metrics.known.{name}" for name in held["metrics"]["known"] if name not in use)
    paths = [path for group in GROUPS for path in _paths(held[group], group) if "." in path]
    return [path for path in paths if not path.startswith((*idle, "metrics.spaces."))]  # told by who uses them


def case(dice: random.Random) -> tuple[str, str]:
    """A choice and one override."""
    choice = dice.choice(CHOICES)
    key, kind = dice.choice(_keys(choice)), dice.random()
    if kind < 0.05:
        return choice, f"~{key}"
    if kind < 0.15:
        return choice, f"+{key.rpartition('.')[0]}.{dice.choice(NAMES)}={dice.choice(VALUES)}"
    return choice, f"{key}={dice.choice(VALUES)}"


def changed(choice: str, word: str) -> DictConfig:
    """The composed config with one override more, as Hydra puts it in."""
    cfg = _composed(choice).copy()
    OmegaConf.set_struct(cfg, False)
    override = OverridesParser.create().parse_override(word)
    if override.is_delete():
        parent, _, last = override.key_or_group.rpartition(".")
        del OmegaConf.select(cfg, parent)[last]
    else:
        OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True, force_add=True)
    return cfg


def outcome(choice: str, word: str) -> tuple[str, str]:
    """`ok`, `refused`, `unnamed` (a sentence that does not name the setting) or `raw`, and what was said."""
    try:
        cfg = changed(choice, word)
    except OmegaConfBaseException:
        return "refused", "by Hydra, before any class is asked"
    try:
        cfg = complete(cfg)
        source = build(plain(cfg.dataset), "dataset")
        game = build_game(cfg)
        build_metrics(cfg, source, game)
        build_learners(cfg, game)
    except UserError as error:
        said = str(error)
        key = word.lstrip("+~").partition("=")[0]
        group, *inner = [part for part in key.split(".") if part != "_target_"]
        named = any(part in said for part in inner or [group]) and "\n" not in said
        return ("refused" if named else "unnamed"), said
    except Exception as error:
        return "raw", f"{type(error).__name__}: {error}"
    return "ok", ""
