"""Turns as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gantrain.games import Game
from gantrain.training.eager import Terms
from gantrain.training.machine import Machine
from gantrain.training.pieces import Body, Faster
from gantrain.turns import Batch

WARM = 3
"""So often a turn is played before it is captured, so that whatever it makes at first lies where it stays."""


class Captured(Faster):
    """As CUDA graphs, all in one pool of memory: a turn is one launch."""

    how = "graph"
    calls = WARM + 1

    def __init__(self, game: Game, machine: Machine, say: Callable[[str], None]) -> None:
        super().__init__(game, machine, say)
        self._pool = torch.cuda.graph_pool_handle()

    def piece(self, player: str, body: Body) -> Body:
        return Graph(body, self._pool)


class Graph:
    """A body that is captured once it was played a few times, and then replayed.

    What it gives is overwritten by the next turn.
    """

    def __init__(self, body: Body, pool: Any) -> None:
        self._body, self._pool = body, pool
        self._played = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
        if self._graph is None:
            if self._played < WARM:
                self._played += 1
                return self._aside(batch)
            self._inputs = batch.map(torch.clone)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, pool=self._pool):
                self._outputs = self._body(self._inputs)
        for mine, new in zip(self._inputs.tensors(), batch.tensors(), strict=True):
            mine.copy_(new)
        self._graph.replay()
        return self._outputs

    def _aside(self, batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
        """Played on a stream of its own, as what is captured later will be."""
        stream, main = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(main)
        with torch.cuda.stream(stream):
            found = self._body(batch)
        main.wait_stream(stream)
        return found
