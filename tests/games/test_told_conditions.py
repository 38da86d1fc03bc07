"""What each discriminator is told about samples."""

from __future__ import annotations

import pytest
import torch
from conftest import config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.games import GMAN
from gantrain.networks.network import Discriminator
from gantrain.turns import Batch, Samples

WORDS = ["dataset=ring8", "model=gman", "model.count=2", "model.aggregate=mean", "tricks=[]"]


def told(name: str) -> tuple[str, ...]:
    return ("place",) if name == "discriminator_0" else ()


@pytest.mark.parametrize("loss", ["nonsaturating", "r1", "wgan_gp"])
def test_one_discriminator_may_be_told_what_another_is_not(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each judges in both players' turns by its own conditions, in its penalties too."""
    monkeypatch.setattr(GMAN, "conditions", ("place",))
    monkeypatch.setattr(GMAN, "conditions_of", lambda game, name: told(name))

    def real(game: GMAN, batch: Batch) -> dict[str, Samples]:
        x = batch.data["real"]
        return {name: Samples(x, dict.fromkeys(told(name), x[:, :1])) for name in game.discriminators}

    monkeypatch.setattr(GMAN, "real", real)
    monkeypatch.setattr(GMAN, "generate", lambda game, batch, averaged=False: real(game, batch))
    seen: dict[int, set[tuple[str, ...]]] = {}
    score = Discriminator.score

    def noting(network: Discriminator, x: Tensor, **conditions: Tensor) -> tuple[Tensor, Tensor]:
        seen.setdefault(id(network), set()).add(tuple(conditions))
        logits, features = score(network, x)
        return logits + sum((values.flatten(1).sum(1) for values in conditions.values()), torch.zeros(())), features

    monkeypatch.setattr(Discriminator, "score", noting)
    game = build_game(config(*WORDS, f"loss={loss}"))
    for player in (*game.discriminators, "generator"):
        plan = game.plan(player, 0)
        game.terms(player, Batch({"real": torch.randn(4, 2)}, game.latents(4), torch.tensor(0), plan))
    networks = [game.get_submodule(name) for name in game.discriminators]
    assert [seen[id(network)] for network in networks] == [{("place",)}, {()}]
