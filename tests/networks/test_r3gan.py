"""R3GAN's networks: the paper's sizes, the identity at the start, the filter, groups and labels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gantrain.networks import R3GANDiscriminator, R3GANGenerator
from gantrain.networks.r3gan import InvertedBottleneck, LearntMaps, Resample

SMALL: dict[str, Any] = {"width": 8, "blocks": 1, "group_size": 4}


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 64), (16, 40), (28, 36)])
@pytest.mark.parametrize("classes", [None, 3])
def test_sizes(size: tuple[int, int], classes: int | None) -> None:
    shape, label = [3, *size], torch.tensor([0, 2]) if classes else None
    images = R3GANGenerator(shape, 6, classes, **SMALL)(torch.randn(2, 6), label)
    assert images.shape == (2, *shape)
    told = {} if label is None else {"label": label}
    assert R3GANDiscriminator(shape, classes, **SMALL)(images, **told).shape == (2,)


@pytest.mark.parametrize(
    ("size", "classes", "settings", "counts"),
    [
        (32, None, {}, [20_732_160, 20_683_776]),
        (32, 10, {}, [20_781_952, 21_280_512]),
        (64, None, {}, [22_429_824, 22_381_440]),
        (256, None, {}, [23_057_952, 23_009_568]),
        (64, 1000, {"width": 1536, "group_size": 32, "halve_beyond": 64}, [103_570_432, 107_205_120]),
    ],
)
def test_it_is_as_large_as_the_authors_code(
    size: int, classes: int | None, settings: dict[str, Any], counts: list[int]
) -> None:
    """CIFAR-10 without and with labels, FFHQ at 64 and 256, ImageNet at 64: counted in the presets of the code."""
    with torch.device("meta"):
        generator = R3GANGenerator([3, size, size], 64, classes, **settings)
        judge = R3GANDiscriminator([3, size, size], classes, **settings)
    assert [sum(p.numel() for p in network.parameters()) for network in (generator, judge)] == counts


def test_every_block_begins_as_the_identity() -> None:
    torch.manual_seed(0)
    for network in (R3GANGenerator([3, 16, 16], 6, **SMALL), R3GANDiscriminator([3, 16, 16], **SMALL)):
        blocks = [m for m in network.modules() if isinstance(m, InvertedBottleneck)]
        assert len(blocks) == 3
        for block in blocks:
            x = torch.randn(2, 8, 4, 4)
            assert torch.equal(block(x), x)
            assert block.widen.weight.any(), "only the last layer begins as nothing"
            nn.init.ones_(block.narrow.weight)  # type: ignore[arg-type]
            assert not torch.equal(block(x), x)


def test_first_weights_follow_the_depth() -> None:
    """N(0, gain² / fan in), the gain of leaky ReLU times L^(-1/4) for L blocks: fix-up for three layers a block."""
    torch.manual_seed(0)
    network = R3GANGenerator([3, 32, 32], 16, width=64, blocks=2, group_size=16)  # four sizes: L = 8
    block = next(m for m in network.modules() if isinstance(m, InvertedBottleneck))
    gain = math.sqrt(2 / 1.04) * 8**-0.25
    assert block.widen.weight.std().item() == pytest.approx(gain / math.sqrt(64), rel=0.05)
    assert block.mix.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 9), rel=0.05)
    assert block.mix.weight.shape == (128, 16, 3, 3)
    maps = next(m for m in network.modules() if isinstance(m, LearntMaps))
    assert maps.maps.std().item() == pytest.approx(1, rel=0.1)
    assert maps.scale.weight.std().item() == pytest.approx(1 / math.sqrt(16), rel=0.1)


def test_a_block_by_hand() -> None:
    torch.manual_seed(0)
    block, x = InvertedBottleneck(4, 2, 2, 1), torch.randn(1, 4, 3, 3)
    for p in block.parameters():
        nn.init.normal_(p)
    wide = F.leaky_relu(F.conv2d(x, block.widen.weight, block.widen.bias), 0.2)
    apart = [
        F.conv2d(wide[:, k : k + 2], block.mix.weight[k : k + 2], block.mix.bias[k : k + 2], padding=1)
        for k in range(0, 8, 2)
    ]
    wanted = x + F.conv2d(F.leaky_relu(torch.cat(apart, 1), 0.2), block.narrow.weight)
    torch.testing.assert_close(block(x), wanted)


def test_the_filter() -> None:
    """Doubled pixels, or means of two, and [1, 2, 1]/4 along both axes, with nothing beyond the border."""
    torch.manual_seed(0)
    axis = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(axis, axis)[None, None].expand(3, 1, 3, 3)
    x = torch.randn(2, 3, 6, 8)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(Resample(up=True)(x), F.conv2d(doubled, kernel, padding=1, groups=3))
    twos = F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 2, stride=1)  # means of neighbours, one more each way than pixels
    wanted = F.conv2d(twos, kernel, groups=3)
    torch.testing.assert_close(Resample(up=False)(x), wanted[..., ::2, ::2])
    flat = torch.ones(1, 1, 8, 8)
    for up in (True, False):
        assert torch.equal(Resample(up)(flat)[..., 1:-1, 1:-1].unique(), torch.ones(1))


def test_the_smallest_maps_are_learnt_and_scaled() -> None:
    maps, z = LearntMaps(3, 5, (4, 6)), torch.randn(2, 3)
    wanted = torch.einsum("nd,cd,chw->nchw", z, maps.scale.weight, maps.maps)
    torch.testing.assert_close(maps(z), wanted)


def test_labels() -> None:
    """They stand beside the noise, and their product with what the last layer makes is the logit."""
    torch.manual_seed(0)
    generator, judge = R3GANGenerator([1, 16, 16], 6, 3, **SMALL), R3GANDiscriminator([1, 16, 16], 3, **SMALL)
    z, label = torch.randn(2, 6), torch.tensor([0, 2])
    assert generator.embedding is not None
    assert judge.embedding is not None
    beside = torch.cat([z, generator.embedding.weight[label]], 1)
    torch.testing.assert_close(generator(z, label), generator.net(beside))
    x = torch.randn(2, 1, 16, 16)
    logits, features = judge.score(x, label=label)
    wanted = ((features @ judge.head.weight.T) * judge.embedding.weight[label]).sum(1)
    torch.testing.assert_close(logits, wanted)


def test_no_norm_and_bf16_is_finite() -> None:
    generator, judge = R3GANGenerator([3, 16, 16], 6, **SMALL), R3GANDiscriminator([3, 16, 16], **SMALL)
    modules = [*generator.modules(), *judge.modules()]
    assert not [m for m in modules if "Norm" in type(m).__name__]
    with torch.autocast("cpu", torch.bfloat16):
        loss = judge(generator(torch.randn(4, 6) * 5)).float().mean()
    loss.backward()
    found = [p.grad for p in (*generator.parameters(), *judge.parameters()) if p.grad is not None]
    assert found
    assert all(g.isfinite().all() for g in found)


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="group_size=16 does not divide 20, 2 times a width of 10"):
        R3GANGenerator([3, 16, 16], 6, width=10)
