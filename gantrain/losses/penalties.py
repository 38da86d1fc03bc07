"""Gradient penalties: norms per sample, always float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from gantrain.automatic import Automatic
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.turns import Shown

Judge = Callable[[Shown], Tensor]


class Penalty(Automatic):
    """A penalty on the gradient of the discriminator with respect to all that is continuous in what it is shown.

    That is the sample, and where a discriminator judges pairs such as sample and code, the pair: the norm is that of
    both parts together, for the critic's slope on pairs is meant. Labels and other discrete conditions stay what they
    are at each point. Where samples meet in a layer, such as that of minibatch_stddev, it is the gradient of the sum of
    all logits, as in the reference code of Karras et al. 2017 and 2019.

    `weight` and `every` belong to the player's turn: it minimises weight · every · penalty on every `every`-th turn
    (lazy regularisation, Karras et al. 2019). A penalty taken at the real or at the fake samples themselves says so in
    `at`: at the samples as they are, before any augmentation, with the gradient through it (Karras et al. 2020); and it
    may then share the forward of the value function. All others look between or around what the discriminator is shown.

    Raises:
        ValueError: a negative `weight`, or `every` below 1.
    """

    at: Literal["real", "fake"] | None = None

    def __init__(self, weight: float, every: int = 1) -> None:
        within(NOT_NEGATIVE, weight=weight)
        within(COUNT, every=every)
        self.weight, self.every = weight, every

    def points(self, real: Shown, fake: Shown) -> Shown:
        """Where the gradient is taken, (N, …), and the conditions that belong there."""
        raise NotImplementedError

    def value(self, gradient: Tensor) -> Tensor:
        """The penalty, a scalar, for gradients (N, …): one for each verdict, by all that is continuous."""
        raise NotImplementedError

    def __call__(
        self,
        discriminator: Judge,
        real: Shown,
        fake: Shown,
        fold: Callable[[Shown], Shown] = lambda gradient: gradient,
    ) -> Tensor:
        """The unweighted penalty, a scalar through which the discriminator's parameters get gradients.

        It also passes a gradient on to what real and fake samples were made of, where they have one.

        Args:
            discriminator: samples to logits.
            real, fake: samples (N, …) of the same shape, told the same.
            fold: puts gradients together where the discriminator judges several samples as one.
        """
        # autocast is left whole: conditions are float32 too, or a layer would meet two types
        with torch.autocast(real.samples.device.type, enabled=False):
            points = own(self.points(in_float32(real), in_float32(fake)))
            found = slopes({"here": discriminator(points)}, {"here": points})
            return self.value(whole(fold(found["here"])))


def in_float32(shown: Shown) -> Shown:
    """Samples and continuous conditions in float32."""
    numbers = {name: values.float() for name, values in shown.continuous.items()}
    return Shown(shown.samples.float(), {**shown.given, **numbers})


def own(shown: Shown) -> Shown:
    """The same, of its own for a gradient: no other way from these samples to the logits is part of it."""

    def apart(x: Tensor) -> Tensor:
        return x.view_as(x) if x.requires_grad else x.detach().requires_grad_(True)

    numbers = {name: apart(values) for name, values in shown.continuous.items()}
    return Shown(apart(shown.samples), {**shown.given, **numbers})


def slopes(logits: Mapping[str, Tensor], at: Mapping[str, Shown]) -> dict[str, Shown]:
    """By the names of `at`: the gradients of the logits of each sample by all that is continuous there."""
    inputs = [[x.samples, *x.continuous.values()] for x in at.values()]
    total = torch.stack([verdict(logits[name]) for name in at]).sum()
    found = iter(torch.autograd.grad(total, [x for group in inputs for x in group], create_graph=True))
    return {name: Shown(next(found), {key: next(found) for key in x.continuous}) for name, x in at.items()}


def verdict(logits: Tensor) -> Tensor:
    """Logits (N,) or, for P patches, (N, P) to a scalar whose gradient is that of each sample's mean logit."""
    return logits.float().flatten(1).mean(1).sum() if logits.dim() > 1 else logits.float().sum()


def whole(gradient: Shown) -> Tensor:
    """Gradients by samples and by conditions beside each other, (N, F)."""
    return torch.cat([part.flatten(1) for part in (gradient.samples, *gradient.given.values())], 1)


def squared_norms(gradient: Tensor) -> Tensor:
    """‖∇‖² of each sample: (N, …) to (N,)."""
    return gradient.flatten(1).square().sum(1)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - target)² on lines between real and fake, ε ~ U[0, 1] per sample (Gulrajani et al. 2017).

    Lines join what can be joined: samples and continuous conditions, such as codes, with the same ε. Labels cannot, so
    each real sample is joined with a random fake of its own label; where the batch has none, its line is a point.
    """

    def __init__(self, weight: float = 10.0, every: int = 1, target: float = 1.0) -> None:
        super().__init__(weight, every)
        within(NOT_NEGATIVE, target=target)
        self.target = target

    def points(self, real: Shown, fake: Shown) -> Shown:
        end = partners(real, fake)
        epsilon = torch.rand(len(real.samples), device=real.samples.device)

        def between(a: Tensor, b: Tensor) -> Tensor:
            return torch.lerp(a, b, per_sample(epsilon, a))

        numbers = {name: between(end.given[name], values) for name, values in real.continuous.items()}
        return Shown(between(end.samples, real.samples), {**real.given, **numbers})

    def value(self, gradient: Tensor) -> Tensor:
        # a gradient of exactly 0 has a norm whose own gradient is infinite; the least positive number keeps it finite
        norms = squared_norms(gradient).clamp_min(torch.finfo(torch.float32).tiny).sqrt()
        return (norms - self.target).square().mean()


def per_sample(numbers: Tensor, like: Tensor) -> Tensor:
    """(N,) to (N, 1, …), to go with a tensor (N, …)."""
    return numbers.view(-1, *[1] * (like.dim() - 1))


def partners(real: Shown, fake: Shown) -> Shown:
    """For each real sample a fake with the same labels, at random; the sample itself where there is none.

    Without labels it is the fake of the same place.
    """
    if not real.discrete:
        return fake
    same = torch.stack([(mine[:, None] == fake.given[name]) for name, mine in real.discrete.items()]).all(0)
    chance = torch.rand(same.shape, device=same.device).masked_fill(~same, -1.0)
    drawn, index = chance.max(1)
    there = drawn >= 0

    def pick(mine: Tensor, theirs: Tensor) -> Tensor:
        return torch.where(per_sample(there, mine), theirs[index], mine)

    numbers = {name: pick(values, fake.given[name]) for name, values in real.continuous.items()}
    return replace(real, samples=pick(real.samples, fake.samples), given={**real.given, **numbers})


class Dragan(GradientPenalty):
    """(‖∇D(x + α·δ)‖ - target)² around the data, α ~ U[0, 1] per sample (Kodali et al. 2017, equation 4).

    δ is ½·std(x)·U[0, 1) in every entry, as in the reference code, std(x) that of the whole batch. Continuous
    conditions are moved likewise, by their own std.
    """

    def points(self, real: Shown, fake: Shown) -> Shown:
        parts = [real.samples, *real.continuous.values()]
        deltas = [0.5 * x.std() * torch.rand_like(x) for x in parts]
        alpha = torch.rand(len(real.samples), device=real.samples.device)
        moved = [x + per_sample(alpha, x) * delta for x, delta in zip(parts, deltas, strict=True)]
        return Shown(moved[0], {**real.given, **dict(zip(real.continuous, moved[1:], strict=True))})


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

    def points(self, real: Shown, fake: Shown) -> Shown:
        return real

    def value(self, gradient: Tensor) -> Tensor:
        return 0.5 * squared_norms(gradient).mean()


class R2(R1):
    """½‖∇D(G(z))‖² at the fake samples, with the fakes' own conditions (Mescheder et al. 2018)."""

    at = "fake"

    def points(self, real: Shown, fake: Shown) -> Shown:
        return fake
