"""Images of any shape on networks that halve and double."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gantrain.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    PooledDiscriminator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from gantrain.networks.canvas import Canvas, Crop, Pad
from gantrain.networks.conditional import ConditionalDiscriminator, ConditionalGenerator

SMALL = {"dcgan": {"width": 2}, "resnet": {"width": 16}, "infogan": {"width": 2, "hidden": 8}, "mlp": {"hidden": [8]}}
GENERATORS = {"dcgan": DCGANGenerator, "resnet": ResNetGenerator, "infogan": InfoGANGenerator, "mlp": MLPGenerator}
DISCRIMINATORS = {
    "dcgan": DCGANDiscriminator,
    "resnet": ResNetDiscriminator,
    "infogan": InfoGANDiscriminator,
    "mlp": MLPDiscriminator,
}


def seen_first(judge: Discriminator, x: Tensor, **conditions: Tensor) -> Tensor:
    """What the first convolution is given when a discriminator sees images."""
    first = next(layer for layer in judge.modules() if isinstance(layer, nn.Conv2d))
    seen: list[Tensor] = []
    first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    judge(x, **conditions)
    return seen[0]


@pytest.mark.parametrize(
    ("size", "start", "whole"),
    [
        ((32, 32), (4, 4), (32, 32)),
        ((28, 28), (4, 4), (32, 32)),
        ((48, 48), (4, 4), (64, 64)),
        ((64, 96), (4, 6), (64, 96)),
        ((96, 64), (6, 4), (96, 64)),
        ((28, 40), (4, 5), (32, 40)),
        ((30, 41), (4, 6), (32, 48)),
        ((40, 48), (4, 4), (64, 64)),
        ((8, 20), (4, 10), (8, 20)),
    ],
)
def test_the_shorter_side_is_a_power_of_two_and_the_longer_one_as_long_as_it_must_be(
    size: tuple[int, int], start: tuple[int, int], whole: tuple[int, int]
) -> None:
    canvas = Canvas.of(size, 8, 256, "this")
    assert (canvas.start, canvas.whole) == (start, whole)
    assert Canvas.of(whole, 8, 256, "this").whole == whole, "what stands on a canvas needs no wider one"
    assert canvas.places == start[0] * start[1]


@pytest.mark.parametrize("size", [(7, 64), (64, 7), (64, 257), (257, 64)])
def test_neither_side_may_be_out_of_range(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"side 8 to 256, got {size[0]}x{size[1]}: set networks=mlp, or dataset\.im"):
        Canvas.of(size, 8, 256, "networks=dcgan")


@pytest.mark.parametrize(
    ("size", "canvas"), [((28, 28), (32, 32)), ((27, 27), (32, 32)), ((32, 32), (32, 32)), ((30, 41), (32, 48))]
)
def test_images_stand_in_the_midst_of_a_black_canvas(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    wide = Pad(size, canvas)(x)
    assert wide.shape == (2, 3, *canvas)
    assert torch.equal(Crop(size, canvas)(wide), x)
    top, left = ((whole - side) // 2 for side, whole in zip(size, canvas, strict=True))
    assert torch.equal(wide[..., top : top + size[0], left : left + size[1]], x)
    assert (wide == -1).sum() == 2 * 3 * (canvas[0] * canvas[1] - size[0] * size[1])


@pytest.mark.parametrize("size", [(28, 28), (16, 24), (40, 20)])
@pytest.mark.parametrize("network", ["dcgan", "resnet"])
def test_discriminators_see_black_around_the_image(network: str, size: tuple[int, int]) -> None:
    judge = DISCRIMINATORS[network]([1, *size], width=16)  # type: ignore[call-arg]
    x = torch.ones(2, 1, *size)
    assert torch.equal(seen_first(judge, x), Pad(size, Canvas.of(size, 8, 64, "this").whole)(x))


@pytest.mark.parametrize(("size", "rows", "columns"), [((28, 28), (2, 30), (2, 30)), ((28, 38), (2, 30), (1, 39))])
@pytest.mark.parametrize("network", [DCGANGenerator, ResNetGenerator])
def test_generators_give_the_centre_of_their_canvas(
    network: type[DCGANGenerator], size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    generator = network([1, *size], 8, width=16).eval()
    noise = torch.randn(2, 8)
    whole = generator.net[:-1](noise)
    assert torch.equal(generator(noise), whole[..., slice(*rows), slice(*columns)])


@pytest.mark.parametrize("size", [(28, 28), (28, 36)])
@pytest.mark.parametrize("network", ["dcgan", "resnet"])
@pytest.mark.parametrize("conditioning", ["concat", "embedding"])
def test_labels_fill_the_canvas(network: str, conditioning: str, size: tuple[int, int]) -> None:
    """The border is black in the image alone: in a label's maps -1 would be no label."""
    make = partial(DISCRIMINATORS[network], width=16)
    judge = ConditionalDiscriminator(make, [1, *size], 10, conditioning).eval()  # type: ignore[arg-type]
    label = torch.tensor([3, 7])
    x, canvas = torch.ones(2, 1, *size), Canvas.of(size, 8, 64, "this").whole
    seen = seen_first(judge, x, label=label)
    assert torch.equal(seen[:, :1], Pad(size, canvas)(x))
    if conditioning == "concat":
        wanted = nn.functional.one_hot(label, 10)[:, :, None, None].expand(-1, -1, *canvas).float()
    else:
        wanted = judge.embedding(label).view(2, 1, *canvas)
    assert torch.equal(seen[:, 1:], wanted)


@pytest.mark.parametrize("size", [(64, 96), (96, 64), (16, 40), (28, 36)])
@pytest.mark.parametrize("network", list(GENERATORS))
def test_networks_take_images_that_are_not_square(network: str, size: tuple[int, int]) -> None:
    shape = [3, *size]
    generator: Generator = GENERATORS[network](shape, 10, **SMALL[network])  # type: ignore[arg-type]
    images = generator(torch.randn(2, 10))
    assert images.shape == (2, *shape)
    judge = DISCRIMINATORS[network](shape, **SMALL[network])  # type: ignore[arg-type]
    assert judge(images).shape == (2,)
    told = ConditionalGenerator(partial(GENERATORS[network], shape, **SMALL[network]), 10, 3, "concat")  # type: ignore[arg-type]
    assert told(torch.randn(2, 10), torch.tensor([0, 2])).shape == (2, *shape)


@pytest.mark.parametrize("stem", ["conv", "linear"])
@pytest.mark.parametrize("upsample", ["transposed", "nearest", "pixelshuffle"])
def test_every_stem_and_upsampling_of_dcgan_makes_4x6_grow_to_64x96(stem: str, upsample: str) -> None:
    generator = DCGANGenerator([3, 64, 96], 10, width=2, stem=stem, upsample=upsample)  # type: ignore[arg-type]
    sizes: list[tuple[int, ...]] = []
    for layer in generator.net:
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[2:])))
    assert generator(torch.randn(2, 10)).shape == (2, 3, 64, 96)
    assert sizes == [(4, 6), (8, 12), (16, 24), (32, 48)]


def test_the_residual_discriminator_halves_down_to_8_by_12() -> None:
    judge = ResNetDiscriminator([3, 64, 96], width=16)
    assert judge.trunk[:-1](torch.randn(2, 3, 64, 96)).shape == (2, 16, 8, 12)
    assert PooledDiscriminator([3, 16, 40], width=2)(torch.randn(2, 3, 16, 40)).shape == (2,)
