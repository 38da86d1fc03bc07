"""Classes of users that were written for an earlier version are refused, for nobody would call what they define."""

from __future__ import annotations

import pytest
from torch import Tensor

from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.networks import Discriminator
from gantrain.tricks import Trick
from gantrain.turns import Player, Role


def test_hooks_by_their_former_names_are_refused() -> None:
    with pytest.raises(UserError, match=r"Mine.view is called augment now"):

        class Mine(Trick):
            def view(self, x: Tensor, batch: object) -> Tensor:
                return x

    with pytest.raises(UserError, match="contest is called discriminator_turn now"):
        type("Own", (Game,), {"contest": lambda self: None})
    with pytest.raises(UserError, match="judge is called score now"):
        type("Own", (Discriminator,), {"judge": lambda self: None})


def test_a_game_may_have_phases() -> None:
    assert type("Growing", (Game,), {"phase": lambda self, step: 0}) is not None


def test_a_player_is_not_compared_with_a_word() -> None:
    """As hooks did when they were given a name: it would never be equal."""
    player = Player("discriminator_1", Role.DISCRIMINATOR)
    assert player == Player("discriminator_1", Role.DISCRIMINATOR)
    assert player != Player("discriminator_2", Role.DISCRIMINATOR)
    assert len({player, Player("discriminator_1", Role.DISCRIMINATOR)}) == 1
    with pytest.raises(TypeError, match=r"player\.is_discriminator"):
        assert player == "discriminator"
