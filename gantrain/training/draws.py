"""Random numbers of several runs that play a turn at once: each draws from its own generators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from gantrain.seeding import default_state, restore_default
from gantrain.stacked import is_stacked, of_each, standing_for

RANDOM = {
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.rand_like, torch.randn_like, torch.randint_like),
    *(torch.bernoulli, torch.Tensor.bernoulli, torch.normal, torch.poisson, torch.multinomial),
    *(torch.dropout, F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.rrelu),
}
"""What draws, and gives what it drew."""


class OwnDraws(TorchFunctionMode):
    """Inside, each run draws what it would draw alone, and what it gives stands for all of them.

    Args:
        states: where the generators of each run stand; they move on.
    """

    def __init__(self, states: list[list[Tensor]], device: torch.device) -> None:
        super().__init__()
        self._states, self._device = states, device
        self._left = states[-1]

    def __enter__(self) -> OwnDraws:
        restore_default(self._left, self._device)
        super().__enter__()
        return self

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in RANDOM:
            return func(*args, **kwargs)
        drawn = []
        for number, state in enumerate(self._states):

            def own(x: object, number: int = number) -> object:
                return of_each(x)[number] if isinstance(x, Tensor) and is_stacked(x) else x

            restore_default(state, self._device)
            drawn.append(func(*tree_map(own, args), **tree_map(own, kwargs)))
            self._states[number] = default_state(self._device)
        self._left = self._states[-1]
        return standing_for(torch.stack(drawn))

    def others(self) -> bool:
        """Whether something else was drawn, for all runs alike."""
        now = default_state(self._device)
        return not all(torch.equal(a, b) for a, b in zip(now, self._left, strict=True))
