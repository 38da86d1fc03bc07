"""U-Net: the paper's layers, any size, what is handed over, and noise that stays."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantrain.networks import UNetGenerator
from gantrain.networks.unet import NoisyDropout


def test_the_papers_network() -> None:
    """C64-C128-C256-C512-C512-C512-C512-C512 and CD512-CD1024-CD1024-C1024-C1024-C512-C256-C128 (appendix 6.1.1)."""
    network = UNetGenerator([3, 256, 256], [1, 256, 256], width=8)
    down = [m for m in network.modules() if type(m) is nn.Conv2d]
    up = [m for m in network.modules() if type(m) is nn.ConvTranspose2d]
    assert [m.out_channels for m in down] == [8, 16, 32, 64, 64, 64, 64, 64]
    assert [m.in_channels for m in up] == [64, 128, 128, 128, 128, 64, 32, 16]
    assert [m.out_channels for m in up] == [64, 64, 64, 64, 32, 16, 8, 3]
    assert all(m.kernel_size == (4, 4) and m.stride == (2, 2) for m in [*down, *up])
    normed = [any(isinstance(m, nn.InstanceNorm2d) for m in part) for part in (*network.down, *network.up)]
    assert normed == [False, *[True] * 6, False, *[True] * 7, False]
    assert [any(isinstance(m, nn.Dropout) for m in part) for part in network.up] == [True] * 3 + [False] * 5
    with torch.no_grad():
        assert network.train()(torch.randn(1, 1, 256, 256)).shape == (1, 3, 256, 256)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (28, 28), (20, 33), (64, 48), (4, 100)])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_any_size(size: tuple[int, int], norm: str) -> None:
    network = UNetGenerator([3, *size], [2, *size], width=2, norm=norm)  # type: ignore[arg-type]
    x = torch.randn(2, 2, *size)
    made = network(x)
    assert made.shape == (2, 3, *size)
    assert made.abs().max() <= 1
    assert network.multiple == 2 ** (min(size).bit_length() - 1)


def test_each_stage_is_handed_over() -> None:
    """With its deepest place cut, a translation still follows the finest details of what was given."""
    network = UNetGenerator([1, 16, 16], [1, 16, 16], width=4, dropout=0.0)
    x = torch.randn(1, 1, 16, 16, requires_grad=True)
    for stage in range(len(network.down)):
        for part in network.down[stage:]:
            part.register_forward_hook(lambda module, given, out: torch.zeros_like(out))
        assert (torch.autograd.grad(network(x).sum(), x, allow_unused=True)[0] is not None) == (stage > 0)
        for part in network.down:
            part._forward_hooks.clear()


def test_noise_stays_in_samples() -> None:
    x = torch.randn(1, 1, 16, 16)
    for noise in (True, False):
        network = UNetGenerator([1, 16, 16], [1, 16, 16], width=4, noise=noise).eval()
        assert torch.equal(network(x), network(x)) != noise
    assert isinstance(NoisyDropout(0.5), nn.Dropout)
    assert (NoisyDropout(0.5).eval()(torch.ones(1000)) == 0).float().mean().sub(0.5).abs() < 0.1


def test_what_is_no_pair_or_too_deep_is_refused() -> None:
    with pytest.raises(ValueError, match="needs pairs of pictures: use dataset=digits_pairs"):
        UNetGenerator([1, 16, 16], None)
    with pytest.raises(ValueError, match="both pictures of a pair have one size"):
        UNetGenerator([1, 16, 16], [1, 16, 32])
    with pytest.raises(ValueError, match=r"from 2 to 4 times will do, set model\.generator\.stages"):
        UNetGenerator([1, 16, 16], [1, 16, 16], stages=5)
