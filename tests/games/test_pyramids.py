"""progan and lapgan with every loss and every trick: they play, or it is refused and why."""

from __future__ import annotations

import pytest
import torch
from conftest import config, round_of
from playing import mostly_slow

from gantrain.commands.assembly import build_game
from gantrain.errors import UserError
from gantrain.options import CONFIGS
from gantrain.training.rounds import Progress, Rounds

NARROW = (
    "dataset=digits optimizer=adam trainer.batch_size=8 metrics.use=[fid_classifier] "
    "metrics.best=metrics/fid_classifier metrics.every=100 "
)
GAMES = {
    "progan": NARROW + "dataset.image_size=8 model=progan model.generator.width=1 model.generator.most=4 "
    "model.discriminator.width=1 model.discriminator.most=4 model.noise.dim=4 model.stable_images=8 "
    "model.fade_images=32",
    "lapgan": NARROW + "dataset.image_size=16 model=lapgan model.generator.hidden=[4] model.discriminator.hidden=[4] "
    "model.noise.dim=4 model.finer_generator.width=4 model.finer_discriminator.width=4",
}
LOSSES = ["minimax", "nonsaturating", "lsgan", "wgan", "wgan_gp", "hinge", "dragan", "r1", "rpgan", "ragan", "r3"]
TRICKS = sorted(file.stem for file in (CONFIGS / "tricks").glob("*.yaml"))
NO_NORM = "takes the place of batch norm, which generator"
REFUSED = {
    **{(game, "minibatch_tutorial"): r"no linear block 'trunk\.3'" for game in GAMES},
    **{(game, f"{kind}_batch_norm"): NO_NORM for game in GAMES for kind in ("virtual", "reference")},
    **{(game, "reconstruction"): "needs pictures of one size" for game in GAMES},
    ("progan", "experience_replay"): "needs pictures of one size",
    ("progan", "consistency"): "shifts pictures by 4 pixels, but here they begin with 4",
    ("lapgan", "mode_seeking"): "needs samples that follow from noise alone",
}


def check_rounds(rounds: Rounds, steps: tuple[int, ...]) -> None:
    """Whoever has the turn moves, the others do not, and every loss is finite."""
    progress = Progress()
    for progress.step in steps:
        rounds.start_step(progress.step)
        for turn in rounds.game.turns_at(progress.step):
            before = {name: [p.clone() for p in learner.parameters] for name, learner in rounds.learners.items()}
            rounds.turn(turn, progress.step * turn.times, progress, observe=True)
            for name, learner in rounds.learners.items():
                moved = any(not torch.equal(a, b) for a, b in zip(before[name], learner.parameters, strict=True))
                assert moved == (name == turn.player), f"{name} in {turn.player}'s turn"
    for tag, value in rounds.meter.read().items():
        assert torch.tensor(value).isfinite(), tag


PLAYED = [*((loss, "fp32") for loss in LOSSES), ("wgan_gp", "bf16"), ("r3", "bf16")]


@pytest.mark.parametrize(("loss", "precision"), PLAYED)
@pytest.mark.parametrize("game", GAMES)
def test_a_game_with_a_loss(game: str, loss: str, precision: str) -> None:
    """At 4x4 and in the middle of a fade."""
    extra = ["tricks=[ema]"] if precision == "bf16" else ["tricks=[]", "trainer.accumulate=2"]
    if loss == "ragan":
        extra[1:] = []
    steps = (0, 3) if game == "progan" else (0,)
    check_rounds(round_of(*GAMES[game].split(), f"loss={loss}", f"trainer.precision={precision}", *extra), steps)


@pytest.mark.parametrize("trick", mostly_slow(TRICKS))
@pytest.mark.parametrize("game", GAMES)
def test_a_game_with_a_trick(game: str, trick: str) -> None:
    asked = [*GAMES[game].split(), "loss=nonsaturating", f"tricks=[{trick}]"]
    if trick == "minibatch_stddev":
        asked.append("tricks.minibatch_stddev.group_size=2")
    if sentence := REFUSED.get((game, trick)):
        with pytest.raises(UserError, match=sentence):
            build_game(config(*asked))
    else:
        check_rounds(round_of(*asked), (0, 3) if game == "progan" else (0,))
