"""Shapes, sizes and independence of samples."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from gantrain.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    Noise,
    PooledDiscriminator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from gantrain.networks.layers import Norm, samples_meet, spectrally_normalise
from gantrain.networks.mlp import FourierFeatures


@pytest.mark.parametrize("size", [8, 16, 28, 32, 48, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_sizes(size: int, channels: int) -> None:
    shape = [channels, size, size]
    images = DCGANGenerator(shape, 10, width=2)(torch.randn(3, 10))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(shape, width=2)(images).shape == (3,)
    assert DCGANDiscriminator(shape, width=2, discriminator="patch")(images).dim() == 2


def test_fourier_features_are_sines_and_cosines_an_octave_apart() -> None:
    found = FourierFeatures(2)(torch.tensor([[0.5, 1.0]]))
    wanted = [0.5, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0, 1.0]  # x, sin πx, sin 2πx, cos πx, cos 2πx
    torch.testing.assert_close(found, torch.tensor([wanted]), atol=1e-6, rtol=0)
    assert MLPDiscriminator([2], [8], octaves=2)(torch.randn(3, 2)).shape == (3,)
    assert MLPGenerator([2], 4, [8], octaves=3)(torch.randn(3, 4)).shape == (3, 2)


@pytest.mark.parametrize("size", [16, 28, 32, 64, 128])
def test_resnet_sizes(size: int) -> None:
    shape = [3, size, size]
    images = ResNetGenerator(shape, 10, width=16)(torch.randn(2, 10))
    assert images.shape == (2, *shape)
    assert ResNetDiscriminator(shape, width=16)(images).shape == (2,)


@pytest.mark.parametrize("size", [8, 28, 64])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_infogan_sizes(size: int, norm: Norm) -> None:
    images = InfoGANGenerator([3, size, size], 10, hidden=8, width=2, norm=norm)(torch.randn(3, 10))
    assert images.shape == (3, 3, size, size)
    assert images.abs().max() <= 1
    judge = InfoGANDiscriminator([3, size, size], hidden=8, width=2, norm=norm)
    assert judge(images).shape == (3,)
    assert judge.feature_count == 8
    assert samples_meet(judge) == (norm == "batch")


@pytest.mark.parametrize(("first", "norms"), [(True, 2), (False, 1)])
def test_the_norm_may_leave_out_the_first_layer(first: bool, norms: int) -> None:
    network = MLPDiscriminator([2], [4, 5], norm="batch", norm_first=first)
    widths = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
    assert widths == [4, 5][-norms:]


@pytest.mark.parametrize("size", [16, 28, 32])
def test_pooled_is_the_papers(size: int) -> None:
    """Li et al. 2017: 32, 64, 64, 128 and 128 maps, a mean over all places."""
    network = PooledDiscriminator([1, size, size])
    assert [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)] == [32, 64, 64, 128, 128]
    x = torch.rand(4, 1, size, size)
    assert network(x).shape == (4,)
    assert network.features(x).shape == (4, 128)


def test_dcgan_is_the_papers() -> None:
    """At 64x64 with width 128 and a linear stem: 100 to 1024x4x4, then 512, 256, 128 and 3 channels."""
    generator = DCGANGenerator([3, 64, 64], 100, width=128, stem="linear")
    widths = [m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    linear = next(m for m in generator.modules() if isinstance(m, nn.Linear))
    assert (linear.out_features, widths) == (1024 * 16, [512, 256, 128, 3])


@pytest.mark.parametrize("upsample", ["transposed", "nearest", "pixelshuffle"])
@pytest.mark.parametrize("stem", ["conv", "linear"])
def test_dcgan_variants(upsample: str, stem: str) -> None:
    generator = DCGANGenerator([1, 16, 16], 10, width=2, stem=stem, upsample=upsample)  # type: ignore[arg-type]
    assert generator(torch.randn(2, 10)).shape == (2, 1, 16, 16)


@pytest.mark.parametrize("shape", [[1], [2], [1, 8, 8]])
def test_mlp_shapes(shape: list[int]) -> None:
    samples = MLPGenerator(shape, 4, [8, 8])(torch.randn(5, 4))
    assert samples.shape == (5, *shape)
    assert MLPDiscriminator(shape, [8])(samples).shape == (5,)


def test_mlp_is_bounded_on_images_and_free_on_numbers() -> None:
    noise = torch.randn(64, 4) * 1e4
    assert MLPGenerator([1, 2, 2], 4, [8])(noise).abs().max() <= 1
    assert MLPGenerator([2], 4, [8])(noise).abs().max() > 1


@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
def test_samples_meet_only_in_batch_norm(norm: str) -> None:
    """The flag tells the truth: the gradient of one logit with respect to another sample is zero or not."""
    torch.manual_seed(0)
    discriminator = DCGANDiscriminator([1, 16, 16], width=4, norm=norm)  # type: ignore[arg-type]
    x = torch.randn(3, 1, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(x)[0], x)
    others = gradient[1:].abs().max().item()
    assert samples_meet(discriminator) == (norm == "batch")
    assert (others > 0) == (norm == "batch")


@pytest.mark.parametrize("network", [DCGANDiscriminator, InfoGANDiscriminator])
def test_auto_norm_follows_the_loss(network: type[Discriminator]) -> None:
    assert network.auto("norm", [1, 16, 16], per_sample=True) == "layer"
    assert network.auto("norm", [1, 16, 16], per_sample=False) == "batch"
    with pytest.raises(ValueError, match="no automatic value"):
        network.auto("width", [1, 16, 16], per_sample=True)


def test_images_only() -> None:
    with pytest.raises(ValueError, match="set networks=mlp"):
        DCGANGenerator([2], 10)
    with pytest.raises(ValueError, match="16 pixels or more"):
        PooledDiscriminator([1, 8, 8])
    with pytest.raises(ValueError, match="image_size"):
        ResNetGenerator([3, 8, 8], 10)
    with pytest.raises(ValueError, match="fours"):
        InfoGANDiscriminator([1, 30, 30])


def test_spectral_norm_bounds_every_layer() -> None:
    torch.manual_seed(0)
    network = MLPDiscriminator([2], [16, 16])
    spectrally_normalise(network)
    spectrally_normalise(network)  # a second time changes nothing
    for _ in range(50):
        network(torch.randn(4, 2))
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            assert torch.linalg.svdvals(layer.weight)[0].item() == pytest.approx(1.0, abs=1e-3)
    names = [name for name, _ in network.named_modules() if name.endswith("weight.0")]
    assert len(names) == 3


def test_noise() -> None:
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    assert Noise(3).sample(4, cpu).shape == (4, 3)
    uniform = Noise(2, "uniform").sample(1000, cpu)
    assert -1 <= uniform.min() < -0.9
    assert 0.9 < uniform.max() < 1
    spaced = Noise(1, "stratified", range=8, jitter=0.01).sample(9, cpu).squeeze(1)
    assert ((spaced - torch.linspace(-8, 8, 9)) >= 0).all()
    assert ((spaced - torch.linspace(-8, 8, 9)) < 0.01).all()
    with pytest.raises(ValueError, match="dim=1"):
        Noise(2, "stratified")


@pytest.mark.parametrize(("kind", "low", "high"), [("normal", -1e3, 1e3), ("uniform", -1, 1), ("stratified", -8, 8.01)])
def test_numbers_are_put_where_noise_lies(
    kind: Literal["normal", "uniform", "stratified"], low: float, high: float
) -> None:
    bound = Noise(1, kind, range=8, jitter=0.01).bound(torch.linspace(-1e3, 1e3, 101)[:, None])
    assert (bound[0].item(), bound[-1].item()) == pytest.approx((low, high))
    assert (bound.diff(dim=0) >= 0).all()
