"""Games of points and of small pictures, and a batch of points with labels."""

from __future__ import annotations

import torch
from conftest import config

from gantrain.commands.assembly import build_game
from gantrain.games import Batch, Game

POINTS = [
    "dataset=ring8",
    "networks@model=mlp",
    "loss=nonsaturating",
    "optimizer=adam",
    "tricks=[]",
    "trainer.batch_size=16",
]
PICTURES = ["dataset=digits", "loss=nonsaturating", "optimizer=adam", "tricks=[]", "trainer.batch_size=16"]


def game_of(*words: str) -> Game:
    torch.manual_seed(0)
    return build_game(config(*words))


def ring(game: Game, n: int = 16) -> Batch:
    torch.manual_seed(1)
    data = {"real": torch.randn(n, 2), "label": torch.randint(8, (n,))}
    return Batch(data, game.latents(n), torch.zeros(()), phase={"penalties": ()})
