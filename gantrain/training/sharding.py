"""Weights shared out among processes, by PyTorch's fully_shard (Rajbhandari et al. 2020, ZeRO; Zhao et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from gantrain.games import Game
from gantrain.sharded import local
from gantrain.training.ranks import Ranks
from gantrain.training.weights import Weights

AT_ONCE = 2**24
"""Numbers of gradients that are reduced at once; what they are packed in comes on top of the gradients themselves."""


class Sharded(Weights):
    """Of every parameter, each process keeps an equal part of its rows, and of its average and optimizer state too.

    For a turn networks are made whole, at once and outside of their forward passes, and given up again after its
    gradients are there. So in a turn there is nothing but plain tensors, which can be differentiated any number of
    times, and whoever looks at weights finds them; no hook of `fully_shard` runs in a network. Then gradients are
    reduced to each process's part, with which it updates its part of the weights. A parameter of a single number, which
    cannot be shared out, stays whole.

    Args:
        game: whose parameters become shared out, the same on each process before, on the CPU or the device.
        device: of this process.
    """

    is_sharded = True

    def __init__(self, game: Game, device: torch.device, ranks: Ranks) -> None:
        super().__init__(ranks)
        self._mesh = init_device_mesh(device.type, (ranks.count,))
        others = [module for name, module in game.named_children() if name != "averages"]
        self._players, self._averages = self._group(others), self._group([game.averages])
        self._whole: dict[nn.Parameter, nn.Parameter] = {}
        sharded = [_parameters(group) for group in self._groups(averages=True)]
        with self.whole(averages=True):
            for group, parameters in zip(self._groups(averages=True), sharded, strict=True):
                pairs = zip(parameters, _parameters(group), strict=True)
                self._whole |= {part: made_whole for part, made_whole in pairs if part is not made_whole}

    @contextmanager
    def whole(self, averages: bool = False) -> Iterator[None]:
        groups = self._groups(averages)
        for group in groups:
            group.unshard()
        try:
            yield
        finally:
            for group in groups:
                group.reshard()

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        if single := [parameter for parameter in parameters if parameter not in self._whole]:
            super().average_gradients(single)
        bucket: list[nn.Parameter] = []
        for parameter in (p for p in parameters if p in self._whole):
            bucket.append(parameter)
            if sum(p.numel() for p in bucket) >= AT_ONCE:
                self._reduce(bucket)
                bucket = []
        if bucket:
            self._reduce(bucket)

    def largest(self, magnitudes: Tensor) -> Tensor:
        found = magnitudes.nan_to_num(nan=torch.inf)  # a maximum may pass over what is no number
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found

    def _reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """Gives each process its part of the mean of all gradients; one that is missing counts as 0."""
        count, slopes = self.ranks.count, [self._whole[parameter].grad for parameter in parameters]
        there = [slope is not None for slope in slopes]
        packed = [_in_parts(parameter, slope, count) for parameter, slope in zip(parameters, slopes, strict=True)]
        sizes = [part.shape[1] for part in packed]
        given = torch.cat([*packed, packed[0].new_tensor([there] * count)], 1)
        del packed, slopes
        for parameter in parameters:
            self._whole[parameter].grad = None
        mine = given.new_empty(given.shape[1])
        dist.reduce_scatter_tensor(mine, given.flatten())
        *means, everywhere = mine.div_(count).split([*sizes, len(parameters)])
        # the host reads only where one is missing here: elsewhere it may be there, or missing too
        found = there if all(there) else (everywhere > 0).tolist()
        for parameter, mean, is_there in zip(parameters, means, found, strict=True):
            if is_there:
                part = local(parameter)
                parameter.grad = _like(parameter, mean[: part.numel()].view(part.shape))

    def _group(self, modules: Sequence[nn.Module]) -> FSDPModule:
        """Shares out all parameters of these modules that are not yet, as one group."""
        group = _Group(modules)
        single = {parameter for parameter in group.parameters() if parameter.dim() == 0}
        return fully_shard(group, mesh=self._mesh, reshard_after_forward=False, ignored_params=single)

    def _groups(self, averages: bool) -> list[FSDPModule]:
        return [self._players, self._averages] if averages else [self._players]


class _Group(nn.ModuleList):
    """Modules that are made whole together; nobody calls it, but fully_shard asks for something to call."""

    def forward(self) -> None:
        raise NotImplementedError


def _parameters(group: FSDPModule) -> list[nn.Parameter]:
    """Of a group, as they are now: shared out, or whole."""
    assert isinstance(group, nn.Module)
    return list(group.parameters())


def _in_parts(parameter: nn.Parameter, slope: Tensor | None, count: int) -> Tensor:
    """A gradient as the parts (count, n) of the processes, filled up with zeros; zeros where there is none."""
    rows, each = -(-len(parameter) // count), math.prod(parameter.shape[1:])
    parts = torch.zeros(count, rows * each, dtype=parameter.dtype, device=parameter.device)
    if slope is not None:
        parts.view(-1)[: slope.numel()] = slope.reshape(-1)
    return parts


def _like(parameter: nn.Parameter, part: Tensor) -> Tensor:
    """This process's part of something of a parameter's shape, as a tensor that is shared out as the parameter is."""
    assert isinstance(parameter, DTensor)
    mesh, placements, shape = parameter.device_mesh, parameter.placements, parameter.shape
    return DTensor.from_local(part, mesh, placements, run_check=False, shape=shape, stride=parameter.stride())
