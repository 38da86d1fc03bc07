"""Every trick with every loss and with every other trick: it works and does what it says, or it is refused and why."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from conftest import config
from effects import EFFECTS
from playing import LOSSES, PER_SAMPLE, SETTINGS, check_turns, completed, small_round
from traces import check_traces

from gantrain.commands.assembly import build_game, plain
from gantrain.errors import UserError
from gantrain.options import CONFIGS

TRICKS = sorted(file.stem for file in (CONFIGS / "tricks").glob("*.yaml"))
PAIRS = list(combinations(TRICKS, 2))
SWAPPED = [
    ("label_smoothing", "label_flipping"),
    ("spectral_norm", "minibatch_discrimination"),
    ("spectral_norm", "minibatch_stddev"),
    ("spectral_norm", "minibatch_tutorial"),
    ("packing", "diffaugment"),
    ("weight_clipping", "historical_averaging"),
]
"""Pairs whose order could matter, in the order that `PAIRS` has not."""

UNFIT = [
    ({"label_flipping", "label_smoothing"}, {*LOSSES} - {"minimax", "nonsaturating", "lsgan", "dragan", "r1"},
     "needs a loss with targets"),
    ({"ada"}, {"wgan", "wgan_gp", "rpgan", "ragan", "r3"}, "reads the sign of D's logits"),
    ({"ada", "diffaugment"}, {"mlp"}, "augments pictures"),
    ({"reconstruction"}, {"mlp"}, "maps that a discriminator makes of pictures"),
    ({"early_stopping"}, {"dcgan"}, "early_stopping.metric is not set"),
    ({"minibatch_tutorial"}, {"dcgan"}, "no linear block 'trunk.3'"),
]  # fmt: skip
"""Tricks, the losses or models that they do not fit, and what is said."""
EXCLUSIVE = {
    ("feature_matching", "unrolled"): "both replace generator/adversarial",
    ("feature_matching", "topk"): "drops the very loss term",
    ("topk", "unrolled"): "drops the very loss term",
    ("reference_batch_norm", "virtual_batch_norm"): "takes the place of batch norm",
    ("minibatch_discrimination", "minibatch_stddev"): "stands before a linear",
    ("minibatch_stddev", "minibatch_tutorial"): "stands before a linear",
}


def refusals(model: str, loss: str, tricks: Sequence[str]) -> list[str]:
    """What may be said against this, nothing where it should work."""
    alone = [sentence for names, where, sentence in UNFIT if names & {*tricks} and where & {model, loss}]
    return alone + [sentence for pair, sentence in EXCLUSIVE.items() if {*pair} <= {*tricks}]


def check_together(model: str, loss: str, *tricks: str) -> None:
    if sentences := refusals(model, loss, tricks):
        with pytest.raises(UserError, match="|".join(sentences)):
            small_round(model, loss, tricks)
        return
    rounds = small_round(model, loss, tricks)
    turns = check_turns(rounds)
    for trick in tricks:
        EFFECTS[trick](rounds, turns)
    check_traces(rounds, turns, loss, tricks)


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", SETTINGS)
def test_a_trick_with_a_loss(model: str, loss: str, trick: str) -> None:
    check_together(model, loss, trick)


@pytest.mark.parametrize(("first", "second"), PAIRS + SWAPPED)
@pytest.mark.parametrize("model", SETTINGS)
def test_two_tricks(model: str, first: str, second: str) -> None:
    check_together(model, "nonsaturating", first, second)


@pytest.mark.slow
@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("model", SETTINGS)
def test_two_tricks_with_a_loss(model: str, loss: str, trick: str) -> None:
    failed = {}
    for pair in PAIRS + SWAPPED:
        if pair[0] == trick:
            try:
                check_together(model, loss, *pair)
            except (Exception, pytest.fail.Exception) as error:
                failed[pair] = error
    assert not failed


@pytest.mark.parametrize("loss", sorted(PER_SAMPLE))
def test_batch_norm_does_not_fit_a_loss_per_sample(loss: str) -> None:
    with pytest.raises(UserError, match="samples meet"):
        build_game(config(*SETTINGS["mlp"].split(), f"loss={loss}", "model.discriminator.norm=batch"))


@pytest.mark.parametrize("model", SETTINGS)
def test_configs_are_those_of_hydra(model: str) -> None:
    words = [*SETTINGS[model].split(), "loss=r3", f"tricks=[{','.join(TRICKS)}]", "trainer.batch_size=8"]
    norm = ["model.discriminator.norm=layer"] if model == "mlp" else []
    found, wanted = plain(completed(model, "r3", TRICKS)), plain(config(*words, *norm))
    assert {**found, "choices": None} == {**wanted, "choices": None}, "but for the words that were typed"
