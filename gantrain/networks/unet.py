"""A generator of pictures from pictures with skip connections (Isola et al. 2017, section 3.2.1, appendix 6.1.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrain import shares
from gantrain.networks.conditioning import Sequential
from gantrain.networks.layers import Norm, activation, initialise_dcgan, norm2d
from gantrain.networks.network import images_only
from gantrain.networks.translator import Translator, mirrored, needs_pairs
from gantrain.ranges import WIDTH, within

WIDEST = 8
"""How many times `width` the widest layer has."""
MOST = 8
"""Stages of the paper's network, for 256 pixels."""


class NoisyDropout(nn.Dropout):
    """Dropout that stays on in evaluation: the only noise there is (Isola et al. 2017, section 3.1)."""

    def forward(self, x: Tensor) -> Tensor:
        return shares.dropout(x, self.p)


class UNetGenerator(Translator):
    """Pictures (N, C', H, W) to pictures (N, C, H, W), with as many maps handed over from each size to the way back.

    Halves n times and doubles n times, by 4x4 convolutions of stride 2: C64-C128-C256-C512-…-C512 and back with n = 8
    for 256 pixels, which end in a single place. Sides that are no multiples of 2^n are mirrored up to one and cropped
    back. There is no norm where maps have one place, whose only value it would make 0.

    Args:
        shape: [C, H, W] of what it makes.
        input_shape: [C', H, W] of what it is given.
        width: channels of the first stage; each further one has twice as many, up to eight times as many.
        stages: n; None for as many as halve the shorter side to one place, eight at most.
        norm: `instance` is what the authors' batch norm is at their batch of one.
        dropout: probability, of each number …
        dropout_stages: … after so many of the first stages of the way back, the paper's 2, 4 and 8 places wide.
        noise: dropout stays on in samples, so that they differ; without it a picture has one translation.

    Raises:
        ValueError: there are no pairs of pictures of one size, or too many stages for it.
    """

    def __init__(
        self,
        shape: list[int],
        input_shape: list[int] | None,
        width: int = 64,
        stages: int | None = None,
        norm: Norm = "instance",
        dropout: float = 0.5,
        dropout_stages: int = 3,
        noise: bool = True,
    ) -> None:
        super().__init__()
        within(WIDTH, width=width, stages=stages)
        within("[0, 1)", dropout=dropout)
        within("[0, 1000]", dropout_stages=dropout_stages)
        channels, size = images_only(shape, "networks=unet")
        self.channels = needs_pairs(shape, input_shape)[0]
        most = min(size).bit_length() - 1
        stages = min(most, MOST) if stages is None else stages
        if not 1 < stages <= most:
            raise ValueError(
                f"networks=unet halves pictures {stages} times, which have sides of {min(size)}: from 2 to {most} "
                "times will do, set model.generator.stages or a larger dataset.image_size"
            )
        self.multiple = 2**stages
        widths = [width * min(WIDEST, 2**k) for k in range(stages)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for k, outside in enumerate(widths):
            kind: Norm = norm if 0 < k < stages - 1 else "none"
            inside = widths[k - 1] if k else self.channels
            convolution = nn.Conv2d(inside, outside, 4, 2, 1, bias=kind == "none")
            parts = [activation("leaky_relu"), convolution, norm2d(kind, outside)]
            self.down.append(_without_identities(*parts[0 if k else 1 :]))
        for k, outside in enumerate([*reversed(widths[:-1]), channels]):
            last = k == stages - 1
            kind = "none" if last else norm
            inside = widths[-1] if k == 0 else 2 * widths[stages - 1 - k]
            convolution_back = nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=kind == "none")
            parts = [nn.ReLU(), convolution_back, norm2d(kind, outside)]
            if dropout and k < dropout_stages and not last:
                parts.append((NoisyDropout if noise else nn.Dropout)(dropout))
            self.up.append(_without_identities(*parts, *([nn.Tanh()] if last else [])))
        self.apply(initialise_dcgan)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        height, width = x.shape[2:]
        x = mirrored(mirrored(x, 2, self.multiple), 3, self.multiple)
        handed: list[Tensor] = []
        for stage in self.down:
            x = stage(x)
            handed.append(x)
        handed.pop()
        for stage in self.up:
            x = stage(x)
            x = torch.cat([x, handed.pop()], 1) if handed else x
        return x[..., :height, :width]


def _without_identities(*parts: nn.Module) -> Sequential:
    return Sequential(*(part for part in parts if not isinstance(part, nn.Identity)))
