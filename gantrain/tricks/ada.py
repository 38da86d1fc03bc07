"""Adaptive discriminator augmentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.ranges import COUNT, SHARE, within
from gantrain.schedules import Number, Scheduled
from gantrain.tricks.base import Trick
from gantrain.tricks.diffaugment import needs_pictures
from gantrain.tricks.interface import GameInterface, RunPlan, TurnContext
from gantrain.turns import Batch, Player


class ADA(Trick):
    """Augments whatever D sees with a strength that follows how far D overfits (Karras et al. 2020).

    Every transformation is applied with probability p to each image by itself, real and fake alike. After every
    `interval` discriminator turns p moves up where E[sign(D(x))] on real images exceeds `target`, else down. The
    transformations are those of the paper's appendix B: pixel blitting, general geometry, colour. They are resampled
    once, bilinearly with reflected borders, where the reference code filters with wavelets.

    Args:
        p: a number or a schedule, by which p goes instead; then no logits are read. None lets it follow D.
        target: of the sign of D's logits.
        interval: discriminator turns between two moves of p.
        images: that it takes p from 0 to 1.
        augmentations: which of the three groups.

    Raises:
        ValueError: settings out of range, no pictures, or a loss whose logits have no sign that means anything.
    """

    p: Tensor
    signs: Tensor
    count: Tensor
    turns: Tensor

    def __init__(
        self,
        target: float = 0.6,
        interval: int = 4,
        images: int = 500_000,
        augmentations: list[Literal["blit", "geometry", "colour"]] | None = None,
        p: Number | None = None,
    ) -> None:
        super().__init__()
        within("[-1, 1]", target=target)
        within(SHARE, p=p)
        self.given = None if p is None else Scheduled(p)
        within(COUNT, interval=interval, images=images)
        self.target, self.interval, self.images = target, interval, images
        self.augmentations = ["blit", "geometry", "colour"] if augmentations is None else augmentations
        for name in ("p", "signs", "count", "turns"):
            self.register_buffer(name, torch.zeros(()))

    def setup(self, game: GameInterface) -> None:
        threshold = game.loss.adversarial.threshold
        if threshold is None and self.given is None:
            raise ValueError(
                f"ada reads the sign of D's logits, which says nothing with {type(game.loss.adversarial).__name__}: "
                "use a loss such as nonsaturating, r1 or hinge, set tricks.ada.p, or take diffaugment"
            )
        self.threshold = threshold

    def check(self, plan: RunPlan) -> None:
        needs_pictures("ada", plan)

    def numbers(self) -> Mapping[str, Tensor]:
        return {"p": self.p}

    def show(self) -> str:
        """At half its strength, for it begins with none."""
        self.given = None
        self.p.fill_(0.5)
        return f"{self.name} at p = 1/2: {', '.join(self.augmentations)}"

    def augment(self, x: Tensor, batch: Batch) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # places in bf16 would be pixels away
            x = x.float()
            if self.given is not None:
                now = self.given.now
                self.p.copy_(now) if isinstance(now, Tensor) else self.p.fill_(now)
            if "blit" in self.augmentations or "geometry" in self.augmentations:
                x = resample(x, self._placement(x))
            return self._colour(x) if "colour" in self.augmentations else x

    @torch.no_grad()
    def terms(self, player: Player, context: TurnContext) -> Mapping[str, Tensor]:
        comparison = context.comparisons.get(player.name)
        real = comparison.real if comparison is not None and player.is_discriminator else None
        if real is not None and self.threshold is not None and self.given is None:
            logits = shares.gathered(real.logits.float())
            self.signs += (logits - self.threshold).sign().sum()
            self.count += logits.numel()
        return {}

    @torch.no_grad()
    def after_update(self, player: Player, game: GameInterface, samples: int) -> None:
        if self.given is not None or player.name != game.discriminators[0]:
            return
        self.turns += 1
        due = self.turns >= self.interval
        step = torch.sign(self.signs / self.count.clamp(min=1) - self.target) * (samples * self.turns / self.images)
        self.p.add_(step * due).clamp_(0, 1)
        for buffer in (self.signs, self.count, self.turns):
            buffer.mul_(~due)

    def _with(self, chance: Tensor | float, value: Tensor, idle: float) -> Tensor:
        """`value` (N,) for a share `chance` of the images, `idle` for the others."""
        return torch.where(shares.rand(len(value), device=value.device) < chance, value, idle)

    def _placement(self, x: Tensor) -> Tensor:
        """Where each output pixel is looked up, (N, 3, 3) on coordinates in [-1, 1]."""
        n, device = len(x), x.device
        height, width = x.shape[2:]
        place = torch.eye(3, device=device).expand(n, 3, 3)

        def uniform(low: float, high: float) -> Tensor:
            return shares.rand(n, device=device) * (high - low) + low

        def normal(std: float) -> Tensor:
            return shares.randn(n, device=device) * std

        if "blit" in self.augmentations:
            flip = self._with(self.p, 1 - 2 * shares.randint(0, 2, n, device=device).float(), 1.0)
            place = place @ scaling(flip, torch.ones_like(flip))
            quarter = shares.randint(0, 4, n, device=device) * (math.pi / 2)
            place = place @ rotation(self._with(self.p, quarter, 0.0), height / width)
            pixels = [(uniform(-0.125, 0.125) * side).round() * 2 / side for side in (width, height)]
            moved = shares.rand(n, device=device) < self.p
            place = place @ translation(*(torch.where(moved, shift, 0.0) for shift in pixels))
        if "geometry" in self.augmentations:
            # two rotations of this chance leave p of the images rotated at least once
            chance = 1 - (1 - self.p).sqrt()
            size = self._with(self.p, torch.exp2(normal(0.2)), 1.0)
            place = place @ scaling(size, size)
            place = place @ rotation(self._with(chance, uniform(-math.pi, math.pi), 0.0), height / width)
            stretch = self._with(self.p, torch.exp2(normal(0.2)), 1.0)
            place = place @ scaling(stretch, 1 / stretch)
            place = place @ rotation(self._with(chance, uniform(-math.pi, math.pi), 0.0), height / width)
            moved = shares.rand(n, device=device) < self.p
            place = place @ translation(*(torch.where(moved, 2 * normal(0.125), 0.0) for _ in range(2)))
        return place

    def _colour(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        shape = (n, 1, 1, 1)

        def normal(std: float) -> Tensor:
            return shares.randn(n, device=x.device) * std

        x = x + self._with(self.p, normal(0.2), 0.0).view(shape)  # brightness
        x = x * self._with(self.p, torch.exp2(normal(0.5)), 1.0).view(shape)  # contrast
        negative = self._with(self.p, 1 - 2 * shares.randint(0, 2, n, device=x.device).float(), 1.0).view(shape)
        grey = x.mean(1, keepdim=True)
        x = x - grey + negative * grey  # luma flip
        if channels != 3:
            return x
        angle = self._with(self.p, (2 * shares.rand(n, device=x.device) - 1) * math.pi, 0.0)
        x = torch.einsum("nij,njhw->nihw", hue_rotation(angle).to(x.dtype), x)  # hue
        saturation = self._with(self.p, torch.exp2(normal(1.0)), 1.0).view(shape)
        grey = x.mean(1, keepdim=True)
        return grey + (x - grey) * saturation


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """(N,) and (N,) to (N, 3, 3)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def rotation(angle: Tensor, aspect: float = 1.0) -> Tensor:
    """Radians (N,) to (N, 3, 3), for pictures whose height is `aspect` times their width."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrix([[cos, -sin * aspect, zero], [sin / aspect, cos, zero], [zero, zero, one]])


def translation(x: Tensor, y: Tensor) -> Tensor:
    """(N,) and (N,), in halves of the side, to (N, 3, 3)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[one, zero, x], [zero, one, y], [zero, zero, one]])


def hue_rotation(angle: Tensor) -> Tensor:
    """Rotations (N, 3, 3) of colours about the axis of greys, by Rodrigues' formula."""
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    same, next_, last = cos + (1 - cos) / 3, (1 - cos) / 3 - sin, (1 - cos) / 3 + sin
    return _matrix([[same, next_, last], [last, same, next_], [next_, last, same]])


def resample(x: Tensor, place: Tensor) -> Tensor:
    """Images (N, C, H, W) looked up at the places (N, 3, 3), bilinear, reflected at the border."""
    grid = F.affine_grid(place[:, :2].to(x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
