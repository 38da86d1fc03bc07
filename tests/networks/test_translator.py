"""Pictures of any size through a translating network: mirrored up to what it needs, cropped back, whole or in tiles."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gantrain.networks import ResNetTranslator
from gantrain.networks.translator import Translator, bytes_per_pixel, mirrored, translate


class Squares(Translator):
    """Means over squares of four pixels, blown up again: each depends on its own square alone."""

    channels, multiple = 2, 4

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.sizes = nn.AvgPool2d(4), [(0, 0)]

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        assert not x.shape[2] % 4
        assert not x.shape[3] % 4
        self.sizes.append((x.shape[2], x.shape[3]))
        return self.layer(x).repeat_interleave(4, 2).repeat_interleave(4, 3)


class Local(Translator):
    """A convolution, which at the border of a tile sees zeros instead of what lies beyond."""

    channels = 1

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.layer(x)


@pytest.mark.parametrize("size", [(8, 8), (9, 30), (1, 1), (3, 50), (41, 17)])
@pytest.mark.parametrize("tile", [None, 1, 8, 12, 20])
def test_any_size_in_any_tiles(size: tuple[int, int], tile: int | None) -> None:
    network, x = Squares(), torch.randn(1, 2, *size)
    expected = network(mirrored(mirrored(x, 2, 4), 3, 4))[:, :, : size[0], : size[1]]
    torch.testing.assert_close(translate(network, x, tile), expected)
    if tile is not None:
        assert max(max(seen) for seen in network.sizes[2:]) <= max(tile, 4)


@pytest.mark.parametrize("halvings", [0, 1, 2])
@pytest.mark.parametrize("size", [(1, 1), (3, 9), (4, 4), (5, 30)])
@pytest.mark.parametrize("tile", [None, 1, 4])
def test_layers_that_mirror_borders_take_the_smallest_pictures_and_tiles(
    halvings: int, size: tuple[int, int], tile: int | None
) -> None:
    network = ResNetTranslator([1, 16, 16], width=1, blocks=1, halvings=halvings)
    made = translate(network, torch.randn(1, 1, *size), tile)
    assert made.shape == (1, 1, *size)
    assert made.isfinite().all()


def test_tiles_fade_into_each_other() -> None:
    """No step is seen where tiles meet: what differs from one piece is less than what a hard edge would show."""
    network = Local()
    nn.init.constant_(network.layer.weight, 1 / 9)
    nn.init.zeros_(network.layer.bias)
    with torch.no_grad():
        whole, tiled = translate(network, torch.ones(1, 1, 64, 40)), translate(network, torch.ones(1, 1, 64, 40), 32)
    assert (whole - tiled).abs().max() < 1 / 3 / 4
    assert not torch.equal(whole, tiled)


def test_a_short_side_is_mirrored_over_and_over() -> None:
    x = torch.arange(3.0)[None, None, None]
    assert mirrored(x, 3, 8).flatten().tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert mirrored(x[..., :1], 3, 3).flatten().tolist() == [0, 0, 0]


def test_memory_is_that_of_all_maps() -> None:
    network = nn.Sequential(nn.Conv2d(1, 5, 1), nn.Conv2d(5, 2, 2, 2))
    local = Local()
    local.layer = network  # type: ignore[assignment]
    assert bytes_per_pixel(local, torch.device("cpu")) == 4 * (5 + 2 / 4)
