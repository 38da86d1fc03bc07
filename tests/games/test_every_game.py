"""Every game with every loss and every trick: it plays, or it is refused and why."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.options import CONFIGS
from gantrain.training.rounds import Progress, Rounds

GAMES = {
    "cgan": "model.conditioning=concat",
    "acgan": "",
    "sgan": "model.labels_per_class=2",
    "infogan": "model.categorical=[4]",
    "gman": "model.count=2",
    "madgan": "model.generators=2",
    "triplegan": "model.labels_per_class=2 model.pseudo_start=0 model.pseudo_real=0.25 "
    "model.confidence=0.3 model.balance=0.2",
    "bigan": "",
}
LOSSES = ["minimax", "nonsaturating", "lsgan", "wgan", "wgan_gp", "hinge", "dragan", "r1", "rpgan", "ragan", "r3"]
TRICKS = sorted(file.stem for file in (CONFIGS / "tricks").glob("*.yaml"))
ALONE = {"cgan", "acgan", "sgan", "infogan", "madgan", "triplegan", "bigan"}
"""Games whose samples have labels or codes of their own."""
REFUSED = {
    **{(game, "packing"): "a label or code of its own" for game in ALONE},
    **{(game, "minibatch_tutorial"): r"no linear block 'trunk\.3'" for game in GAMES},
    **{(game, trick): "augments pictures" for game in GAMES for trick in ("ada", "diffaugment")},
    **{(game, "reconstruction"): "maps that a discriminator makes of pictures" for game in GAMES},
    **{("bigan", trick): "leaves out the encoder" for trick in ("feature_matching", "virtual_batch_norm")},
    ("bigan", "reference_batch_norm"): "leaves out the encoder",
}


def words(game: str, *more: str) -> list[str]:
    small = "model.generator.hidden=[8] model.generator.norm=batch model.discriminator.hidden=[8]"
    extra = "metrics.best=metrics/modes metrics.every=100 trainer.batch_size=8"
    return [*f"dataset=ring8 model={game} networks@model=mlp {small} {extra} {GAMES[game]}".split(), *more]


def check_rounds(rounds: Rounds) -> None:
    """Two rounds: whoever has the turn moves, the others do not, and every loss is finite."""
    progress = Progress()
    for progress.step in range(2):
        for turn in rounds.game.turns:
            for number in range(turn.times):
                before = {name: [p.clone() for p in player.parameters] for name, player in rounds.learners.items()}
                rounds.turn(turn, progress.step * turn.times + number, progress, observe=True)
                for name, player in rounds.learners.items():
                    moved = any(not torch.equal(a, b) for a, b in zip(before[name], player.parameters, strict=True))
                    assert moved == (name == turn.player), f"{name} in {turn.player}'s turn"
    for tag, value in rounds.meter.read().items():
        assert torch.tensor(value).isfinite(), tag


PLAYED = [*((loss, "fp32") for loss in LOSSES)]
PLAYED += [(loss, "bf16") for loss in ("nonsaturating", "wgan_gp", "dragan", "r1", "r3")]
"""Penalties leave autocast; so whatever meets in one must have been made float32."""


@pytest.mark.parametrize(("loss", "precision"), PLAYED)
@pytest.mark.parametrize("game", GAMES)
def test_a_game_with_a_loss(game: str, loss: str, precision: str) -> None:
    check_rounds(round_of(*words(game, f"loss={loss}", f"trainer.precision={precision}")))


@pytest.mark.parametrize("loss", ["r1", "wgan_gp"])
@pytest.mark.parametrize("game", GAMES)
def test_a_game_of_pictures_in_bf16(game: str, loss: str) -> None:
    small = "dataset=digits dataset.image_size=8 networks@model=dcgan model.generator.width=2 trainer.batch_size=8"
    narrow = f"model.discriminator.width=2 model={game} loss={loss} trainer.precision=bf16 tricks=[ema]"
    check_rounds(round_of(*small.split(), *narrow.split(), *GAMES[game].split()))


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("game", GAMES)
def test_a_game_with_a_trick(game: str, trick: str) -> None:
    asked = words(game, "loss=nonsaturating", "optimizer=adam", f"tricks=[{trick}]")
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if sentence := REFUSED.get((game, trick)):
        with pytest.raises(UserError, match=sentence):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked))


@pytest.mark.parametrize(
    "trick", ["ada", "diffaugment", "consistency", "virtual_batch_norm", "spectral_norm", "reconstruction"]
)
@pytest.mark.parametrize("game", sorted(set(GAMES) - {"bigan"}))
def test_a_game_of_pictures_with_a_trick(game: str, trick: str) -> None:
    small = "dataset=digits dataset.image_size=8 networks@model=dcgan loss=nonsaturating optimizer=adam"
    narrow = "model.generator.width=2 model.discriminator.width=2 trainer.batch_size=8"
    check_rounds(round_of(*small.split(), *narrow.split(), f"model={game}", *GAMES[game].split(), f"tricks=[{trick}]"))
