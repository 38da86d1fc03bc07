"""Networks that make a picture of a picture, and what they make of pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gantrain.networks.network import Generator

OVERLAP = 4
"""Tiles overlap by a fourth of their side on each side."""
PROBED = 64
"""The side of the picture on which memory is measured, at least."""


class Translator(Generator):
    """Pictures (N, C', H, W) to pictures (N, C, H, W), both in [-1, 1], of any sides that are multiples of `multiple`.

    Attributes:
        channels: C', of what it is given.
        multiple: of which sides must be multiples.
    """

    channels: int
    multiple: int = 1

    @property
    def least(self) -> int:
        """The least side of a picture: layers that mirror borders need more of a map than what they add to it."""
        borders = [max(layer.padding) for layer in self.modules() if isinstance(layer, nn.ReflectionPad2d)]
        least = max(2 * self.multiple, max(borders) + 1) if borders else self.multiple
        return -(-least // self.multiple) * self.multiple


def translate(network: Translator, x: Tensor, tile: int | None = None) -> Tensor:
    """What the network makes of a picture x (1, C', H, W) of any size: (1, C, H, W) float32 on the CPU.

    The picture is mirrored over its lower and right borders up to the multiple and the least side that the network
    needs, and the result cropped back.

    Args:
        tile: side of the squares in which it is made where it is larger than one; they overlap and fade into each
            other. None makes it in one piece.
    """
    height, width = x.shape[2:]
    x = mirrored(mirrored(x, 2, network.multiple, network.least), 3, network.multiple, network.least)
    whole = x.shape[2:]
    tile = None if tile is None else max(tile, network.least)
    if tile is None or max(whole) <= tile:
        return network(x).float().cpu()[:, :, :height, :width]
    tile = tile // network.multiple * network.multiple
    total, weight = torch.zeros(()), torch.zeros(1, 1, *whole)
    for top, tall in _places(whole[0], tile, network.multiple):
        for left, wide in _places(whole[1], tile, network.multiple):
            here = (..., slice(top, top + tall), slice(left, left + wide))
            made = network(x[here]).float().cpu()
            if total.dim() == 0:
                total = torch.zeros(1, made.shape[1], *whole)
            fade = _fade(tall, top, whole[0])[:, None] * _fade(wide, left, whole[1])
            total[here] += made * fade
            weight[here] += fade
    return (total / weight)[:, :, :height, :width]


def needs_pairs(shape: list[int], input_shape: list[int] | None) -> list[int]:
    """The shape [C', H, W] of what a network is given, where it makes pictures [C, H, W] of pictures.

    Raises:
        ValueError: there is nothing to be given, or it has another size.
    """
    if input_shape is None:
        raise ValueError(
            "this game needs pairs of pictures: use dataset=digits_pairs, or dataset=paired_folder dataset.path=…, "
            "which makes them of plain pictures too (dataset.degrade=grey)"
        )
    if input_shape[1:] != shape[1:]:
        raise ValueError(f"both pictures of a pair have one size here, but these have shapes {input_shape} and {shape}")
    return input_shape


def mirrored(x: Tensor, dim: int, multiple: int, least: int = 1) -> Tensor:
    """x lengthened along a dimension to a multiple that is at least `least`, by its own mirror image.

    It is mirrored over and over where it is that short.
    """
    there = x.shape[dim]
    length = -(-max(there, least) // multiple) * multiple
    if there == length:
        return x
    period = max(2 * there - 2, 1)
    place = torch.arange(length, device=x.device) % period
    return x.index_select(dim, torch.where(place < there, place, period - place))


def _places(side: int, tile: int, multiple: int) -> Iterator[tuple[int, int]]:
    """Where tiles along a side begin, and how long they are; the last one ends with the side."""
    if side <= tile:
        yield 0, side
        return
    stride = max((tile - tile // OVERLAP) // multiple, 1) * multiple
    for start in range(0, side, stride):
        yield min(start, side - tile), tile
        if start + tile >= side:
            return


def _fade(length: int, start: int, side: int) -> Tensor:
    """Weights (length,) of a tile along a side: they rise over the overlap from near 0 to 1, but not at the border."""
    ramp = max(length // OVERLAP, 1)
    rising = (torch.arange(length) + 1) / (ramp + 1)
    weights = torch.ones(length)
    if start > 0:
        weights = weights.minimum(rising)
    return weights.minimum(rising.flip(0)) if start + length < side else weights


def bytes_per_pixel(network: Translator, device: torch.device) -> float:
    """Memory that a picture's pixel takes, at most: that of every map which the layers make."""
    side, made = -(-PROBED // network.multiple) * network.multiple, 0

    def count(layer: nn.Module, given: object, out: object) -> None:
        nonlocal made
        made += out.numel() * out.element_size() if isinstance(out, Tensor) else 0

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if not list(layer.children())]
    try:
        network(torch.zeros(1, network.channels, side, side, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return made / side**2
