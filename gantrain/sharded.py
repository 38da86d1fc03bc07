"""Tensors that are shared out among the processes of a run: of each, every process keeps a part of its rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

MODULE = "torch.distributed.tensor"
"""Where PyTorch has them; it takes long to load, and where it is not loaded there are none."""


def is_sharded(x: Any) -> TypeGuard[DTensor]:
    """Whether it is a tensor of which each process keeps a part."""
    module = sys.modules.get(MODULE)
    return module is not None and isinstance(x, module.DTensor)


def local(x: Tensor) -> Tensor:
    """This process's part of a tensor, in the same memory: what is done to it number by number is done to the whole."""
    return x.to_local().detach() if is_sharded(x) else x


def whole(x: Tensor) -> Tensor:
    """The whole tensor on every process; all of them call this together."""
    return x.full_tensor().detach() if is_sharded(x) else x


def placed_as(x: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor what a process keeps where it is shared out as `like` is; x itself where that is whole."""
    if not is_sharded(like) or is_sharded(x):
        return x
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(x.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
