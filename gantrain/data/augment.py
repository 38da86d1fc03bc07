"""Augmentation of real images on the device, drawn anew for every batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain import shares
from gantrain.ranges import within


class Augment:
    """Flips, shifts and turns each image by itself.

    Args:
        flip: mirror left and right with probability ½.
        crop: shift by up to this many pixels each way; the border is reflected.
        rotate: turn by up to this many degrees each way, bilinear, border repeated.
        jitter: enlarge by this many pixels and cut a part of the former size out, at any place: 30 is the way from 286
            to 256 pixels of Isola et al. 2017, section 6.2.

    Raises:
        ValueError: a negative `crop`, `jitter` or `rotate`, or a turn of more than 180 degrees.
    """

    def __init__(self, flip: bool = False, crop: int = 0, rotate: float = 0.0, jitter: int = 0) -> None:
        within("[0, 65536]", crop=crop, jitter=jitter)
        within("[0, 180]", rotate=rotate)
        self.flip, self.crop, self.rotate, self.jitter = flip, crop, rotate, jitter

    @property
    def chosen(self) -> dict[str, bool | int | float]:
        """What it does, by the names of its settings; empty where it leaves images as they are."""
        settings = {"flip": self.flip, "crop": self.crop, "rotate": self.rotate, "jitter": self.jitter}
        return {name: value for name, value in settings.items() if value}

    def fitting(self, shape: Sequence[int]) -> Augment:
        """Itself, for images of a shape [C, H, W].

        Raises:
            ValueError: the border that `crop` shows would be wider than the image it reflects.
        """
        if self.crop >= min(shape[1:]):
            raise ValueError(f"augment.crop={self.crop} must be less than the images' side, {min(shape[1:])}")
        return self

    def __call__(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to images of the same shape."""
        n, _, height, width = x.shape
        if self.flip:
            mirrored = shares.rand(n, 1, 1, 1, device=x.device) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        if self.jitter:
            larger = (height + self.jitter, width + self.jitter)
            x = _cut_out(F.interpolate(x, larger, mode="bicubic").clamp(-1, 1), self.jitter)
        if self.crop:
            x = _cut_out(F.pad(x, (self.crop,) * 4, mode="reflect"), 2 * self.crop)
        if self.rotate:
            angle = (shares.rand(n, device=x.device) * 2 - 1) * math.radians(self.rotate)
            cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
            aspect = height / width  # places go from -1 to 1 along both sides, whichever is longer
            turned = ([cos, -sin * aspect, zero], [sin / aspect, cos, zero])
            turn = torch.stack([torch.stack(row, 1) for row in turned], 1)
            grid = F.affine_grid(turn, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return x


def _cut_out(x: Tensor, spare: int) -> Tensor:
    """Of each image (N, C, H, W) a part (H - spare, W - spare), at a place drawn at random."""
    n, _, height, width = x.shape
    height, width, device = height - spare, width - spare, x.device
    top, left = shares.randint(0, spare + 1, 2, n, device=device, axis=1)
    rows = top[:, None] + torch.arange(height, device=device)
    columns = left[:, None] + torch.arange(width, device=device)
    sample = torch.arange(n, device=device)[:, None, None]
    return x.movedim(1, -1)[sample, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
