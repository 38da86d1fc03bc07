"""Gradient penalties: norms per sample, always float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor

from gantrain import shares
from gantrain.automatic import Automatic
from gantrain.ranges import COUNT, NOT_NEGATIVE, within
from gantrain.schedules import HasSchedules, Number, Scheduled
from gantrain.stacked import gradients, leaf
from gantrain.turns import Samples

LogitsOf = Callable[[Samples], Tensor]
"""Samples to a discriminator's logits."""


@dataclass(frozen=True)
class Forward:
    """How a discriminator meets samples in this turn.

    Attributes:
        samples: "real" and "fake", before any augmentation.
        inputs: the same as the discriminator is given them.
        logits_of: inputs to logits.
        prepare: samples to inputs: augmented, and packed where several are judged as one.
        pack: packs alone.
        logits: of the inputs, as the value function has them.
    """

    samples: Mapping[str, Samples]
    inputs: Mapping[str, Samples]
    logits_of: LogitsOf
    prepare: Callable[[Samples], Samples]
    pack: Callable[[Samples], Samples]
    logits: Mapping[str, Tensor] = field(default_factory=dict)


class Penalty(Automatic, HasSchedules):
    """A penalty on the gradient of the discriminator with respect to all that is continuous in its inputs.

    That is the sample, and where a discriminator judges pairs such as sample and code, the pair: the norm is that of
    both parts together, for the critic's slope on pairs is meant. Labels and other discrete conditions, and those that
    are given, such as a picture to refine, stay what they are at each point. Where samples meet in a layer, such as
    that of minibatch_stddev, it is the gradient of the sum of all logits, as in the reference code of Karras et al.
    2017 and 2019.

    `weight`, a number or a schedule, and `every` belong to the player's turn: it minimises weight · every · penalty on
    every `every`-th turn (lazy regularisation, Karras et al. 2019). A penalty taken at the real or at the fake samples
    themselves says so in `at`: at the samples as they are, before any augmentation, with the gradient through it
    (Karras et al. 2020); and it may then share the forward of the value function, where that is float32. All others
    look between or around the discriminator's inputs, by a forward of their own.

    Raises:
        ValueError: a negative `weight`, or `every` below 1.
    """

    at: Literal["real", "fake"] | None = None

    def __init__(self, weight: Number, every: int = 1) -> None:
        within(NOT_NEGATIVE, weight=weight)
        within(COUNT, every=every)
        self.weight, self.every = Scheduled(weight), every

    def points(self, real: Samples, fake: Samples) -> Samples:
        """Where the gradient is taken, (N, …), and the conditions that belong there."""
        raise NotImplementedError

    def value(self, gradient: Tensor) -> Tensor:
        """The penalty, a scalar, for gradients (N, …): one for each logit, by all that is continuous."""
        raise NotImplementedError

    def is_due(self, played: int) -> bool:
        """Whether it is played in a turn before which the player had `played`."""
        return played % self.every == 0

    def shared_at(self, autocast: bool) -> Literal["real", "fake"] | None:
        """The samples at which it takes its gradient from the main forward; None where it needs one of its own.

        Args:
            autocast: the main forward is not float32.
        """
        return None if autocast else self.at

    def term(self, forward: Forward, shared: Mapping[str, Samples]) -> Tensor:
        """The term that the player minimises in a turn in which the penalty is due.

        Args:
            shared: gradients by the names of the samples at which the main forward took them.
        """
        if self.at is not None and self.at in shared:
            amount = self.value(gradient_vectors(forward.pack(shared[self.at])))
        elif self.at is not None:
            real, fake = forward.samples["real"], forward.samples["fake"]
            amount = self(lambda x: forward.logits_of(forward.prepare(x)), real, fake, forward.pack)
        else:
            amount = self(forward.logits_of, forward.inputs["real"], forward.inputs["fake"])
        return self.weight.now * self.every * amount

    def __call__(
        self,
        logits_of: LogitsOf,
        real: Samples,
        fake: Samples,
        pack: Callable[[Samples], Samples] = lambda gradient: gradient,
    ) -> Tensor:
        """The unweighted penalty, a scalar through which the discriminator's parameters get gradients.

        It also passes a gradient on to what real and fake samples were made of, where they have one.

        Args:
            logits_of: samples to logits.
            real, fake: samples (N, …) of the same shape, with the same conditions.
            pack: puts gradients together where the discriminator judges several samples as one.
        """
        # autocast is left whole: conditions are float32 too, or a layer would meet two types
        with torch.autocast(real.x.device.type, enabled=False):
            points = gradient_leaves(self.points(in_float32(real), in_float32(fake)))
            gradients = input_gradients({"points": logits_of(points)}, {"points": points})
            return self.value(gradient_vectors(pack(gradients["points"])))


def in_float32(samples: Samples) -> Samples:
    """Samples and conditions that are numbers in float32."""
    numbers = {name: values.float() for name, values in samples.conditions.items() if values.is_floating_point()}
    return replace(samples, x=samples.x.float(), conditions={**samples.conditions, **numbers})


def gradient_leaves(samples: Samples) -> Samples:
    """The same samples as tensors of their own, so that a gradient by them leaves out every other way to the logits."""
    numbers = {name: leaf(values) for name, values in samples.continuous.items()}
    return replace(samples, x=leaf(samples.x), conditions={**samples.conditions, **numbers})


def input_gradients(logits: Mapping[str, Tensor], at: Mapping[str, Samples]) -> dict[str, Samples]:
    """By the names of `at`: the gradients of the logits of each sample by all that is continuous there."""
    inputs = [[samples.x, *samples.continuous.values()] for samples in at.values()]
    total = reduce(torch.add, [total_logit(logits[name]) for name in at])
    found = iter(gradients(total, [x for group in inputs for x in group]))
    return {name: Samples(next(found), {key: next(found) for key in x.continuous}) for name, x in at.items()}


def total_logit(logits: Tensor) -> Tensor:
    """Logits (N,) or, for P patches, (N, P) to a scalar whose gradient is that of each sample's mean logit."""
    return logits.float().flatten(1).mean(1).sum() if logits.dim() > 1 else logits.float().sum()


def gradient_vectors(gradient: Samples) -> Tensor:
    """Gradients by samples and by conditions beside each other, (N, F)."""
    parts = [part.flatten(1) for part in (gradient.x, *gradient.conditions.values())]
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def squared_norms(gradient: Tensor) -> Tensor:
    """‖∇‖² of each sample: (N, …) to (N,)."""
    return gradient.flatten(1).square().sum(1)


class GradientPenalty(Penalty):
    """(‖∇D(x̂)‖ - target)² on lines between real and fake, ε ~ U[0, 1] per sample (Gulrajani et al. 2017).

    Lines join what can be joined: samples and continuous conditions, such as codes, with the same ε. Labels cannot, so
    each real sample is joined with a random fake of its own label; where the batch has none, its line is a point.
    """

    def __init__(self, weight: Number = 10.0, every: int = 1, target: float = 1.0) -> None:
        super().__init__(weight, every)
        within(NOT_NEGATIVE, target=target)
        self.target = target

    def points(self, real: Samples, fake: Samples) -> Samples:
        end = fakes_of_same_label(real, fake)
        epsilon = shares.rand(len(real.x), device=real.x.device)

        def between(a: Tensor, b: Tensor) -> Tensor:
            return torch.lerp(a, b, broadcast_like(epsilon, a))

        numbers = {name: between(end.conditions[name], values) for name, values in real.continuous.items()}
        return replace(real, x=between(end.x, real.x), conditions={**real.conditions, **numbers})

    def value(self, gradient: Tensor) -> Tensor:
        # a gradient of exactly 0 has a norm whose own gradient is infinite; the least positive number keeps it finite
        norms = squared_norms(gradient).clamp_min(torch.finfo(torch.float32).tiny).sqrt()
        return (norms - self.target).square().mean()


def broadcast_like(numbers: Tensor, like: Tensor) -> Tensor:
    """(N,) to (N, 1, …), to go with a tensor (N, …)."""
    return numbers.view(-1, *[1] * (like.dim() - 1))


def fakes_of_same_label(real: Samples, fake: Samples) -> Samples:
    """For each real sample a fake with the same labels, at random; the sample itself where there is none.

    Without labels it is the fake of the same place.
    """
    if not real.discrete:
        return fake
    fake = fake.map(shares.gathered)
    same = torch.stack([(mine[:, None] == fake.conditions[name]) for name, mine in real.discrete.items()]).all(0)
    chance = shares.rand_pairs(len(same), same.shape[1], same.device).masked_fill(~same, -1.0)
    drawn, index = chance.max(1)
    there = drawn >= 0

    def pick(mine: Tensor, theirs: Tensor) -> Tensor:
        return torch.where(broadcast_like(there, mine), theirs[index], mine)

    numbers = {name: pick(values, fake.conditions[name]) for name, values in real.continuous.items()}
    return replace(real, x=pick(real.x, fake.x), conditions={**real.conditions, **numbers})


class Dragan(GradientPenalty):
    """(‖∇D(x + α·δ)‖ - target)² around the data, α ~ U[0, 1] per sample (Kodali et al. 2017, equation 4).

    δ is ½·std(x)·U[0, 1) in every entry, as in the reference code, std(x) that of the whole batch. Continuous
    conditions are moved likewise, by their own std.
    """

    def points(self, real: Samples, fake: Samples) -> Samples:
        parts = [real.x, *real.continuous.values()]
        deltas = [0.5 * shares.gathered(x).std() * shares.rand_like(x) for x in parts]
        alpha = shares.rand(len(real.x), device=real.x.device)
        moved = [x + broadcast_like(alpha, x) * delta for x, delta in zip(parts, deltas, strict=True)]
        return replace(
            real, x=moved[0], conditions={**real.conditions, **dict(zip(real.continuous, moved[1:], strict=True))}
        )


class R1(Penalty):
    """½‖∇D(x)‖² at the real samples; `weight` is the paper's γ (Mescheder et al. 2018, equation 9)."""

    at: Literal["real", "fake"] | None = "real"

    def __init__(self, weight: Number = 10.0, every: int = 1) -> None:
        super().__init__(weight, every)

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key == "weight":
            if len(shape) == 3:
                return 10.0
            if len(shape) == 2:
                return 1.0  # measured with notes
            return 0.3 if shape == [1] else 0.02  # measured with the default recipes of gaussian1d, ring8 and grid25
        return super().auto(key, shape, per_sample)

    def points(self, real: Samples, fake: Samples) -> Samples:
        return real

    def value(self, gradient: Tensor) -> Tensor:
        return 0.5 * squared_norms(gradient).mean()


class R2(R1):
    """½‖∇D(G(z))‖² at the fake samples, with the fakes' own conditions (Mescheder et al. 2018)."""

    at = "fake"

    def points(self, real: Samples, fake: Samples) -> Samples:
        return fake


class Drift(Penalty):
    """D(x)² at the real samples, so that a critic's logits do not drift away from 0 (Karras et al. 2017, appendix A.1).

    `weight` is the paper's ε_drift. It takes no gradient by samples, and needs no forward of its own.
    """

    def __init__(self, weight: Number = 0.001, every: int = 1) -> None:
        super().__init__(weight, every)

    def term(self, forward: Forward, shared: Mapping[str, Samples]) -> Tensor:
        return self.weight.now * self.every * forward.logits["real"].float().square().mean()
