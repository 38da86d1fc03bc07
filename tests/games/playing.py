"""Small configs at little cost, and rounds played turn by turn under observation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from conftest import round_from
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor, nn

from gantrain.commands.assembly import plain
from gantrain.config import complete, compose, hydra_at
from gantrain.options import CONFIGS
from gantrain.training.rounds import Progress, Rounds
from gantrain.tricks import TurnContext
from gantrain.turns import Batch, LossInputs, Samples, Scores, Turn

N = 8
"""Samples per turn."""
LOSSES = ["minimax", "nonsaturating", "lsgan", "wgan", "wgan_gp", "hinge", "dragan", "r1", "rpgan", "ragan", "r3"]
PER_SAMPLE = {"wgan_gp", "dragan", "r1", "r3"}
NORMS = {"wgan": "none", **dict.fromkeys(PER_SAMPLE, "layer")}
"""Of the mlp's discriminator; it has batch norm with the other losses."""
SETTINGS = {
    "mlp": "dataset=ring8 model=mlp model.generator.hidden=[8] model.generator.norm=batch "
    "model.discriminator.hidden=[8,8,8] metrics.best=metrics/modes metrics.every=100",
    "dcgan": "dataset=digits dataset.image_size=8 model=dcgan model.generator.width=2 model.discriminator.width=2 "
    "seed=3",  # D first calls most samples real, so that ada becomes stronger
}
OF_PAIRS = {
    "pix2pix": "dataset=digits_pairs dataset.image_size=8 dataset.held_out=0 optimizer=adam "
    "model.generator.width=2 model.discriminator.width=2 metrics=pairs metrics.best=metrics/mae metrics.every=100",
}
"""Games of which each loss and each trick is played, but not all tricks two by two."""
TELLING = "diffaugment ema experience_replay feature_matching packing spectral_norm topk unrolled virtual_batch_norm"
"""Tricks that between them use every hook."""
QUICK: dict[str, dict[str, Any]] = {
    "ada": {"target": -0.5, "interval": 2, "images": 4 * N},
    "ema": {"half_life": N, "ramp_up": None},
    "experience_replay": {"size": N // 2},
    "gradient_clipping": {"max_norm": 0.01},
    "label_flipping": {"share": 0.4},
    "lecam": {"start": 1, "decay": 0.5},
    "reference_batch_norm": {"size": 16},
    "topk": {"every": 1, "gamma": 0.5},
    "unrolled": {"steps": 2, "lr": 0.01},  # gentler than usual, for strong penalties
    "virtual_batch_norm": {"size": 16},
    "weight_clipping": {"limit": 0.03},
}
"""Settings under which three rounds show what a trick does."""
AROUND = {"n_critic", "packing", "ttur"}
"""Tricks that change more of a config than their own entry."""


@cache
def _composed(model: str, loss: str) -> DictConfig:
    words = [*(SETTINGS | OF_PAIRS)[model].split(), f"loss={loss}", f"trainer.batch_size={N}", "tricks=[]"]
    if model == "mlp":
        words.append(f"model.discriminator.norm={NORMS.get(loss, 'batch')}")
    if loss == "wgan":  # between smaller weights numbers become so small that rounding hides what happens
        words.append("loss.tricks.weight_clipping.limit=0.1")
    with hydra_at():
        return compose(words)


def _entry(trick: str) -> DictConfig:
    """What the trick's file holds, with what it builds on."""
    own = OmegaConf.load(CONFIGS / "tricks" / f"{trick}.yaml")
    assert isinstance(own, DictConfig)
    merged = OmegaConf.merge(*(own if name == "_self_" else _entry(name) for name in own.pop("defaults", ["_self_"])))
    assert isinstance(merged, DictConfig)
    return merged


def completed(model: str, loss: str, tricks: Sequence[str]) -> DictConfig:
    """The config that Hydra would compose with these tricks, in a quarter of its time."""
    entries = [_entry(trick) if trick in ("n_critic", "ttur") else {"tricks": _entry(trick)} for trick in tricks]
    base = _composed(model, loss)
    with open_dict(base):
        merged = OmegaConf.merge(base, *entries)
    assert isinstance(merged, DictConfig)
    return complete(merged)


@cache
def _base(model: str, loss: str, tricks: tuple[str, ...]) -> DictConfig:
    return completed(model, loss, tricks)


@cache
def _settings(model: str, trick: str) -> dict[str, Any]:
    entries = plain(completed(model, "nonsaturating", [trick]).tricks)
    return {name: {**entry, **QUICK.get(trick, {})} for name, entry in entries.items()}


def small_round(model: str, loss: str, tricks: Sequence[str]) -> Rounds:
    """A round of tiny networks with these tricks, ready to play.

    Raises:
        UserError: the tricks do not fit.
    """
    cfg = _base(model, loss, tuple(trick for trick in tricks if trick in AROUND))
    cfg.tricks = {name: entry for trick in tricks for name, entry in _settings(model, trick).items()}
    for entry in (entry for entry in cfg.tricks.values() if "shape" in entry):
        entry.shape = cfg.data.shown  # packs have a shape of their own
    return round_from(cfg)


Calls = list[tuple[tuple[Any, ...], Any]]


@dataclass
class Moment:
    """One turn as it went: who moved, what tricks and losses were given, and what came of it."""

    player: str
    number: int
    """Of the player's turns, from 1."""
    step: int
    context: TurnContext
    terms: dict[str, Tensor]
    inputs: list[tuple[str, LossInputs]]
    calls: dict[str, Calls]
    norm: float
    """Of the gradient, before tricks changed it."""
    clipped: float
    """Of the gradient that the optimizer was given."""
    before: dict[str, list[Tensor]]
    after: dict[str, list[Tensor]]
    held: dict[str, Tensor]
    """The buffers of tricks after the turn."""

    @property
    def batch(self) -> Batch:
        return self.context.batch

    @property
    def made(self) -> Samples:
        """Fakes as they were before any augmentation."""
        return self.context.fakes["discriminator"]

    @property
    def fake(self) -> Scores:
        return self.context.comparisons["discriminator"].fake

    @property
    def real(self) -> Scores:
        real = self.context.comparisons["discriminator"].real
        assert real is not None
        return real


def note_calls(owner: nn.Module, method: str) -> Calls:
    """Fills with what a method is given and what comes back, from now on."""
    calls: Calls = []
    original = getattr(owner, method)

    def noted(*given: Any) -> Any:
        made = original(*given)
        calls.append((given, made))
        return made

    setattr(owner, method, noted)
    return calls


def weights(rounds: Rounds) -> dict[str, list[Tensor]]:
    return {name: [p.detach().clone() for p in learner.parameters] for name, learner in rounds.learners.items()}


def check_turns(rounds: Rounds, count: int = 3) -> list[Moment]:
    """Plays; in every turn the moving player moves, the other does not, and every loss is finite."""
    game, moments = rounds.game, []
    calls = {method: note_calls(game, method) for method in ("terms", "trick_terms")}
    calls["targets"] = note_calls(game.tricks, "targets")
    for trick in game.tricks.each():
        calls |= {f"{trick.name}.{method}": note_calls(trick, method) for method in ("augment", "fakes")}
    play_turn = rounds.turn

    def watched(turn: Turn, played: int, progress: Progress, observe: bool) -> None:
        before = weights(rounds)
        play_turn(turn, played, progress, observe)
        after = weights(rounds)
        for name in rounds.learners:
            moved = any(not torch.equal(a, b) for a, b in zip(before[name], after[name], strict=True))
            assert moved == (name == turn.player), f"{name} in {turn.player}'s turn"
        numbers = rounds.meter.read()
        for tag, value in numbers.items():
            assert math.isfinite(value), tag
        gradients = [p.grad for p in rounds.learners[turn.player].parameters if p.grad is not None]
        moments.append(
            Moment(
                player=turn.player,
                number=played + 1,
                step=progress.step,
                context=calls["trick_terms"][-1][0][1],
                terms=calls["terms"][-1][1],
                inputs=[(given[0].name, inputs) for given, inputs in calls["targets"]],
                calls={name: list(noted) for name, noted in calls.items()},
                norm=numbers[f"grad_norm/{turn.player}"],
                clipped=nn.utils.get_total_norm(gradients).item(),
                before=before,
                after=after,
                held={name: buffer.clone() for name, buffer in game.tricks.named_buffers()},
            )
        )
        for noted in calls.values():
            noted.clear()

    rounds.turn = watched  # type: ignore[method-assign]
    progress = Progress()
    for _ in range(count):
        rounds.play(progress, observe=True)
    return moments


def mostly_slow(tricks: Sequence[str]) -> list[Any]:
    """Tricks as parameters of a test that is quick with those of `TELLING` alone."""
    return [trick if trick in TELLING.split() else pytest.param(trick, marks=pytest.mark.slow) for trick in tricks]
