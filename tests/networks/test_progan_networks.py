"""ProGAN's layers, and what grows out of what."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gantrain.networks import ProGANDiscriminator, ProGANGenerator
from gantrain.networks.layers import StddevLayer
from gantrain.networks.progan import PixelNorm, doubled, equalise
from gantrain.networks.resampling import UpConv2d


def pair(side: int = 32, channels: int = 3) -> tuple[ProGANGenerator, ProGANDiscriminator]:
    torch.manual_seed(0)
    shape = [channels, side, side]
    return ProGANGenerator(shape, 8, width=4, most=16), ProGANDiscriminator(shape, width=4, most=16)


def moved(network: nn.Module) -> None:
    """Weights and biases that are not those of the start."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


@pytest.mark.parametrize(("layer", "inputs"), [(nn.Linear(50, 400), 50), (UpConv2d(30, 20), 270)])
def test_weights_are_drawn_from_n01_and_divided_when_they_are_used(layer: nn.Linear | UpConv2d, inputs: int) -> None:
    """Karras et al. 2017, section 4.1: ŵ = w / c with He's constant c, whose inverse is √(2 / fan-in)."""
    torch.manual_seed(0)
    equalised = equalise(layer)
    raw = equalised.parametrizations["weight"].original  # type: ignore[index,union-attr]
    assert isinstance(raw, nn.Parameter)
    assert raw.std().item() == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(equalised.weight, raw * math.sqrt(2 / inputs))
    assert not equalised.bias.any()
    assert {name for name, _ in equalised.named_parameters()} == {"bias", "parametrizations.weight.original"}


def test_one_step_of_adam_moves_every_layer_by_the_same_share() -> None:
    """What equalised rates are for: the update does not know how many inputs a layer has, but its weights do."""
    shares = []
    for inputs in (10, 1000):
        layer = equalise(nn.Linear(inputs, 64))
        before = layer.weight.detach().clone()
        layer(torch.randn(16, inputs)).square().mean().backward()
        torch.optim.Adam(layer.parameters(), 1e-3, (0.0, 0.99)).step()
        shares.append(((layer.weight - before).norm() / before.norm()).item())
    assert shares[0] == pytest.approx(shares[1], rel=0.05)


def test_the_features_of_a_place_have_a_mean_square_of_one() -> None:
    x = 7 * torch.randn(4, 6, 3, 3)
    torch.testing.assert_close(PixelNorm()(x).square().mean(1), torch.ones(4, 3, 3))
    torch.testing.assert_close(PixelNorm()(x[:, :, 0, 0]).norm(dim=1), torch.full((4,), math.sqrt(6)))


def test_noise_is_put_on_a_sphere() -> None:
    generator, _ = pair()
    noise = torch.randn(5, 8)
    torch.testing.assert_close(generator(noise), generator(3 * noise), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_that_begins_to_fade_in_changes_nothing(level: int) -> None:
    """At α = 0 G makes doubled pictures of the former level, and D of pictures what it made of their means."""
    generator, discriminator = pair()
    moved(generator)
    moved(discriminator)
    noise, start = torch.randn(8, 8), torch.zeros(())
    former = generator(noise, level=level - 1)
    assert torch.equal(generator(noise, level=level, fade=start), doubled(former))
    x = torch.randn(8, 3, 4 * 2**level, 4 * 2**level)
    assert torch.equal(discriminator.score(x, fade=start)[0], discriminator(F.avg_pool2d(x, 2)))
    assert torch.equal(discriminator.score(doubled(former), fade=start)[0], discriminator(former))


@torch.no_grad()
def test_a_level_that_has_faded_in_is_there() -> None:
    generator, discriminator = pair()
    noise, end, half = torch.randn(8, 8), torch.ones(()), torch.tensor(0.5)
    new, former = generator(noise, level=2), doubled(generator(noise, level=1))
    torch.testing.assert_close(generator(noise, level=2, fade=end), new)
    torch.testing.assert_close(generator(noise, level=2, fade=half), (new + former) / 2)
    torch.testing.assert_close(discriminator.score(new, fade=end)[0], discriminator(new))


@torch.no_grad()
@pytest.mark.parametrize(("shape", "smallest"), [([3, 8, 8], [4, 4]), ([1, 28, 28], [4, 4]), ([3, 96, 64], [6, 4])])
def test_sizes(shape: list[int], smallest: list[int]) -> None:
    generator, discriminator = ProGANGenerator(shape, 8, 4, 16), ProGANDiscriminator(shape, 4, 16)
    made = generator(torch.randn(4, 8))
    assert list(made.shape[1:]) == shape
    assert discriminator(made).shape == (4,)
    coarse = generator(torch.randn(4, 8), level=0)
    assert list(coarse.shape[2:]) == smallest
    assert discriminator(coarse).shape == (4,)


def test_channels_are_the_papers() -> None:
    """Karras et al. 2017, table 2: 512 channels up to 32x32, and half as many for each doubling beyond."""
    with torch.device("meta"):
        generator, discriminator = ProGANGenerator([3, 1024, 1024], 512), ProGANDiscriminator([3, 1024, 1024])
    assert [layer.in_channels for layer in generator.to_picture] == [512, 512, 512, 512, 256, 128, 64, 32, 16]  # type: ignore[union-attr]
    of_pictures = discriminator.get_submodule("trunk.0.from_picture")
    assert [part[0].out_channels for part in of_pictures][-2:] == [32, 16]  # type: ignore[index,union-attr]
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(23.1e6, rel=0.01)
    assert sum(p.numel() for p in discriminator.parameters()) == pytest.approx(23.1e6, rel=0.01)


def test_the_spread_of_groups_is_seen() -> None:
    _, discriminator = pair()
    x = torch.randn(8, 3, 8, 8)

    def logits(others: Tensor) -> Tensor:
        return discriminator(torch.cat([x[:1], others]))[0]

    assert logits(x[1:]) != logits(x[:1].expand(7, -1, -1, -1))
    alone = ProGANDiscriminator([3, 32, 32], 4, 16, group_size=0)
    torch.testing.assert_close(alone(x)[:1], alone(x[:1]))
    assert not any(isinstance(part, StddevLayer) for part in alone.modules())
    with pytest.raises(ValueError, match="group_size=1 has no spread: use 2 or more"):
        ProGANDiscriminator([3, 32, 32], group_size=1)


def test_sizes_that_are_too_small_or_too_large_are_refused() -> None:
    for side in (4, 2048):
        with pytest.raises(ValueError, match="networks=progan works on images of side 8 to 1024"):
            ProGANGenerator([3, side, side], 8)
    with pytest.raises(ValueError, match="networks=progan works on images, but here are points"):
        ProGANDiscriminator([2])
