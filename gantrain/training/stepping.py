"""Optimizers: a step by as few calls as it takes, and nothing loaded that is not used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

MOMENTS = ("exp_avg", "exp_avg_sq")
"""PyTorch's names."""
LEFT_ALONE = "__dynamo_disable"
"""Where PyTorch keeps what it runs in the place of a method that its compiler leaves alone."""


@dataclass(frozen=True)
class Moments:
    """What Adam keeps, as lists in the order of the parameters; `first` is where the optimizer keeps it for the first
    of them: another one there means that the state was loaded or begun anew."""

    first: dict[str, Any]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class Stepping:
    """Steps of an optimizer, to the bit those of its own `step`.

    Of a step of PyTorch's fused Adam for small networks two thirds are looking up its state and sorting it by devices,
    and the first one loads PyTorch's compiler. Here a step is its kernel alone, on lists made once. The state stays
    where PyTorch keeps it, for checkpoints. Whatever else an optimizer is, or while one of its parameters has no
    gradient, its own step is taken.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Tensor]) -> None:
        self._optimizer = optimizer
        self._parameters: list[Tensor] = list(parameters)
        self._moments: Moments | None = None
        decoupled = optimizer.param_groups[0].get("decoupled_weight_decay", type(optimizer) is AdamW)
        self._kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def __call__(self) -> None:
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        if len(gradients) < len(self._parameters) or not self._ready():
            self._optimizer.step()
            return
        (group,), moments = self._optimizer.param_groups, self._moments
        assert moments is not None
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            torch._foreach_add_(moments.steps, 1)
            self._kernel(
                self._parameters,
                gradients,
                moments.means,
                moments.squares,
                [],
                moments.steps,
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=group["maximize"],
            )

    def _ready(self) -> bool:
        """Whether the kernel alone will do; then its lists are there."""
        state = self._optimizer.state
        if self._moments is not None and state.get(self._parameters[0]) is self._moments.first:
            return True
        self._moments = None
        if not self._fits():
            return False
        if not state:
            for parameter in self._parameters:
                moments = {key: torch.zeros_like(parameter, memory_format=torch.preserve_format) for key in MOMENTS}
                state[parameter] = {"step": torch.zeros((), device=parameter.device), **moments}
        held = [state[parameter] for parameter in self._parameters if state.get(parameter)]
        if len(held) == len(self._parameters):
            lists = ([kept[key] for kept in held] for key in (*MOMENTS, "step"))
            self._moments = Moments(held[0], *lists)
        return self._moments is not None

    def _fits(self) -> bool:
        """Whether it is fused Adam over these parameters, which are on one device, and as usual else."""
        (group, *others) = self._optimizer.param_groups
        adam = type(self._optimizer) in (Adam, AdamW) and group["fused"] and not group["amsgrad"]
        alike = len({(p.device, p.dtype) for p in self._parameters}) == 1
        same = not others and len(group["params"]) == len(self._parameters)
        return adam and alike and same and not isinstance(group["lr"], Tensor)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Inside, optimizers are made, saved and loaded without loading PyTorch's compiler, which takes more than a second:
    these methods of theirs load it only to tell it to leave them alone."""
    methods = (Optimizer.add_param_group, Optimizer.state_dict, Optimizer.load_state_dict)
    inner = [getattr(method, "__wrapped__", None) for method in methods]
    marked = [method for method in inner if method is not None and not hasattr(method, LEFT_ALONE)]
    for method in marked:
        setattr(method, LEFT_ALONE, method)
    try:
        yield
    finally:
        for method in marked:
            delattr(method, LEFT_ALONE)
