"""Games of points and of small pictures, and a batch of points with labels."""

from __future__ import annotations

import torch
from conftest import config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.games import Game
from gantrain.turns import Batch, Samples, TurnPlan

POINTS = [
    "dataset=ring8",
    "networks@model=mlp",
    "loss=nonsaturating",
    "optimizer=adam",
    "tricks=[]",
    "trainer.batch_size=16",
]
TINY = [*POINTS, "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]
PICTURES = ["dataset=digits", "loss=nonsaturating", "optimizer=adam", "tricks=[]", "trainer.batch_size=16"]


def game_of(*words: str) -> Game:
    torch.manual_seed(0)
    return build_game(config(*words))


def ring(game: Game, n: int = 16) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.randn(n, 2), "label": torch.randint(8, (n,))}
    return Batch(data, game.latents(n), torch.zeros(()), plan=TurnPlan())


def only_latent(latent: dict[str, Tensor]) -> Batch:
    """A batch of a turn that draws nothing real."""
    return Batch({}, latent, torch.zeros(()))


def fakes_of(game: Game, batch: Batch) -> Samples:
    """What the first discriminator, such as the only one, judges of the generator's samples."""
    return game.generate(batch)[game.discriminators[0]]


def real_of(game: Game, batch: Batch) -> Samples:
    """Likewise of real samples."""
    return game.real(batch)[game.discriminators[0]]
