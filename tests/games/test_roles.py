"""What a game's players do in it."""

from __future__ import annotations

import pytest
from conftest import config

from gantrain.commands.assembly import build_game
from gantrain.games import Standard
from gantrain.turns import Role


@pytest.mark.parametrize("role", Role)
def test_a_game_has_players_of_each_role_that_it_names(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Standard, f"{role.value}s", ("discriminator",))
    game = build_game(config("dataset=ring8", "tricks=[]"))
    assert role in [player.role for player in game.players if player.name == "discriminator"]
