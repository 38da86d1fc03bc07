"""Residual networks as Miyato et al. 2018 and their code have them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantrain.networks import ResNetDiscriminator, ResNetGenerator


def convolutions(network: nn.Module) -> list[tuple[int, int]]:
    """Channels in and out of the convolutions of the main path, in their order."""
    found = [m for name, m in network.named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in name]
    return [(m.in_channels, m.out_channels) for m in found]


@pytest.mark.parametrize(
    ("size", "sides"), [(16, [8, 4, 2]), (28, [16, 8, 4, 2]), (64, [32, 16, 8, 4, 2]), (128, [64, 32, 16, 8, 4, 4])]
)
def test_a_pyramid_halves_its_side_as_it_doubles_its_width(size: int, sides: list[int]) -> None:
    shape = [3, size, size]
    images = ResNetGenerator(shape, 10, width=4, pyramid=True)(torch.randn(2, 10))
    assert images.shape == (2, *shape)
    judge, found, x = ResNetDiscriminator(shape, width=4, pyramid=True), [], images
    assert judge(images).shape == (2,)
    for block in list(judge.trunk.children())[:-1]:
        x = block(x)
        found.append((x.shape[-1], x.shape[1]))
    widths = [4 * min(2**k, 16) for k in range(len(sides))]
    assert found[1:] == list(zip(sides, widths, strict=True))


def test_a_pyramid_has_the_papers_widths() -> None:
    """Their code's networks for 64x64: in D the first convolution of a block keeps the width, in G it halves it."""
    with torch.device("meta"):
        generator = ResNetGenerator([3, 64, 64], 128, width=64, pyramid=True)
        judge = ResNetDiscriminator([3, 64, 64], width=64, pyramid=True, spectral_norm=False)
    assert convolutions(generator) == [
        (1024, 512), (512, 512), (512, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64), (64, 3)
    ]  # fmt: skip
    assert convolutions(judge) == [
        (3, 64), (64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 1024)
    ]  # fmt: skip
    assert judge.head.in_features == 1024


def test_even_widths_stay_as_they_were() -> None:
    with torch.device("meta"):
        generator = ResNetGenerator([3, 64, 64], 128)
        judge = ResNetDiscriminator([3, 64, 64], spectral_norm=False)
    assert convolutions(generator) == [*[(256, 256)] * 6, (256, 128), (128, 128), (128, 3)]
    assert convolutions(judge) == [(3, 64), (64, 64), (64, 128), *[(128, 128)] * 7]
