"""What pictures and metrics ask of the discriminator."""

from __future__ import annotations

import torch
from conftest import CPU, config

from gantrain.commands.assembly import build_game, judge_of
from gantrain.training.machine import Machine

LINE = ["dataset=gaussian1d", "loss=nonsaturating", "tricks=[]"]


def test_a_verdict_is_that_of_the_discriminator_at_rest() -> None:
    """Nothing is dropped, no sample depends on its batch, and training goes on as it was."""
    for setting in ("dropout=0.5", "norm=batch"):
        game = build_game(config(*LINE, f"model.discriminator.{setting}"))
        discriminator = game.get_submodule("discriminator")
        with torch.no_grad():
            for _ in range(20):
                discriminator(torch.randn(64, 1) + 4)
        held = {name: value.clone() for name, value in discriminator.state_dict().items()}
        judge = judge_of(game, Machine(CPU))
        assert judge is not None
        x = torch.linspace(2, 6, 50)[:, None]
        found = judge(x)
        assert discriminator.training
        assert torch.equal(found, judge(x))
        torch.testing.assert_close(found, torch.cat([judge(part) for part in x.split(7)]))
        assert all(torch.equal(value, held[name]) for name, value in discriminator.state_dict().items())
        discriminator.eval()
        judge(x)
        assert not discriminator.training
