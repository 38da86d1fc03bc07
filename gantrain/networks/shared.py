"""Layers in which the samples of a turn meet, or for which random numbers are drawn, where it is played in shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantrain import shares


class SharedDropout(nn.Dropout):
    """Dropout of a share's samples: the numbers are those that the whole turn would have drawn for them."""

    def forward(self, x: Tensor) -> Tensor:
        return shares.dropout(x, self.p) if self.training else x


class SharedBatchNorm(_BatchNorm):
    """Batch norm by the statistics of what all devices are given at the same time, in turns that several play.

    It is differentiable any number of times. Outside of such turns it is what it was.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or shares.devices() == 1:
            return super().forward(x)
        shape = (1, -1, *[1] * (x.dim() - 2))
        places = [0, *range(2, x.dim())]
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        of_device = torch.full((1,), x.numel() // x.shape[1], dtype=values.dtype, device=x.device)
        *_, count = totals = shares.add(torch.cat([values.sum(places), of_device]))
        mean = totals[:-1] / count
        apart = values - mean.view(shape)
        variance = shares.add(apart.square().sum(places)) / count
        self._note(mean.detach(), variance.detach() * (count / (count - 1)).detach())
        normal = apart * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Lets the running statistics follow, as PyTorch does it."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_(variance.to(self.running_var.dtype), weight)


class SharedBatchNorm1d(SharedBatchNorm, nn.BatchNorm1d):
    """Of features (N, F) or (N, F, L)."""


class SharedBatchNorm2d(SharedBatchNorm, nn.BatchNorm2d):
    """Of maps (N, C, H, W)."""


class SharedBatchNorm3d(SharedBatchNorm, nn.BatchNorm3d):
    """Of maps (N, C, D, H, W)."""


SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: SharedDropout,
    nn.BatchNorm1d: SharedBatchNorm1d,
    nn.BatchNorm2d: SharedBatchNorm2d,
    nn.BatchNorm3d: SharedBatchNorm3d,
}


def share_layers(module: nn.Module) -> None:
    """Lets every layer of these kinds know of shares. Weights, buffers and their names stay what they are."""
    for part in module.modules():
        if type(part) in SHARED:
            part.__class__ = SHARED[type(part)]
