"""Augmentation of real images on the device, drawn anew for every batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gantrain.ranges import within


class Augment:
    """Flips, shifts and turns each image by itself.

    Args:
        flip: mirror left and right with probability ½.
        crop: shift by up to this many pixels each way; the border is reflected.
        rotate: turn by up to this many degrees each way, bilinear, border repeated.

    Raises:
        ValueError: a negative `crop` or `rotate`, or a turn of more than 180 degrees.
    """

    def __init__(self, flip: bool = False, crop: int = 0, rotate: float = 0.0) -> None:
        within("[0, 65536]", crop=crop)
        within("[0, 180]", rotate=rotate)
        self.flip, self.crop, self.rotate = flip, crop, rotate

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
            mirrored = torch.rand(n, 1, 1, 1, device=x.device) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        if self.crop:
            padded = F.pad(x, (self.crop,) * 4, mode="reflect")
            top, left = torch.randint(0, 2 * self.crop + 1, (2, n), device=x.device)
            rows = top[:, None] + torch.arange(height, device=x.device)
            columns = left[:, None] + torch.arange(width, device=x.device)
            sample = torch.arange(n, device=x.device)[:, None, None]
            x = padded.movedim(1, -1)[sample, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
        if self.rotate:
            angle = (torch.rand(n, device=x.device) * 2 - 1) * math.radians(self.rotate)
            cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
            aspect = height / width  # places go from -1 to 1 along both sides, whichever is longer
            turned = ([cos, -sin * aspect, zero], [sin / aspect, cos, zero])
            turn = torch.stack([torch.stack(row, 1) for row in turned], 1)
            grid = F.affine_grid(turn, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return x
