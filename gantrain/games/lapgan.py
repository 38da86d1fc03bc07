"""A Laplacian pyramid of conditional GANs (Denton, Chintala, Szlam & Fergus 2015)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from torch import Tensor

from gantrain.automatic import Automatic
from gantrain.games.adversarial import Adversarial
from gantrain.games.base import Request
from gantrain.games.resolutions import resolution_asked
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.heads import PictureConditionalDiscriminator
from gantrain.networks.lapgan import expanded, halved, low_pass
from gantrain.networks.network import images_only
from gantrain.ranges import within
from gantrain.tricks import ModeSeeking, Reconstruction, Trick
from gantrain.turns import Batch, Samples

LOW_PASS = "low_pass"
SMALLEST = 7
"""Side of the coarsest pictures, at least, where the number of levels follows from the data."""


class LAPGAN(Automatic, Adversarial):
    """One generator and one discriminator for each level of a pyramid, and every level is trained in one run.

    The coarsest generator makes pictures of noise. Each finer one is given a low-passed picture l, expanded from the
    level below, and a plane of noise z, and makes what it lacks, h = G(z, l). Its discriminator judges h + l against
    real pictures of that level, which are the sum of both as well (equations 2 and 3, and their code, which adds l
    before D's first layer). When training, l is that of a real picture, so that no level waits for another, real and
    fake have it in common; samples are made from the coarsest level up.

    Args:
        generator, discriminator: make the players of the coarsest level; told `shape` and the generator `noise_dim`.
        finer_generator, finer_discriminator: make those of every other level; told `shape`.
        noise: of the coarsest level; planes of noise are of the same kind.
        shape: of a sample.
        shown: of what a discriminator of the finest level is shown.
        levels: how often pictures are halved; `auto`: while their shorter side is even and becomes no less than 7.
        low_pass: `added` to what D judges, and nothing else, as in the paper; `beside`: in channels of its own too.

    Raises:
        ValueError: pictures cannot be halved so often, or a trick does not fit.
    """

    noise: Noise
    given = (LOW_PASS,)

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        finer_generator: Callable[..., Generator],
        finer_discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        shape: list[int],
        shown: list[int] | None = None,
        levels: int = 2,
        low_pass: Literal["added", "beside"] = "added",
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        super().__init__(loss)
        within("[1, 8]", levels=levels)
        channels, size = images_only(shape, "model=lapgan")
        if any(side % 2**levels or side // 2**levels < 2 for side in size):
            halves = "time" if levels == 1 else "times"
            raise ValueError(
                f"levels={levels}: pictures of {size[0]}x{size[1]} cannot be halved {levels} {halves}: set fewer, or "
                "a dataset.image_size that can, such as 32"
            )
        sizes = [[side // 2**k for side in size] for k in reversed(range(levels + 1))]
        self.resolutions = [min(sides) for sides in sizes]
        self.generators = tuple(f"generator_{side}" for side in self.resolutions)
        self.discriminators = tuple(f"discriminator_{side}" for side in self.resolutions)
        self.conditions = (LOW_PASS,) if low_pass == "beside" else ()
        self.labelled = bool(self.conditions)
        self.noise, self.sizes, seen = noise, sizes, (shown or shape)[0]
        finer = zip(self.resolutions[1:], sizes[1:], strict=True)
        self._planes = {f"noise_{side}": Noise(height * width, noise.kind) for side, (height, width) in finer}
        self.add_module(self.generators[0], generator(noise_dim=noise.dim, shape=[channels, *sizes[0]]))
        self.add_module(self.discriminators[0], discriminator(shape=[seen, *sizes[0]]))
        for g, d, sides in zip(self.generators[1:], self.discriminators[1:], sizes[1:], strict=True):
            self.add_module(g, finer_generator(shape=[channels, *sides]))
            make, shape = finer_discriminator, [seen, *sides]
            beside = partial(PictureConditionalDiscriminator, make, shape, [channels, *sides], LOW_PASS)
            self.add_module(d, beside() if self.conditions else make(shape=shape))
        self.install(tricks or {})

    @classmethod
    def auto(cls, key: str, shape: list[int], per_sample: bool) -> Any:
        if key != "levels":
            return super().auto(key, shape, per_sample)
        _, size = images_only(shape, "model=lapgan")
        levels = 0
        while all(side % 2 ** (levels + 1) == 0 for side in size) and min(size) // 2 ** (levels + 1) >= SMALLEST:
            levels += 1
        return max(levels, 1)

    def install(self, tricks: Mapping[str, Trick]) -> None:
        for name, trick in tricks.items():
            if isinstance(trick, ModeSeeking):
                raise ValueError(
                    f"{name} needs samples that follow from noise alone, but finer levels do not: leave it out"
                )
            if isinstance(trick, Reconstruction):
                raise ValueError(f"{name} needs pictures of one size, but each level has its own: leave it out")
        super().install(tricks)
        finer = self.generators[1:]
        self.turns = tuple(replace(turn, real=True) if turn.player in finer else turn for turn in self.turns)

    def without_value(self) -> str | None:
        return "here each level has one of its own"

    def conditions_of(self, discriminator: str) -> tuple[str, ...]:
        return () if discriminator == self.discriminators[0] else self.conditions

    def opponents(self, generator: str) -> tuple[str, ...]:
        return (self.discriminators[self.generators.index(generator)],)

    @property
    def sample_sets(self) -> Mapping[str, str]:
        """The finest level, then the others down to the coarsest, each by its resolution."""
        names = ["samples", *(f"resolution_{side}" for side in reversed(self.resolutions[:-1]))]
        return dict(zip(names, reversed(self.discriminators), strict=True))

    def latents(self, n: int) -> dict[str, Tensor]:
        planes = zip(self._planes.items(), self.sizes[1:], strict=True)
        drawn = {name: noise.sample(n, self.device).unflatten(1, (1, *size)) for (name, noise), size in planes}
        return {"noise": self.noise.sample(n, self.device), **drawn}

    def latents_in_words(self) -> dict[str, str]:
        return {"noise": self.noise.in_words, **{name: noise.in_words for name, noise in self._planes.items()}}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        return self.fakes_for(self.discriminators, batch, averaged)

    def fakes_for(self, discriminators: Collection[str], batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        """Each from a real picture's low pass; where there is no real one, from the level below."""
        levels = [self.discriminators.index(name) for name in discriminators]
        lower = self._real_pyramid(batch.data["real"]) if "real" in batch.data else None
        made: dict[int, Samples] = {}
        for level in levels if lower else range(max(levels) + 1):
            network = self.network(self.generators[level], averaged)
            if level == 0:
                made[level] = Samples(network(batch.latent["noise"]))
                continue
            low = expanded(lower[level - 1] if lower else made[level - 1].x)
            made[level] = self._judged(low + network(batch.latent[f"noise_{self.resolutions[level]}"], low), low)
        return {self.discriminators[level]: made[level] for level in levels}

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        coarsest, *finer = self._real_pyramid(batch.data["real"])
        samples = [Samples(coarsest), *(self._judged(x, low_pass(x)) for x in finer)]
        return dict(zip(self.discriminators, samples, strict=True))

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        words = dict(asked)
        resolution = resolution_asked(words, self.resolutions)
        columns = 8 * len(self.resolutions) if resolution is None else None  # every level of a sample side by side
        return replace(super().request(n, words), resolution=resolution, columns=columns)

    def preview_request(self, n: int) -> Request:
        """Fewer samples, because each is shown at every level."""
        shown = len(self.resolutions)
        columns = max(9 // shown, 1)
        n = max(n // shown // columns, 1) * columns
        return Request(n, self.latents(n), columns=columns * shown)

    def sample(self, request: Request) -> dict[str, Samples]:
        """Every level, the finest first; or that of the resolution asked for alone."""
        made = super().sample(request)
        if request.resolution is None:
            return made
        return {"samples": made[list(made)[-1 - self.resolutions.index(request.resolution)]]}

    def samples_of(self, batch: Batch) -> dict[str, Samples]:
        return {name: replace(made, x=made.x.clamp(-1, 1)) for name, made in super().samples_of(batch).items()}

    def _judged(self, x: Tensor, low: Tensor) -> Samples:
        """Pictures with the low pass that they were made of, where their discriminator is told it."""
        return Samples(x, {LOW_PASS: low} if self.conditions else {}, frozenset(self.conditions))

    def _real_pyramid(self, x: Tensor) -> list[Tensor]:
        """The pictures of each level, from the coarsest on."""
        levels = [x]
        for _ in self.resolutions[1:]:
            levels.append(halved(levels[-1]))
        return levels[::-1]
