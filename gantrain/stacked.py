"""Tensors of several runs whose turns are played at once, inside `torch.vmap`: each stands there for those of all runs.

Gradients inside a turn cannot be taken there as usual; here they are taken of what lies beneath, where those of all
runs have one more axis. Outside, the functions here are PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch._C import _functorch as layers
from torch._functorch.eager_transforms import enable_inplace_requires_grad


def is_stacked(x: object) -> bool:
    """Whether it is a tensor that stands for those of several runs."""
    return isinstance(x, Tensor) and layers.is_batchedtensor(x)


def of_each(x: Tensor) -> Tensor:
    """The tensors of all runs beside each other, (R, …), for one that stands for them."""
    return layers.get_unwrapped(x).movedim(layers.maybe_get_bdim(x), 0)


def standing_for(whole: Tensor) -> Tensor:
    """The tensor that stands for those of all runs, (R, …); only inside `torch.vmap`."""
    level = layers.maybe_current_level()
    assert level is not None
    return layers._add_batch_dim(whole, 0, level)


def leaf(x: Tensor) -> Tensor:
    """The same values as a tensor of its own, by which a gradient can be taken."""
    if is_stacked(x):
        with enable_inplace_requires_grad(True):
            return standing_for(leaf(of_each(x)))
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_(True)


def gradients(total: Tensor, by: Sequence[Tensor]) -> Sequence[Tensor]:
    """The gradients of a scalar by tensors, which have gradients themselves."""
    if not is_stacked(total):
        return torch.autograd.grad(total, by, create_graph=True)
    beneath = [layers.get_unwrapped(x) for x in by]  # the very tensors by which it can be taken
    found = torch.autograd.grad(of_each(total).sum(), beneath, create_graph=True)  # a run's own total alone has one
    return [standing_for(gradient) for gradient in found]
