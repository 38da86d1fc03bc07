"""PatchGAN: what a patch sees, how many there are, and pictures that are too small for one."""

from __future__ import annotations

import pytest
import torch

from gantrain.networks import PatchGANDiscriminator
from gantrain.networks.layers import Norm, has_spectral_norm, samples_meet
from gantrain.networks.patchgan import STAGES, Patch, smallest_side


def _seen(network: PatchGANDiscriminator, side: int) -> tuple[int, int]:
    """Height and width of what the middle logit of a picture depends on."""
    x = torch.zeros(1, 2, side, side, requires_grad=True)
    logits = network(x)
    across = round(logits.shape[1] ** 0.5)
    (slope,) = torch.autograd.grad(logits[0, (across // 2) * (across + 1)], x)
    rows, columns = (slope[0].abs().sum(0).sum(axis) > 0 for axis in (1, 0))
    return int(rows.sum()), int(columns.sum())


@pytest.mark.parametrize("patch", [1, 16, 34, 70, 142])
def test_a_logit_sees_one_patch(patch: Patch) -> None:
    network = PatchGANDiscriminator([2, 512, 512], patch, width=1, norm="none")
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    assert _seen(network, 3 * patch + 32) == (patch, patch)


@pytest.mark.parametrize("patch", STAGES)
@pytest.mark.parametrize("norm", ["instance", "batch", "layer"])
def test_the_smallest_picture_has_one_patch(patch: Patch, norm: Norm) -> None:
    side = smallest_side(patch)
    network = PatchGANDiscriminator([3, side, side + 1], patch, width=1, norm=norm)
    if patch > 1:
        assert network(torch.randn(2, 3, side, side)).shape == (2,)
        with pytest.raises(ValueError, match=f"patches has none on pictures of {side - 1}x{side}.*patch="):
            PatchGANDiscriminator([3, side - 1, side], patch)
    assert samples_meet(network) is (norm == "batch")


def test_the_papers_network() -> None:
    """C64-C128-C256-C512, then one logit for each of 30x30 patches of 256 pixels (appendix 6.1.2)."""
    network = PatchGANDiscriminator([6, 256, 256])
    found = [(m.in_channels, m.out_channels, m.stride[0]) for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert found == [(6, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 1), (512, 1, 1)]
    assert PatchGANDiscriminator([1, 256, 256], width=1)(torch.zeros(1, 1, 256, 256)).shape == (1, 900)
    assert PatchGANDiscriminator([1, 256, 256], 286, width=1)(torch.zeros(1, 1, 256, 256)).shape == (1, 36)


def test_it_slides_over_other_sizes() -> None:
    network = PatchGANDiscriminator([1, 16, 16], 16, width=2)
    assert network(torch.randn(2, 1, 40, 24)).shape == (2, 18 * 10)


def test_spectral_norm_is_on_every_layer() -> None:
    network = PatchGANDiscriminator([1, 32, 32], 16, width=2, spectral_norm=True)
    assert all(has_spectral_norm(m) for m in network.modules() if isinstance(m, torch.nn.Conv2d))
