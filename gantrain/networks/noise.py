"""The generator's input."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from gantrain.automatic import Automatic
from gantrain.ranges import NOT_NEGATIVE, POSITIVE, WIDTH, within


class Noise(Automatic):
    """Draws noise (n, dim) from the default generator.

    Args:
        dim: numbers per sample.
        kind: `normal` N(0, 1); `uniform` on [-1, 1); `stratified` evenly spaced over ±`range` plus
            `jitter`·U[0, 1), for dim 1 (AYLIEN's 1-D demo).

    Raises:
        ValueError: `dim` below 1, a `range` or `jitter` that is none, or stratified noise of more than one dimension.
    """

    def __init__(
        self,
        dim: int,
        kind: Literal["normal", "uniform", "stratified"] = "normal",
        range: float = 8.0,
        jitter: float = 0.01,
    ) -> None:
        within(WIDTH, dim=dim)
        within(POSITIVE, range=range)
        within(NOT_NEGATIVE, jitter=jitter)
        if kind == "stratified" and dim != 1:
            raise ValueError(f"stratified noise has one dimension, got dim={dim}: set model.noise.dim=1")
        self.dim, self.kind, self.range, self.jitter = dim, kind, range, jitter

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "dim":
            return 32 if len(shape) == 3 else shape[0]
        return super().auto(key, shape, per_sample)

    def bound(self, x: Tensor) -> Tensor:
        """Any numbers (n, dim) put into the range in which noise lies; as they are where it has no bounds."""
        if self.kind == "normal":
            return x
        low, high = (-1.0, 1.0) if self.kind == "uniform" else (-self.range, self.range + self.jitter)
        return low + (high - low) * x.float().sigmoid()

    def sample(self, n: int, device: torch.device) -> Tensor:
        """Noise (n, dim) float32 on the device."""
        if self.kind == "normal":
            return torch.randn(n, self.dim, device=device)
        if self.kind == "uniform":
            return torch.rand(n, self.dim, device=device) * 2 - 1
        spaced = torch.linspace(-self.range, self.range, n, device=device)[:, None]
        return spaced + torch.rand(n, 1, device=device) * self.jitter
