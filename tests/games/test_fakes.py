"""Which fakes a turn asks for."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from conftest import round_of

from gantrain.games import GMAN
from gantrain.training.state import Progress


def test_a_turn_asks_only_for_fakes_that_somebody_judges_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = round_of("dataset=ring8", "model=gman", "model.count=2", "trainer.batch_size=8", "tricks=[]")
    asked: list[tuple[str, ...]] = []
    fakes_for = GMAN.fakes_for

    def noting(self: GMAN, discriminators: Collection[str], *rest: object) -> object:
        asked.append(tuple(discriminators))
        return fakes_for(self, discriminators, *rest)

    monkeypatch.setattr(GMAN, "fakes_for", noting)
    rounds.play(Progress())
    assert asked == [("discriminator_0",), ("discriminator_1",), ("discriminator_0", "discriminator_1")]
