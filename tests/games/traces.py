"""What a trick that is not named leaves alone."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import torch
from effects import Turns, largest, linear_layers, targets_are_those_named
from playing import QUICK, Moment, N
from torch import nn
from torch.nn.utils import parametrize

from gantrain.networks.layers import StddevLayer
from gantrain.training.rounds import Rounds
from gantrain.tricks import Trick
from gantrain.tricks.minibatch_discrimination import MinibatchLayer
from gantrain.tricks.virtual_batch_norm import ReferenceNorm

BOTH = ("discriminator", "generator")
ADDED = {
    "consistency": ("consistency", BOTH[:1]),
    "feature_matching": ("feature_matching", BOTH[1:]),
    "historical_averaging": ("historical_averaging", BOTH),
    "lecam": ("lecam", BOTH[:1]),
    "mode_seeking": ("mode_seeking", BOTH[1:]),
    "orthogonal": ("orthogonal", BOTH[1:]),
    "reconstruction": ("reconstruction", BOTH[:1]),
    "weight_regularisation": ("l2", BOTH[:1]),
}
"""Loss terms that tricks add, and whose they are."""
LAYERS = {
    MinibatchLayer: {"minibatch_discrimination", "minibatch_tutorial"},
    StddevLayer: {"minibatch_stddev"},
    ReferenceNorm: {"virtual_batch_norm", "reference_batch_norm"},
}


def check_traces(rounds: Rounds, turns: Turns, loss: str, tricks: Collection[str]) -> None:
    """Nothing but what the named tricks and the loss bring along."""
    check_game(rounds, loss, set(tricks))
    targets_are_those_named(rounds, turns)
    for turn in turns:
        check_terms(rounds, turn, tricks)
        check_what_is_judged(rounds, turn)
        if "gradient_clipping" not in tricks:
            assert turn.clipped == pytest.approx(turn.norm)
        if turn.player == "discriminator" or "topk" not in tricks:
            assert torch.equal(turn.inputs[0][1].fake, turn.fake.logits)
    if loss != "wgan" and "weight_clipping" not in tricks:
        assert largest(turns[-1].after["discriminator"]) > QUICK["weight_clipping"]["limit"]


def check_game(rounds: Rounds, loss: str, tricks: set[str]) -> None:
    game = rounds.game
    for kind, names in LAYERS.items():
        assert any(isinstance(m, kind) for m in game.modules()) == bool(names & tricks), kind
    generator, discriminator = (game.get_submodule(name) for name in ("generator", "discriminator"))
    batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in generator.modules())
    assert batch_norm != bool(LAYERS[ReferenceNorm] & tricks)
    for layer in linear_layers(discriminator):
        assert parametrize.is_parametrized(layer) == ("spectral_norm" in tricks)
    assert not any(parametrize.is_parametrized(layer) for layer in linear_layers(generator))
    assert bool(game.averages) == ("ema" in tricks)
    critic = 2 if "n_critic" in tricks else 5 if loss in ("wgan", "wgan_gp") else 1
    assert [turn.times for turn in game.turns] == [critic, 1]
    assert len({rate for learner in rounds.learners.values() for rate in learner.rates}) == (
        2 if "ttur" in tricks else 1
    )


def check_terms(rounds: Rounds, turn: Moment, tricks: Collection[str]) -> None:
    wanted = {"adversarial"} | (set(rounds.game.loss.penalties) if turn.player == "discriminator" else set())
    wanted |= {term for trick, (term, players) in ADDED.items() if trick in tricks and turn.player in players}
    assert set(turn.terms) == wanted


def check_what_is_judged(rounds: Rounds, turn: Moment) -> None:
    """The discriminator judges what one augmentation makes of what the one before it made, in packs if so named."""
    own = turn.player == "discriminator"
    x = turn.batch.data["real"] if own else turn.made.x
    for trick in rounds.game.tricks.each():
        if type(trick).augment is Trick.augment:  # it is not even asked
            assert not turn.calls[f"{trick.name}.augment"]
            continue
        (given, _), augmented = turn.calls[f"{trick.name}.augment"][0]
        assert torch.equal(given, x)
        x = augmented
    if "packing" in rounds.game.tricks:
        x = torch.cat([x[0::2], x[1::2]], 1)
    scores = turn.real if own else turn.fake
    assert torch.equal(scores.samples.x, x)
    assert scores.logits.shape == (len(x),)
    assert len(x) == (N // 2 if "packing" in rounds.game.tricks else N)
