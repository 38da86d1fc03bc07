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
        self._stream = torch.cuda.Stream(machine.device)

    def __str__(self) -> str:
        return ", CUDA graphs"

    def piece(self, player: str, body: Body) -> Body:
        return Graph(body, self._pool, self._stream)


class Graph:
    """A body that is captured once it was played a few times, and then replayed.

    Args:
        stream: on which it is played then, and captured.

    What it gives is overwritten by the next turn.
    """

    def __init__(self, body: Body, pool: Any, stream: torch.cuda.Stream) -> None:
        self._body, self._pool, self._stream = body, pool, stream
        self._played = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
        if self._graph is None:
            if self._played < WARM:
                self._played += 1
                return self._aside(batch)
            self._graph = self._capture(batch)
        for mine, new in zip(self._inputs.tensors(), batch.tensors(), strict=True):
            mine.copy_(new)
        self._graph.replay()
        return self._outputs

    def _capture(self, batch: Batch) -> torch.cuda.CUDAGraph:
        self._inputs, graph, main = batch.map(torch.clone), torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            # "thread_local", for the thread that reads data ahead allocates as it likes
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                self._outputs = self._body(self._inputs)
        except Exception:
            # some versions of PyTorch leave the stream, and a mark on the generator, which a capture that ends removes
            torch.cuda.set_stream(main)
            with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=self._stream, capture_error_mode="thread_local"):
                torch.zeros(1, device=self._stream.device)
            raise
        return graph

    def _aside(self, batch: Batch) -> tuple[Terms, Tensor, list[Tensor | None]]:
        """Played on another stream than usually, as what is captured later will be."""
        main = torch.cuda.current_stream()
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            found = self._body(batch)
        main.wait_stream(self._stream)
        return found
