"""Gradient penalties: norms per sample, always float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from gantrain.automatic import Automatic
from gantrain.ranges import COUNT, NOT_NEGATIVE, within

Judge = Callable[[Tensor], Tensor]


class Penalty(Automatic):
    """A penalty on the gradient of the discriminator with respect to its input.

    `weight` and `every` belong to the player's turn: it minimises weight · every · penalty on every `every`-th turn
    (lazy regularisation, Karras et al. 2019). A penalty taken at the real or at the fake samples themselves says so in
    `at`, and may then share the forward of the value function.

    Raises:
        ValueError: a negative `weight`, or `every` below 1.
    """

    at: Literal["real", "fake"] | None = None

    def __init__(self, weight: float, every: int = 1) -> None:
        within(NOT_NEGATIVE, weight=weight)
        within(COUNT, every=every)
        self.weight, self.every = weight, every

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Where the gradient is taken, (N, …)."""
        raise NotImplementedError

    def value(self, gradient: Tensor) -> Tensor:
        """The penalty, a scalar, for gradients (N, …)."""
        raise NotImplementedError

    def __call__(self, discriminator: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The unweighted penalty, a scalar through which the discriminator's parameters get gradients.

        Args:
            discriminator: samples to logits, each sample by itself.
            real, fake: samples (N, …) of the same shape.
        """
        with torch.autocast(real.device.type, enabled=False):
            points = self.points(real.detach().float(), fake.detach().float()).requires_grad_(True)
            (gradient,) = torch.autograd.grad(verdict(discriminator(points)), points, create_graph=True)
            return self.value(gradient)


def verdict(logits: Tensor) -> Tensor:
    """Logits (N,) or, for P patches, (N, P) to a scalar whose gradient is that of each sample's mean logit."""
    return logits.float().flatten(1).mean(1).sum() if logits.dim() > 1 else logits.float().sum()


def squared_norms(gradient: Tensor) -> Tensor:
    """‖∇‖² of each sample: (N, …) to (N,)."""
    return gradient.flatten(1).square().sum(1)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - target)² on lines between real and fake, ε ~ U[0, 1] per sample (Gulrajani et al. 2017)."""

    def __init__(self, weight: float = 10.0, every: int = 1, target: float = 1.0) -> None:
        super().__init__(weight, every)
        within(NOT_NEGATIVE, target=target)
        self.target = target

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        epsilon = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
        return torch.lerp(fake, real, epsilon)

    def value(self, gradient: Tensor) -> Tensor:
        # a gradient of exactly 0 has a norm whose own gradient is infinite; the least positive number keeps it finite
        norms = squared_norms(gradient).clamp_min(torch.finfo(torch.float32).tiny).sqrt()
        return (norms - self.target).square().mean()


class Dragan(GradientPenalty):
    """(‖∇D(x + α·δ)‖ - target)² around the data, α ~ U[0, 1] per sample (Kodali et al. 2017, equation 4).

    δ is ½·std(x)·U[0, 1) in every entry, as in the reference code, std(x) that of the whole batch.
    """

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        delta = 0.5 * real.std() * torch.rand_like(real)
        return real + torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device) * delta


class R1(Penalty):
    """½‖∇D(x)‖² at the real samples; `weight` is the paper's γ (Mescheder et al. 2018, equation 9)."""

    at: Literal["real", "fake"] | None = "real"

    def __init__(self, weight: float = 10.0, every: int = 1) -> None:
        super().__init__(weight, every)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "weight":
            if len(shape) == 3:
                return 10.0
            return 0.3 if shape == [1] else 0.02  # measured with the default recipes of gaussian1d, ring8 and grid25
        return super().auto(key, shape, per_sample)

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        return real

    def value(self, gradient: Tensor) -> Tensor:
        return 0.5 * squared_norms(gradient).mean()


class R2(R1):
    """½‖∇D(G(z))‖² at the fake samples (Mescheder et al. 2018)."""

    at = "fake"

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake
