"""InfoGAN: some of the latent numbers can be read back from samples (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.games.base import Request
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.heads import MultiHeadDiscriminator
from gantrain.networks.layers import norm1d
from gantrain.ranges import NOT_NEGATIVE, WIDTH, within
from gantrain.tricks import Trick, TurnContext
from gantrain.turns import Batch, Samples, Scores


class InfoGAN(Standard):
    """The generator also gets codes, and a head Q on D's features reads them from samples.

    Both players minimise -λ·L_I, the variational bound of the mutual information without its constant (equation 5): the
    mean of -log Q(c | G(z, c)). Q is a categorical for each categorical code, and a Gaussian of variance 1 for each
    continuous one. As in the reference code Q moves with D, with which it shares its features.

    Args:
        categorical: the number of values of each categorical code.
        continuous: how many codes are uniform on [-1, 1].
        weight, continuous_weight: λ for either kind; the reference code for MNIST has 1 for both, the paper's text less
            for continuous ones.
        width, norm, slope: of Q's hidden layer, the norm and the slope of its leaky ReLU below zero.

    Raises:
        ValueError: there is no code; samples meet in Q where the loss forbids it.
    """

    only_adversarial = False
    labelled = True
    classifies = True

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        categorical: list[int],
        continuous: int = 2,
        weight: float = 1.0,
        continuous_weight: float = 0.1,
        width: int = 128,
        norm: Literal["batch", "layer", "none"] = "none",
        slope: float = 0.2,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within("[2, 65536]", categorical=categorical)
        within("[0, 65536]", continuous=continuous)
        within(NOT_NEGATIVE, weight=weight, continuous_weight=continuous_weight, slope=slope)
        within(WIDTH, width=width)
        if not (categorical or continuous):
            raise ValueError("set codes: categorical ones of 2 or more values, continuous ones, or both")
        if norm == "batch" and loss.per_sample:
            raise ValueError(
                "samples meet in Q's batch norm, but this loss takes a gradient per sample: set model.norm=layer"
            )
        self.categorical, self.continuous = categorical, continuous
        self.width, self.norm, self.slope = width, norm, slope
        self.weight, self.continuous_weight = weight, continuous_weight
        self.classifies = bool(categorical)
        super().__init__(generator, discriminator, noise, loss, tricks)

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        codes = sum(self.categorical) + self.continuous

        def reader(features: int) -> nn.Module:
            hidden = [nn.Linear(features, self.width), norm1d(self.norm, self.width), nn.LeakyReLU(self.slope)]
            layers = [layer for layer in hidden if not isinstance(layer, nn.Identity)]
            return nn.Sequential(*layers, nn.Linear(self.width, codes))

        self.generator = generator(noise_dim=self.noise.dim + codes)
        self.discriminator = MultiHeadDiscriminator(discriminator, {"code": reader})

    def latents(self, n: int) -> dict[str, Tensor]:
        drawn = {f"code_{k}": torch.randint(size, (n,), device=self.device) for k, size in enumerate(self.categorical)}
        uniform = torch.rand(n, self.continuous, device=self.device) * 2 - 1
        return {**super().latents(n), **drawn, "continuous": uniform}

    def latents_in_words(self) -> dict[str, str]:
        codes = {f"code_{k}": f"a code, 0 to {size - 1}" for k, size in enumerate(self.categorical)}
        return {**super().latents_in_words(), **codes, "continuous": "codes, each uniform on [-1, 1]"}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        noise = batch.latent["noise"]
        codes = {name: values for name, values in batch.latent.items() if name != "noise"}
        one_hot = [F.one_hot(codes[f"code_{k}"], size).to(noise.dtype) for k, size in enumerate(self.categorical)]
        whole = torch.cat([noise, *one_hot, codes["continuous"]], 1)
        return self.to_each(Samples(self.network("generator", averaged)(whole), codes))

    def discriminator_turn(self, discriminator: str, fakes: Samples, batch: Batch) -> TurnContext:
        context = super().discriminator_turn(discriminator, fakes, batch)
        fake = context.comparisons[discriminator].fake
        return replace(context, terms={**context.terms, **self.information(discriminator, fake)})

    def generator_turn(self, generator: str, fakes: Mapping[str, Samples], batch: Batch) -> TurnContext:
        context = super().generator_turn(generator, fakes, batch)
        (name,) = self.discriminators
        return replace(context, terms={**context.terms, **self.information(name, context.comparisons[name].fake)})

    def read(self, network: nn.Module, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """Logits (N, K) of each categorical code, and means (N, continuous)."""
        assert isinstance(network, MultiHeadDiscriminator)
        found = network.heads["code"](features).float()
        *categories, means = found.split([*self.categorical, self.continuous], 1)
        return categories, means

    def information(self, discriminator: str, fake: Scores) -> dict[str, Tensor]:
        """-λ·L_I: the mean of -log Q(c | x), without the Gaussian's constant."""
        categories, means = self.read(self.get_submodule(discriminator), fake.features)
        codes = fake.samples.conditions
        terms = {}
        if self.categorical:
            named = [F.cross_entropy(logits, codes[f"code_{k}"]) for k, logits in enumerate(categories)]
            terms["information"] = self.weight * torch.stack(named).sum()
        if self.continuous:
            apart = 0.5 * (means - codes["continuous"]).square().sum(1).mean()
            terms["information_continuous"] = self.continuous_weight * apart
        return terms

    def classify(self, x: Tensor) -> Tensor:
        """The logits of the first categorical code, which no label taught."""
        network = self.network("discriminator")
        assert isinstance(network, Discriminator)
        return self.read(network, network.features(x))[0][0]

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        """`code=k` sweeps code k along each row, `code=all` each code in a row of its own; categorical codes first."""
        words = dict(asked)
        word = words.pop("code", None)
        request = super().request(n, words)
        if word is None:
            return request
        count = len(self.categorical) + self.continuous
        if word != "all" and (not word.isdigit() or int(word) >= count):
            raise ValueError(f"code={word} is none of this run's: use 0 to {count - 1}, or all")
        rows = range(count) if word == "all" else [int(word)] * max(n // self._steps([int(word)]), 1)
        return self._sweep(list(rows), same_noise=word == "all")

    def preview_request(self, n: int) -> Request:
        """Four rows for each categorical code, one for each continuous one."""
        categorical, count = len(self.categorical), len(self.categorical) + self.continuous
        return self._sweep([*range(categorical)] * 4 + [*range(categorical, count)], same_noise=False)

    def _steps(self, codes: list[int]) -> int:
        """Pictures in a row."""
        sizes = [self.categorical[k] if k < len(self.categorical) else 10 for k in codes]
        return max(sizes)

    def _sweep(self, codes: list[int], same_noise: bool) -> Request:
        """One row for each code, in which it takes all its values; everything else is the same along the row."""
        steps = self._steps(codes)
        rows = self.latents(1 if same_noise else len(codes))
        repeats = steps * (len(codes) if same_noise else 1)
        latent = {name: values.repeat_interleave(repeats, 0) for name, values in rows.items()}
        for row, code in enumerate(codes):
            along = slice(row * steps, (row + 1) * steps)
            if code < len(self.categorical):
                latent[f"code_{code}"][along] = torch.arange(steps, device=self.device) % self.categorical[code]
            else:
                latent["continuous"][along, code - len(self.categorical)] = torch.linspace(-1, 1, steps)
        return Request(len(codes) * steps, latent, columns=steps)
