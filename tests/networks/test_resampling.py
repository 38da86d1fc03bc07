"""Folded resampling computes what it stands for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from conftest import round_of
from torch import Tensor, nn

from gantrain.networks.layers import spectrally_normalise
from gantrain.networks.resampling import DownConv2d, UpConv2d
from gantrain.training.state import Progress


def doubled(x: Tensor, conv: nn.Conv2d) -> Tensor:
    return F.conv2d(F.interpolate(x, scale_factor=2), conv.weight, conv.bias, padding=1)


def halved(x: Tensor, conv: nn.Conv2d) -> Tensor:
    return F.avg_pool2d(F.conv2d(x, conv.weight, conv.bias, padding=1), 2)


@pytest.mark.parametrize(("kind", "plain"), [(UpConv2d, doubled), (DownConv2d, halved)])
@pytest.mark.parametrize("size", [(4, 4), (6, 8)])
def test_the_same_as_in_two_steps(
    kind: Callable[[int, int], nn.Conv2d], plain: Callable[[Tensor, nn.Conv2d], Tensor], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    conv = kind(3, 5).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    folded, stepped = conv(x), plain(x, conv)
    assert folded.shape == stepped.shape
    assert torch.allclose(folded, stepped, atol=1e-12)
    over = [x, conv.weight, conv.bias]
    for ours, theirs in zip(*(torch.autograd.grad(y.square().sum(), over) for y in (folded, stepped)), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("kind", [UpConv2d, DownConv2d])
def test_a_penalty_can_be_taken_through_them(kind: Callable[[int, int], nn.Conv2d]) -> None:
    torch.manual_seed(0)
    conv = kind(2, 2).double()

    def norm_of_gradient(x: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(conv(x).square().sum(), x, create_graph=True)
        return slope.square().sum()

    assert torch.autograd.gradcheck(norm_of_gradient, torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("kind", [UpConv2d, DownConv2d])
def test_spectral_norm_is_that_of_the_kernel(kind: Callable[[int, int], nn.Conv2d]) -> None:
    torch.manual_seed(0)
    conv = kind(4, 4)
    holder = nn.Sequential(conv)
    spectrally_normalise(holder)
    for _ in range(50):
        holder(torch.randn(1, 4, 8, 8))
    assert torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2) == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize(("player", "layer"), [("discriminator", "trunk.1.conv2"), ("discriminator", "trunk.2.conv1")])
def test_a_layer_inserted_before_keeps_the_halving(player: str, layer: str) -> None:
    rounds = round_of(
        "model=resnet_small",
        "tricks=[minibatch_stddev]",
        f"tricks.minibatch_stddev.layer={layer}",
        "trainer.batch_size=4",
    )
    rounds.play(Progress())
    assert all(value == value for value in rounds.meter.read().values())
