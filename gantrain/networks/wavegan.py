"""One-dimensional convolutions for sound (Donahue, McAuley & Puckette 2018, WaveGAN)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from gantrain import shares
from gantrain.kinds import Kind
from gantrain.networks.canvas import Crop, FirstMaps, Pad
from gantrain.networks.conditioning import Conditioned, Sequential, call
from gantrain.networks.layers import Norm, activation, norm_of_sound, spectrally_normalise
from gantrain.networks.network import Discriminator, Generator, check_shape
from gantrain.ranges import WIDTH, within

STRIDE, LONGEST_START = 4, 16
SHORTEST, LONGEST = 64, 2**20
"""Samples of sound."""


def stages(length: int) -> tuple[int, int]:
    """How long the shortest map is and how often it becomes four times as long: 16 and 5 for 16,384 as in the paper.

    The shortest map has 5 to 16 places, so that they reach `length` in as few stages as that allows.

    Raises:
        ValueError: the sound is too short or too long.
    """
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(
            f"networks=wavegan works on sound of {SHORTEST} to {LONGEST:,} samples, got {length:,}: set dataset.length"
        )
    count = max(math.ceil(math.log(length / LONGEST_START, STRIDE) - 1e-9), 1)
    return math.ceil(length / STRIDE**count), count


def sound_only(shape: list[int]) -> tuple[int, int]:
    """Channels of sound, and its length.

    Raises:
        ValueError: the samples are something else.
    """
    check_shape(shape)
    kind = Kind.of(shape)
    if kind is not Kind.SOUND:
        other = "mlp" if kind is Kind.NUMBERS else "dcgan"
        raise ValueError(f"networks=wavegan works on sound, but here are {kind.value}: set networks={other}")
    channels, length = shape
    return channels, length


class Upsample(Conditioned):
    """Maps (N, C, L) to maps (N, C', 4·L), by a convolution of an odd length.

    `transposed` as the paper's; `nearest` repeats every place and convolves, which leaves out the ringing that
    transposed convolutions bring (section 3.2).
    """

    def __init__(self, inside: int, outside: int, kernel: int, kind: str, bias: bool) -> None:
        super().__init__()
        self.repeat = kind == "nearest"
        self.conv: nn.Module = (
            nn.Conv1d(inside, outside, kernel, 1, kernel // 2, bias=bias)
            if self.repeat
            else nn.ConvTranspose1d(inside, outside, kernel, STRIDE, *_margins(kernel), bias=bias)
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return call(self.conv, x.repeat_interleave(STRIDE, 2) if self.repeat else x, condition)


def _margins(kernel: int) -> tuple[int, int]:
    """`padding` and `output_padding` with which a transposed convolution makes maps exactly four times as long."""
    padding = (kernel - STRIDE + 1) // 2
    return padding, STRIDE - kernel + 2 * padding


class Float32(Conditioned):
    """Layers that work in float32 under autocast too: 8 bits of a number would be heard as hiss."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = Sequential(*layers)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):  # so that an export meets no autocast
            return self.layers(x, condition)
        with torch.autocast(x.device.type, enabled=False):
            return self.layers(x.float(), condition)


class PhaseShuffle(nn.Module):
    """Shifts every sample's maps (N, C, L) by -n to n places of its own, reflected at the ends (section 3.3).

    The shift is drawn anew from the default generator at each call in training: traces of upsampling in generated
    sound, which always lie at one phase, tell the discriminator nothing then. In evaluation maps stay where they are.

    Args:
        n: the largest shift; 0 for none.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.n:
            return x
        return shifted(x, shares.randint(-self.n, self.n + 1, len(x), device=x.device))


def shifted(x: Tensor, by: Tensor) -> Tensor:
    """Each sample of x (N, C, L) moved to the right by its own number (N,) int64 of places, reflected at the ends."""
    last = x.shape[2] - 1
    place = (torch.arange(last + 1, device=x.device) - by[:, None]).abs()
    place = last - (last - place).abs()
    return x.gather(2, place[:, None].expand(-1, x.shape[1], -1))


class WaveGANGenerator(Generator):
    """Noise (N, noise_dim) to sound (N, channels, samples) in [-1, 1], or a little beyond with a `post_filter`.

    Grows from a map of 5 to 16 places by transposed convolutions with stride 4; what is longer than the sound is cut
    away evenly at both ends.

    Args:
        shape: [channels, samples].
        width: channels of the last hidden stage; each earlier one has twice as many.
        kernel: the length of convolutions, odd.
        upsample: `transposed`, or `nearest` plus convolution.
        norm: of every hidden stage; the paper's networks for WGAN-GP have none.
        post_filter: the length of a filter that is learnt on top of all, which may take away hiss; 0 for none, 512 in
            the paper (appendix B).

    Raises:
        ValueError: the samples are no sound of such a length, or a setting is out of range.
    """

    def __init__(
        self,
        shape: list[int],
        noise_dim: int,
        width: int = 64,
        kernel: int = 25,
        upsample: Literal["transposed", "nearest"] = "transposed",
        norm: Norm = "none",
        post_filter: int = 0,
    ) -> None:
        super().__init__()
        channels, length = sound_only(shape)
        _check(width, kernel)
        within("[0, 65536]", post_filter=post_filter)
        start, count = stages(length)
        widths = [width * 2**k for k in reversed(range(count))]
        bias = norm == "none"
        layers: list[nn.Module] = [FirstMaps(noise_dim, widths[0], (start,), bias), norm_of_sound(norm, widths[0])]
        layers += [nn.ReLU()]
        for inside, outside in pairwise(widths):
            layers += [Upsample(inside, outside, kernel, upsample, bias), norm_of_sound(norm, outside), nn.ReLU()]
        last: list[nn.Module] = [Upsample(widths[-1], channels, kernel, upsample, True), nn.Tanh()]
        if post_filter:
            last += [nn.Conv1d(channels, channels, post_filter, padding="same", bias=False)]
        self.net = Sequential(*layers, Float32(*last), Crop((length,), (start * STRIDE**count,)))
        self.apply(_initialise)


class WaveGANDiscriminator(Discriminator):
    """Sound (N, channels, samples) to logits (N,).

    Convolutions with stride 4 down to a map of 5 to 16 places; sound of a length between is padded with silence.

    Args:
        shape: [channels, samples].
        width: channels of the first stage; each later one has twice as many.
        kernel: the length of convolutions, odd.
        phase_shuffle: the largest shift n of each stage's maps but the last's; 2 in the paper, 0 for none.
        norm: of every stage but the first.
        spectral_norm: of every layer.

    Raises:
        ValueError: the samples are no sound of such a length, or a setting is out of range.
    """

    def __init__(
        self,
        shape: list[int],
        width: int = 64,
        kernel: int = 25,
        phase_shuffle: int = 2,
        norm: Norm = "none",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        channels, length = sound_only(shape)
        _check(width, kernel)
        start, count = stages(length)
        within(f"[0, {start * STRIDE - 1}]", phase_shuffle=phase_shuffle)
        self.canvas = (start * STRIDE**count,)
        widths = [channels, *(width * 2**k for k in range(count))]
        layers: list[nn.Module] = [Pad((length,), self.canvas, 0.0)]
        for number, (inside, outside) in enumerate(pairwise(widths)):
            normed = norm if number else "none"
            padding = (kernel - STRIDE + 1) // 2
            layers += [nn.Conv1d(inside, outside, kernel, STRIDE, padding, bias=normed == "none")]
            layers += [norm_of_sound(normed, outside), activation("leaky_relu")]
            layers += [PhaseShuffle(phase_shuffle if number < count - 1 else 0)]
        self.trunk = Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(widths[-1] * start, 1)
        self.apply(_initialise)
        if spectral_norm:
            spectrally_normalise(self)


def _check(width: int, kernel: int) -> None:
    within(WIDTH, width=width)
    within("[5, 1025]", kernel=kernel)
    if kernel % 2 == 0:
        raise ValueError(f"kernel must be odd, so that it has a middle, got {kernel}")


def _initialise(module: nn.Module) -> None:
    """Uniform weights by Glorot & Bengio 2010 and biases of 0, as in the paper's code."""
    if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
