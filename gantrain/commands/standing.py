"""The statistics of norms, for noise other than that of training."""

from __future__ import annotations

from gantrain.commands.asking import truncated
from gantrain.commands.trained import TrainedRun
from gantrain.errors import UserError
from gantrain.games import Request
from gantrain.games.adversarial import Adversarial
from gantrain.networks.layers import batch_normalised
from gantrain.networks.standing import standing_statistics
from gantrain.seeding import Purpose, mix, seed_default

FORWARDS = 16
"""How many batches statistics are taken of, unless another number is asked for; as in BigGAN's reference code."""


def stand(run: TrainedRun, truncation: float | None, forwards: int | None, seed: int) -> None:
    """Gives the batch norms of a run's generators the statistics of so many batches, as large as those of training.

    Latents are drawn as in training, and noise is cut off as asked; the same for the same seed.

    Args:
        forwards: None for `FORWARDS` where noise is cut off and a generator is made for it, else 0: statistics stay.

    Raises:
        UserError: `forwards` is no number of batches, there are no such norms, or noise cannot be cut off so.
    """
    game = run.game
    generators = [game.network(name) for name in game.generators]
    if forwards is None:
        made_for_it = any(getattr(network, "standing_statistics", False) for network in generators)
        forwards = FORWARDS if made_for_it and truncation is not None else 0
    elif forwards < 0:
        raise UserError(f"standing={forwards} is no number of forwards: use 0 or more, such as {FORWARDS}")
    elif forwards and (game.inputs or not any(batch_normalised(network) for network in generators)):
        raise UserError("standing= sets batch norm by noise, and this run's G has none: leave it out")
    if not forwards or not isinstance(game, Adversarial):
        return
    seed_default(mix(seed, Purpose.STANDING), game.device)
    with game.evaluating(*generators), standing_statistics(*generators), run.machine.autocast():
        for _ in range(forwards):
            n = run.cfg.trainer.batch_size
            latent = truncated(run, Request(n, game.latents(n)), truncation).latent
            game.fakes_for(tuple(game.sample_sets.values()), game.batch_at(run.step, latent), averaged=True)
