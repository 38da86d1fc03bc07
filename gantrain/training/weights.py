"""Where the weights of a run lie: here whole, on every process. Shared out they are in `sharding`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from gantrain.training.ranks import ALONE, Ranks


class Weights:
    """Every process has all weights, averages and optimizer states.

    Args:
        ranks: the processes.
    """

    is_sharded: bool = False

    def __init__(self, ranks: Ranks = ALONE) -> None:
        self.ranks = ranks

    @contextmanager
    def whole(self, averages: bool = False) -> Iterator[None]:
        """Inside, networks have whole weights, to be read and not to be changed, and averages too where asked for.

        All processes come here together.
        """
        yield

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """After a turn: the mean of all processes' gradients, by these parameters, in the place of each one's own."""
        self.ranks.average_gradients(parameters)

    def largest(self, magnitudes: Tensor) -> Tensor:
        """Of magnitudes of what this process keeps of some tensors, those of the whole tensors."""
        return magnitudes
