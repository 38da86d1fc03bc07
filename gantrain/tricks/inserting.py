"""Layers put before the one that judges."""

from __future__ import annotations

from collections.abc import MutableMapping

import torch
from torch import nn

from gantrain.networks.layers import has_spectral_norm, spectrally_normalise

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
        wider = nn.Conv2d(inside + extra, old.out_channels, size, stride, padding, bias=bias)  # type: ignore[arg-type]
    if before == inside:
        with torch.no_grad():
            wider.weight[:, :inside] = old.weight
            if wider.bias is not None and old.bias is not None:
                wider.bias.copy_(old.bias)
    inserted[old] = nn.Sequential(layer, wider)
    if has_spectral_norm(old):
        spectrally_normalise(inserted[old])
    discriminator.set_submodule(name, inserted[old])
