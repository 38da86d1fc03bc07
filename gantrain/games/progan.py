"""Both players grow from 4x4 pixels to the size of the data (Karras, Aila, Laine & Lehtinen 2017)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.games.base import Request
from gantrain.games.resolutions import resolution_asked
from gantrain.games.standard import Standard
from gantrain.losses import Objective
from gantrain.networks import Discriminator, Generator, Noise
from gantrain.networks.canvas import Crop, Pad
from gantrain.networks.layers import StddevLayer
from gantrain.networks.progan import ProGANDiscriminator, ProGANGenerator, doubled, faded
from gantrain.ranges import COUNT, SHARE, within
from gantrain.tricks import Consistency, ExperienceReplay, Reconstruction, RunPlan, Trick
from gantrain.tricks.minibatch_discrimination import check_groups
from gantrain.turns import Batch, Samples, Scores, Turn


@dataclass(frozen=True)
class Growth:
    """When pictures of which level are played: phase 0 is that of level 0, and 2k - 1, in which level k fades in, comes
    before 2k, in which it stays.

    Attributes:
        begins: the first step of each phase.
    """

    begins: tuple[int, ...]

    @classmethod
    def of(cls, durations: Sequence[float], steps: float | None = None) -> Growth:
        """From the durations of all phases but the last, in steps; or in any unit, where `steps` is their sum."""
        unit = 1.0 if steps is None else steps / sum(durations)
        return cls(tuple(ceil(round(end * unit, 6)) for end in accumulate(durations, initial=0.0)))

    def phase(self, step: int) -> int:
        """The phase in step `step`."""
        return bisect_right(self.begins, step) - 1

    @staticmethod
    def level(phase: int) -> int:
        """The level that is played in a phase."""
        return (phase + 1) // 2

    def fade(self, phase: int, step: Tensor) -> Tensor | None:
        """How far the level has grown out of the one before, () from 0 to 1; None where it has."""
        if phase % 2 == 0:
            return None
        begin, end = self.begins[phase : phase + 2]
        return ((step - begin) / (end - begin)).clamp(0, 1)


class ProGAN(Standard):
    """The two-player game with pictures whose side doubles again and again while it is played.

    Each level first fades in: its picture is mixed into the doubled picture of the level before, in what G makes, in
    what D looks at and in real pictures, which are averaged down to the same level. The optimizers start anew whenever
    a fade begins or ends, as in the reference code. Samples of a step are those of its level, their pixels doubled up
    to the size of the data.

    Args:
        shape: of a sample.
        steps, batch_size: of the run.
        stable_images, fade_images: real pictures that D is shown while a level stays, and while one fades in; 800,000
            in the paper, 600,000 in its code. Null: both are equally long, and the last level has faded in after
            `grown` of the steps.
        grown: that share, where no number of pictures is said.
        batches: how many times the batch size is played at each level, from 4x4 on; the last one stays.
        restart_optimizers: as above; else they keep their state.

    Raises:
        ValueError: the networks do not grow, or settings out of range.
    """

    generator: ProGANGenerator

    def __init__(
        self,
        generator: Callable[..., Generator],
        discriminator: Callable[..., Discriminator],
        noise: Noise,
        loss: Objective,
        shape: list[int],
        steps: int,
        batch_size: int,
        stable_images: int | None = None,
        fade_images: int | None = None,
        grown: float = 0.6,
        batches: list[int] | None = None,
        restart_optimizers: bool = True,
        tricks: Mapping[str, Trick] | None = None,
    ) -> None:
        within(COUNT, stable_images=stable_images, fade_images=fade_images)
        within(SHARE, grown=grown)
        within("[1, 1024]", batches=batches)
        if (stable_images is None) != (fade_images is None):
            raise ValueError("stable_images and fade_images belong together: set both, or neither and grown")
        self.restart_optimizers, self.batches = restart_optimizers, batches or [1]
        super().__init__(generator, discriminator, noise, loss, tricks)
        canvas = self.generator.canvas
        self.top, whole = canvas.doublings, canvas.whole
        self.pad, self.crop = Pad(canvas.size, whole), Crop(canvas.size, whole)
        self.resolutions = [min(canvas.after(level)) for level in range(self.top)] + [min(shape[1:])]
        per_step = [batch_size * loss.n_critic * self._times(Growth.level(phase)) for phase in range(2 * self.top)]
        if stable_images is None or fade_images is None:
            self.growth = Growth.of([1 / images for images in per_step], grown * steps)
        else:
            lengths = [stable_images, fade_images] * self.top
            self.growth = Growth.of([images / step for images, step in zip(lengths, per_step, strict=True)])

    def build_players(self, generator: Callable[..., Generator], discriminator: Callable[..., Discriminator]) -> None:
        super().build_players(generator, discriminator)
        if not isinstance(self.generator, ProGANGenerator) or not isinstance(self.discriminator, ProGANDiscriminator):
            raise ValueError("model=progan needs networks that grow: leave networks@model as it is, progan")

    def install(self, tricks: Mapping[str, Trick]) -> None:
        for name, trick in tricks.items():
            if isinstance(trick, (ExperienceReplay, Reconstruction)):
                raise ValueError(f"{name} needs pictures of one size, but here they grow: leave it out")
            least = min(self.generator.canvas.start)
            if isinstance(trick, Consistency) and trick.kind == "shift_flip" and trick.shift >= least:
                raise ValueError(
                    f"{name} shifts pictures by {trick.shift} pixels, but here they begin with {least}: set "
                    f"tricks.{name}.shift=1, or augment=noise"
                )
        super().install(tricks)

    def check(self, plan: RunPlan) -> None:
        super().check(plan)
        for layer in self.discriminator.modules():
            if isinstance(layer, StddevLayer) and layer.group_size is not None:
                check_groups("model.discriminator", plan, layer.group_size)
            elif isinstance(layer, StddevLayer):
                way_out = ", or model.discriminator.group_size to a part's size"
                plan.needs_whole_batch("the discriminator compares the whole batch", way_out)

    def phase(self, step: int) -> int:
        return self.growth.phase(step)

    def entered(self, phase: int) -> tuple[str, ...]:
        return tuple(player.name for player in self.players) if self.restart_optimizers else ()

    def turns_at(self, step: int) -> tuple[Turn, ...]:
        times = self._times(Growth.level(self.phase(step)))
        return tuple(replace(turn, batches=times * turn.batches) for turn in self.turns)

    def numbers(self, batch: Batch) -> Mapping[str, Tensor]:
        level, fade = self._stage(batch)
        side = torch.full((), float(self.resolutions[level]), device=self.device)
        return {"growth/resolution": side, "growth/fade": torch.ones_like(side) if fade is None else fade}

    def generate(self, batch: Batch, averaged: bool = False) -> Mapping[str, Samples]:
        level, fade = self._stage(batch)
        return self.to_each(Samples(self.network("generator", averaged)(batch.latent["noise"], None, level, fade)))

    def real(self, batch: Batch) -> Mapping[str, Samples]:
        return self.to_each(Samples(self._as_in(batch, batch.data["real"])))

    def score(self, discriminator: str, inputs: Samples, batch: Batch) -> Scores:
        """Pictures of the data's size are brought to the level of the batch first."""
        network, (level, fade), x = self.get_submodule(discriminator), self._stage(batch), inputs.x
        assert isinstance(network, Discriminator)
        if x.shape[2:] != self.generator.canvas.after(level):
            x = self._as_in(batch, x)
        return Scores(inputs, *network.score(x, **({} if fade is None else {"fade": fade})))

    def samples_of(self, batch: Batch) -> dict[str, Samples]:
        return {
            name: replace(made, x=self.crop(self._whole(made.x))) for name, made in super().samples_of(batch).items()
        }

    def request(self, n: int, asked: Mapping[str, str]) -> Request:
        words = dict(asked)
        resolution = resolution_asked(words, self.resolutions)
        return replace(super().request(n, words), resolution=resolution)

    def sample(self, request: Request) -> dict[str, Samples]:
        """At a lower resolution than the step's, the means of its pixels, as real pictures are brought there.

        The layers that made its pictures do not fit any more: those before them went on learning without them. At a
        higher one every pixel is doubled.
        """
        if request.resolution in (None, self.resolutions[-1]):
            return super().sample(request)
        times = 2 ** (self.top - self.resolutions.index(request.resolution))
        batch = self.batch_at(request.step, {**self.latents(request.n), **request.latent})
        with self.evaluating(self.network("generator")):
            made = self.generate(batch, averaged=True)[self.discriminators[0]]
        return {"samples": replace(made, x=F.avg_pool2d(self._whole(made.x).float(), times))}

    def _as_in(self, batch: Batch, x: Tensor) -> Tensor:
        """Pictures of the data's size as the discriminator is shown them in a turn: averaged, and mixed in a fade."""
        level, fade = self._stage(batch)
        x = self.pad(x)
        if level < self.top:
            x = F.avg_pool2d(x, 2 ** (self.top - level))
        return x if fade is None else faded(doubled(F.avg_pool2d(x, 2)), x, fade)

    def _whole(self, x: Tensor) -> Tensor:
        """Pictures of any level on the whole canvas, with their pixels doubled as often as it takes."""
        times = min(self.generator.canvas.whole) // min(x.shape[2:])
        return F.interpolate(x, scale_factor=times) if times > 1 else x

    def _stage(self, batch: Batch) -> tuple[int, Tensor | None]:
        """The level of a batch, and how far it has grown."""
        phase = batch.plan.phase
        return Growth.level(phase), self.growth.fade(phase, batch.step)

    def _times(self, level: int) -> int:
        return self.batches[min(level, len(self.batches) - 1)]
