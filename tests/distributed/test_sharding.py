"""Weights shared out among processes: the same gradients, state and checkpoints, of which each keeps a part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import Ask, Command, config, only_run
from test_command import RING, torchrun
from test_gradients import DCGAN, GAMES, PICTURES, POINTS, REFUSED, SGD, TRICKS

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.runs import load_checkpoint

SHARD = "trainer.shard=true"
ADAM = ["optimizer=adam", "+optimizer.discriminator.eps=0.001", "+optimizer.generator.eps=0.001"]
"""With an ε of the size of gradients: the first steps of Adam are else their signs alone, of rounding errors too."""
RESNET = [*PICTURES, *GAMES["resnet"].split()]
QUICK = [
    [*POINTS, *ADAM, "loss=wgan_gp", "tricks=[ema,gradient_clipping]"],
    [*DCGAN, "loss=r1", "tricks=[ema,weight_regularisation]", "trainer.accumulate=2", "trainer.on_nonfinite=skip"],
    [*PICTURES, *GAMES["biggan"].split(), "loss=hinge", "tricks=[ema]"],  # spectral norm in G, and a gate of one number
]


def check(together: Ask, *words: str) -> None:
    found = together(*words, SHARD)
    assert found.get("worst", 1.0) <= 1e-9, found
    assert found["kept"] < 0.65, "half of it, and somewhat more of what has an odd number of rows"


@pytest.mark.parametrize("words", QUICK)
def test_sharded_weights_have_the_gradients_of_whole_ones(together: Ask, words: list[str]) -> None:
    check(together, *words)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["wgan_gp", "r1", "hinge", "nonsaturating"])
@pytest.mark.parametrize("words", [POINTS, DCGAN, RESNET], ids=["mlp", "dcgan", "resnet"])
def test_losses_with_and_without_penalties(together: Ask, words: list[str], loss: str) -> None:
    check(together, *words, f"loss={loss}", "tricks=[ema]")


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r1"])
@pytest.mark.parametrize("game", GAMES)
def test_every_game_sharded(together: Ask, game: str, loss: str) -> None:
    data = SGD if game == "wavegan" else PICTURES
    check(together, *data, "tricks=[ema]", *GAMES[game].split(), f"loss={loss}")


@pytest.mark.slow
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick_sharded(together: Ask, trick: str) -> None:
    more = {"experience_replay": ["tricks.experience_replay.size=24"], "lecam": ["tricks.lecam.start=1"]}
    found = together(*DCGAN, SHARD, "loss=nonsaturating", f"tricks=[{trick}]", *more.get(trick, []))
    refused = {**REFUSED, "historical_averaging": "keeps a mean of all weights, which trainer.shard=true shares out"}
    if "refused" in found:
        assert refused[trick] in found["refused"]
    else:
        assert found["worst"] <= 1e-9, found


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_kind_of_optimizer_sharded(together: Ask, optimizer: str) -> None:
    more = "momentum=0.9" if optimizer == "sgd" else "eps=0.001"
    players = [f"++optimizer.{player}.{more}" for player in ("generator", "discriminator")]
    words = ["dataset=ring8", "trainer.batch_size=16", "metrics=none", f"optimizer={optimizer}", *players]
    check(together, *words, "loss=nonsaturating", "tricks=[ema]")


@pytest.mark.slow
@pytest.mark.parametrize("words", [[*POINTS, "loss=wgan_gp"], [*DCGAN, "loss=nonsaturating"]])
def test_sharded_in_single_precision(together: Ask, words: list[str]) -> None:
    found = together(*words, SHARD, double=False)
    assert found["worst"] <= 1e-5, found


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("tricks=[historical_averaging]", "keeps a mean of all weights, which trainer.shard=true shares out"),
        (
            "trainer.reuse_fakes=true",
            "learn through weights that trainer.shard gives up",
        ),
    ],
)
def test_what_needs_weights_that_are_given_up_is_refused(word: str, sentence: str) -> None:
    """Where several processes play: one alone gives nothing up."""
    words = ["dataset=ring8", SHARD, word]
    build_game(config(*words))
    with pytest.raises(UserError, match=sentence):
        build_game(config(*words), devices=2)


def saved(run: Path, step: int) -> dict[str, object]:
    return dict(load_checkpoint(run / "checkpoints" / f"step_{step:08}.pt"))


@pytest.mark.slow
def test_checkpoints_are_whole_and_go_on_anywhere(gantrain: Command, tmp_path: Path) -> None:
    """A run in two parts that goes on in one process, whole, and in two, sharded, against one that was never shared."""
    words = [*RING, "optimizer=adam", "loss=wgan_gp", "log.histograms_every=10", "log.samples_every=10"]
    started = torchrun(*words, SHARD, "trainer.steps=20", "outputs_dir=two")
    assert gantrain(*words, "trainer.steps=20", "outputs_dir=one").returncode == 0
    out, err = started.communicate()
    assert started.returncode == 0, err
    assert "alltoall" not in out + err
    assert "each of 2 processes keeps" in out
    two, one = only_run(tmp_path / "two"), only_run(tmp_path / "one")
    mine, wanted = saved(two, 20), saved(one, 20)
    assert str(mine.keys()) == str(wanted.keys())
    for part in ("game", "optimizers"):
        torch.testing.assert_close(mine[part], wanted[part], rtol=1e-3, atol=1e-4)
    assert len(list((two / "samples").glob("*"))) == len(list((one / "samples").glob("*")))
    started = torchrun(f"run={two}", "trainer.steps=30")
    started.communicate()
    assert started.returncode == 0
    assert gantrain(f"run={one}", "trainer.steps=30", SHARD).returncode == 0  # one process has everything
    for part in ("game", "optimizers"):
        torch.testing.assert_close(saved(two, 30)[part], saved(one, 30)[part], rtol=1e-3, atol=1e-4)
    assert gantrain(f"run={two}", "trainer.steps=40").returncode == 0
    assert gantrain("sample", f"run={two}", "n=4").returncode == 0
    assert json.loads((two / "status.json").read_text())["status"] == "finished"
