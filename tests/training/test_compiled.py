"""When compiled turns look whether they are still what was compiled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from conftest import config
from torch import Tensor

from gantrain.commands.assembly import build_game
from gantrain.training.compiled import Compiled, Guarded, Trust
from gantrain.training.machine import Machine
from gantrain.tricks import Trick
from gantrain.turns import Batch


class Setting:
    """What a body reads from outside."""

    factor = 1.0


def guarded(body: Callable[[Batch], Tensor], trust: Trust) -> Callable[[], float]:
    """What a compiled body makes of 1."""

    def whole(batch: Batch) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
        return {}, body(batch), []

    piece = Guarded(torch.compile(whole, fullgraph=True, backend="eager"), trust)
    return lambda: float(piece(Batch({}, {}, torch.tensor(1)))[1])


def test_a_compiled_turn_looks_again_after_something_else_was_done() -> None:
    setting, trust = Setting(), Trust()
    turn = guarded(lambda batch: batch.step * setting.factor, trust)
    assert [turn() for _ in range(3)] == [1, 1, 1]
    setting.factor = 2.0
    assert turn() == 1  # or it looks where it need not
    trust.begin_anew()
    assert [turn() for _ in range(3)] == [2, 2, 2]


def test_a_compiled_turn_looks_again_after_the_first_of_another_kind() -> None:
    setting, trust = Setting(), Trust()

    def doubling(batch: Batch) -> Tensor:
        setting.factor = 2.0
        return batch.step

    turn, other = guarded(lambda batch: batch.step * setting.factor, trust), guarded(doubling, trust)
    assert [turn() for _ in range(3)] == [1, 1, 1]
    other()
    assert turn() == 2


def test_a_compiled_turn_that_changes_what_it_reads_always_looks() -> None:
    setting = Setting()

    def growing(batch: Batch) -> Tensor:
        setting.factor += 1.0
        return batch.step * setting.factor

    turn = guarded(growing, Trust())
    assert [turn() for _ in range(5)] == [2, 3, 4, 5, 6]


class Counting(Trick):
    """Has a number of its own that moves between turns."""

    number = 1


def test_guards_are_left_out_only_where_all_code_is_known() -> None:
    ours, others = (build_game(config("dataset=ring8", "tricks=[ema]")) for _ in range(2))
    others.tricks.setup(others, {"counting": Counting()})
    for game, known in ((ours, True), (others, False)):
        piece = Compiled(game, Machine(torch.device("cpu"), torch.float32), print, "eager").piece("generator", body)
        assert isinstance(piece, Guarded) is known


def body(batch: Batch) -> tuple[dict[str, Tensor], Tensor, list[Tensor | None]]:
    """Stands for a turn."""
    return {}, torch.zeros(()), []
