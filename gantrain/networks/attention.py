"""Self-attention over the places of a map."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks.conditioning import Conditioned, call


class SelfAttention(Conditioned):
    """Adds to each place of maps (N, C, H, W), of even sides, what it finds at others like it.

    x + γ·o(Σⱼ softmaxⱼ(θ(x)ᵢ·φ(x)ⱼ) g(x)ⱼ), where θ, φ, g and o are 1x1 convolutions and φ and g are halved by the
    maximum over 2x2; the gate γ is learnt and begins as 0 (Zhang et al. 2018, SAGAN, as Brock et al. 2018 have it). The
    softmax is taken in float32.

    Args:
        channels: C; an eighth of it is compared, one half is passed on.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        compared, passed = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = nn.Conv2d(channels, compared, 1, bias=False)
        self.phi = nn.Conv2d(channels, compared, 1, bias=False)
        self.g = nn.Conv2d(channels, passed, 1, bias=False)
        self.o = nn.Conv2d(passed, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        query = call(self.theta, x, condition).flatten(2)
        key = F.max_pool2d(call(self.phi, x, condition), 2).flatten(2)
        value = F.max_pool2d(call(self.g, x, condition), 2).flatten(2)
        # written out: a fused kernel has no second derivative, which penalties on gradients take
        weights = (query.transpose(1, 2) @ key).float().softmax(2)
        found = (value @ weights.to(value.dtype).transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + (self.gate * call(self.o, found, condition)).to(x.dtype)
