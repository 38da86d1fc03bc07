"""Layers put before the one that judges."""

from __future__ import annotations

from collections.abc import MutableMapping

import torch
from torch import nn

from gantrain.networks.layers import has_spectral_norm, spectrally_normalise
from gantrain.networks.resampling import DownConv2d, UpConv2d

WeightedLayer = nn.Linear | nn.Conv2d


def named_layer(discriminator: nn.Module, name: str, kinds: tuple[type[nn.Module], ...], trick: str) -> WeightedLayer:
    """The layer of that name.

    Raises:
        ValueError: there is none of these kinds.
    """
    names = dict(discriminator.named_modules())
    found = names.get(name)
    if not isinstance(found, kinds):
        have = ", ".join(n for n, m in names.items() if isinstance(m, kinds)) or "none here"
        wanted = " or ".join("linear" if kind is nn.Linear else "convolution" for kind in kinds)
        raise ValueError(
            f"{trick} stands before a {wanted} layer, which {name!r} is not: set tricks.{trick}.layer to one of {have}"
        )
    assert isinstance(found, (nn.Linear, nn.Conv2d))
    return found


def insert_before(
    discriminator: nn.Module,
    name: str,
    layer: nn.Module,
    inside: int,
    extra: int,
    inserted: MutableMapping[nn.Module, nn.Module],
) -> None:
    """Puts `layer`, which makes `extra` features more out of `inside`, before the layer of that name.

    What the layer saw before keeps its initial weights, and the layer its bias.

    Args:
        inserted: what took the place of layers so far, so that one which several discriminators share stays shared.
    """
    old = discriminator.get_submodule(name)
    if old in inserted:
        discriminator.set_submodule(name, inserted[old])
        return
    assert isinstance(old, (nn.Linear, nn.Conv2d))
    bias = old.bias is not None
    wider: WeightedLayer
    if isinstance(old, nn.Linear):
        before = old.in_features
        wider = nn.Linear(inside + extra, old.out_features, bias)
    else:
        before = old.in_channels
        size, stride, padding = (tuple(x) for x in (old.kernel_size, old.stride, old.padding))
        channels = inside + extra, old.out_channels
        folded = next((kind for kind in (UpConv2d, DownConv2d) if isinstance(old, kind)), None)
        wider = folded(*channels, bias) if folded else nn.Conv2d(*channels, size, stride, padding, bias=bias)  # type: ignore[arg-type]
    if before == inside:
        with torch.no_grad():
            wider.weight[:, :inside] = _of_all_channels(old)
            if wider.bias is not None and old.bias is not None:
                wider.bias.copy_(old.bias)
    inserted[old] = nn.Sequential(layer, wider)
    if has_spectral_norm(old):
        spectrally_normalise(inserted[old])
    discriminator.set_submodule(name, inserted[old])


def _of_all_channels(layer: WeightedLayer) -> torch.Tensor:
    """The layer's weight; of a convolution in groups, with zeros for the channels of other groups."""
    if not isinstance(layer, nn.Conv2d) or layer.groups == 1:
        return layer.weight
    rows = layer.weight.chunk(layer.groups)
    parts = [[row if at == k else torch.zeros_like(row) for at in range(layer.groups)] for k, row in enumerate(rows)]
    return torch.cat([torch.cat(part, 1) for part in parts])
