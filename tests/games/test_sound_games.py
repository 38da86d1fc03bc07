"""Games of sound with every loss and every trick: they play, or are refused and why."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of
from playing import mostly_slow
from test_every_game import LOSSES, TRICKS, check_rounds

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError

SMALL = [
    *["dataset=notes", "dataset.count=32", "dataset.length=80", "networks@model=wavegan_small", "trainer.batch_size=8"],
    *[
        "model.generator.width=2",
        "model.discriminator.width=2",
        "metrics.use=[mind_spectrogram]",
        "metrics.every=100",
    ],
    "metrics.best=metrics/mind_spectrogram",
]
GAMES = {
    "wavegan_small": "",
    "cgan": "model.conditioning=embedding",
    "acgan": "",
    "infogan": "model.categorical=[4]",
    "gman": "model.count=2",
    "madgan": "model.generators=2",
    "bigan": "",
}
REFUSED = {
    "ada": "augments pictures, but the dataset holds sound",
    "diffaugment": "augments pictures, but the dataset holds sound",
    "reconstruction": "maps that a discriminator makes of pictures",
    "minibatch_tutorial": r"no linear block 'trunk\.3'",
}


PLAYED = [*((loss, "fp32") for loss in [*LOSSES, "wavegan"]), *((loss, "bf16") for loss in ("r1", "r3", "wavegan"))]


@pytest.mark.parametrize(("loss", "precision"), PLAYED)
def test_wavegan_with_a_loss(loss: str, precision: str) -> None:
    check_rounds(round_of(*SMALL, "model=wavegan_small", f"loss={loss}", f"trainer.precision={precision}"))


@pytest.mark.parametrize("game", GAMES)
def test_a_game_of_sound(game: str) -> None:
    words = [f"model={game}", *GAMES[game].split(), "loss=r1", "trainer.precision=bf16", "tricks=[ema]"]
    check_rounds(round_of(*SMALL, *words))


@pytest.mark.parametrize("trick", mostly_slow(TRICKS))
def test_wavegan_with_a_trick(trick: str) -> None:
    asked = [*SMALL, "model=wavegan_small", "loss=nonsaturating", "optimizer=adam", f"tricks=[{trick}]"]
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if trick in REFUSED:
        with pytest.raises(UserError, match=REFUSED[trick]):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked))


def test_parts_of_a_batch_are_played_as_the_whole_without_phase_shuffle() -> None:
    words = [*SMALL, "model=wavegan_small", "loss=nonsaturating", "model.generator.norm=none"]
    words += ["model.discriminator.phase_shuffle=0", "trainer.precision=fp32", "tricks=[]"]
    made = []
    for accumulate in (1, 2):
        rounds = round_of(*words, f"trainer.accumulate={accumulate}")
        check_rounds(rounds)
        made.append([p.detach().clone() for p in rounds.game.parameters()])
    for one, other in zip(*made, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_the_papers_setting() -> None:
    """Donahue et al. 2018, table 5, on a folder of sound."""
    cfg = config("dataset=notes", "model=wavegan", "loss=wavegan", "dataset.length=16384", "dataset.rate=16000")
    assert (cfg.loss.n_critic, cfg.loss.penalties.gradient_penalty.weight) == (5, 10)
    assert (cfg.optimizer.lr, list(cfg.optimizer.betas)) == (1e-4, [0.5, 0.9])
    assert cfg.optimizer.generator["_target_"] == cfg.optimizer.discriminator["_target_"] == "torch.optim.Adam"
    assert (cfg.model.noise.dim, cfg.model.noise.kind) == (100, "uniform")
    assert (cfg.model.generator.width, cfg.model.discriminator.phase_shuffle) == (64, 2)
    assert cfg.model.generator.norm == cfg.model.discriminator.norm == "none"
