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
            return 32 if len(shape) > 1 else shape[0]
        return super().auto(key, shape, per_sample)

    @property
    def in_words(self) -> str:
        """What its numbers are."""
        if self.kind == "stratified":
            return (
                f"evenly spaced from {-self.range:g} to {self.range:g}, each plus {self.jitter:g} times one of [0, 1)"
            )
        return "independent, each from N(0, 1)" if self.kind == "normal" else "independent, each uniform on [-1, 1)"

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest number that is drawn; two standard deviations where there are no bounds."""
        ends = {"normal": (-2.0, 2.0), "uniform": (-1.0, 1.0)}
        return ends.get(self.kind, (-self.range, self.range + self.jitter))

    def truncate(self, noise: Tensor, bound: float) -> Tensor:
        """Normal noise to noise of the truncated normal distribution, which lies within ±`bound`.

        Every number goes where as large a share of the truncated distribution lies below it, Φ⁻¹(Φ(-b) + Φ(z)·(Φ(b) -
        Φ(-b))): distributed as if what lies outside were drawn again (Brock et al. 2019), but a smooth map, in which
        equal noise stays equal.

        Raises:
            ValueError: the noise is not normal.
        """
        if self.kind != "normal":
            raise ValueError(
                f"truncation= cuts off the tails of normal noise, but this run's is {self.kind}: leave it out"
            )
        share = torch.special.ndtr(torch.tensor(-bound, dtype=torch.float64, device=noise.device))
        below = share + torch.special.ndtr(noise.double()) * (1 - 2 * share)
        return torch.special.ndtri(below).clamp(-bound, bound).to(noise.dtype)

    def bound(self, x: Tensor) -> Tensor:
        """Any numbers (n, dim) put into the range in which noise lies; as they are where it has no bounds."""
        if self.kind == "normal":
            return x
        low, high = self.span
        return low + (high - low) * x.float().sigmoid()

    def sample(self, n: int, device: torch.device) -> Tensor:
        """Noise (n, dim) float32 on the device."""
        if self.kind == "normal":
            return torch.randn(n, self.dim, device=device)
        if self.kind == "uniform":
            return torch.rand(n, self.dim, device=device) * 2 - 1
        spaced = torch.linspace(-self.range, self.range, n, device=device)[:, None]
        return spaced + torch.rand(n, 1, device=device) * self.jitter
