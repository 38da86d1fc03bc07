"""The residual network that makes pictures of pictures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gantrain.networks import ResNetTranslator


def test_it_is_the_papers_network() -> None:
    """Appendix 7.2 of Zhu et al. 2017: c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3."""
    network = ResNetTranslator([3, 256, 256])
    convolutions = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    found = [(type(m).__name__, m.out_channels, m.kernel_size[0], m.stride[0]) for m in convolutions]
    blocks = [("Conv2d", 256, 3, 1)] * 18
    down = [("Conv2d", 64, 7, 1), ("Conv2d", 128, 3, 2), ("Conv2d", 256, 3, 2)]
    up = [("ConvTranspose2d", 128, 3, 2), ("ConvTranspose2d", 64, 3, 2), ("Conv2d", 3, 7, 1)]
    assert found == [*down, *blocks, *up]
    norms = [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert len(norms) == len(convolutions) - 1
    weights = torch.cat([m.weight.flatten() for m in convolutions])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)


def test_a_block_adds_to_what_it_is_given() -> None:
    network = ResNetTranslator([1, 16, 16], width=2, blocks=1, halvings=1)
    (block,) = (m for m in network.net if type(m).__name__ == "ResidualBlock")
    last = [m for m in block.net if isinstance(m, nn.InstanceNorm2d)][-1]
    nn.init.zeros_(last.weight)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(x), x), "and nothing comes after the sum"


@pytest.mark.parametrize("size", [(16, 16), (17, 16), (18, 23)])
def test_pictures_keep_their_size_and_samples_do_not_meet(size: tuple[int, int]) -> None:
    network = ResNetTranslator([1, 16, 16], [3, 16, 16], width=2, blocks=1, halvings=2)
    x = torch.randn(3, 3, *size)
    made = network(x)
    assert made.shape == (3, 1, *size)
    assert made.abs().max() <= 1
    torch.testing.assert_close(made[:1], network(x[:1]))
    assert (network.channels, network.multiple) == (3, 4)


@pytest.mark.parametrize(("side", "blocks", "halvings"), [(256, 9, 2), (128, 6, 2), (64, 6, 2), (32, 6, 1)])
def test_blocks_and_halvings_follow_from_the_size(side: int, blocks: int, halvings: int) -> None:
    shape = [3, side, side]
    assert ResNetTranslator.auto("blocks", shape, False) == blocks
    assert ResNetTranslator.auto("halvings", shape, False) == halvings


def test_too_many_halvings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"set a smaller model\.generator\.halvings"):
        ResNetTranslator([3, 12, 12], halvings=2)
