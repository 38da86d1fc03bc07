"""What lies where in a checkpoint, which may be a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

PARTS = {"format": int, "config": str, "data": dict, "progress": dict, "game": dict, "optimizers": dict}
"""The parts of a checkpoint, and what each is."""


def is_whole(state: Any) -> bool:
    """Whether these are a checkpoint's parts: text, a step, weights by name that lie in memory, players' optimizers."""
    if not isinstance(state, Mapping) or not all(isinstance(state.get(name), kind) for name, kind in PARTS.items()):
        return False
    step, tensors = state["progress"].get("step"), [*state["data"].values(), *state["game"].values()]
    return (
        type(step) is int
        and step >= 0
        and all(isinstance(name, str) for name in (*state["data"], *state["game"], *state["optimizers"]))
        and all(_is_real(x) for x in tensors if isinstance(x, torch.Tensor))
        and all(isinstance(x, torch.Tensor) for x in state["data"].values())
        and all(isinstance(held, dict) for held in state["optimizers"].values())
    )


def _is_real(x: torch.Tensor) -> bool:
    """Whether each value of a tensor has its own place in memory, rather than one that is said to be a million."""
    if x.layout is not torch.strided or x.device.type != "cpu":
        return False
    return x.numel() * x.element_size() <= x.untyped_storage().nbytes()
