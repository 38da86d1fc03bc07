"""Minibatch discrimination: the discriminator sees how close the samples of a batch are to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gantrain.networks.layers import spectrally_normalise
from gantrain.tricks.base import Trick

if TYPE_CHECKING:
    from gantrain.games.base import Game


class MinibatchLayer(nn.Module):
    """Features (N, F) to (N, F + num_kernels): o(x_i)_b = Σ_j exp(-‖M_ib - M_jb‖₁) (Salimans et al. 2016, section 3.2).

    M = x·T with T of F x (num_kernels · kernel_dim). The sum runs over the samples of the batch, or of groups of
    `group_size` samples, so that its size does not follow the batch size.
    """

    samples_meet = True

    def __init__(self, features: int, num_kernels: int, kernel_dim: int, group_size: int | None) -> None:
        super().__init__()
        self.num_kernels, self.kernel_dim, self.group_size = num_kernels, kernel_dim, group_size
        self.kernels = nn.Linear(features, num_kernels * kernel_dim, bias=False)
        nn.init.normal_(self.kernels.weight, std=features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        size = self.group_size or len(x)
        if len(x) % size:
            raise ValueError(f"minibatch_discrimination: a batch of {len(x)} is not whole groups of {size}")
        m = self.kernels(x).view(-1, size, self.num_kernels, self.kernel_dim)
        distance = (m[:, :, None] - m[:, None]).abs().sum(-1)  # (groups, size, size, kernels)
        closeness = torch.exp(-distance).sum(2)  # each sample's distance to itself is 0 and adds 1, as in the paper
        return torch.cat([x, closeness.view(-1, self.num_kernels).to(x.dtype)], 1)


class MinibatchDiscrimination(Trick):
    """Puts a `MinibatchLayer` before a linear layer of each discriminator.

    Args:
        num_kernels, kernel_dim: 5 and 3 in the 1-D demo (AYLIEN).
        layer: the name of the linear layer that sees the closeness too, as `debug=dry` lists it; default: the last.
        group_size: samples that are compared with each other; default: the whole batch.
        instead: the name of a hidden block of the discriminator in whose place the layer stands.
    """

    def __init__(
        self,
        num_kernels: int = 5,
        kernel_dim: int = 3,
        layer: str = "head",
        group_size: int | None = None,
        instead: str | None = None,
    ) -> None:
        super().__init__()
        self.num_kernels, self.kernel_dim, self.layer = num_kernels, kernel_dim, layer
        self.group_size, self.instead = group_size, instead

    def setup(self, game: Game) -> None:
        for name in game.discriminators:
            self._insert(game.get_submodule(name))

    def _insert(self, discriminator: nn.Module) -> None:
        names = dict(discriminator.named_modules())
        old = names.get(self.layer)
        if not isinstance(old, nn.Linear):
            linear = ", ".join(n for n, m in names.items() if isinstance(m, nn.Linear)) or "none here"
            raise ValueError(
                f"minibatch_discrimination stands before a linear layer, which {self.layer!r} is not: {linear}"
            )
        features = old.in_features
        if self.instead is not None:
            features = self._take_out(discriminator, names)
        layer = MinibatchLayer(features, self.num_kernels, self.kernel_dim, self.group_size)
        wider = nn.Linear(features + self.num_kernels, old.out_features, bias=old.bias is not None)
        if old.in_features == features:  # what the layer saw before keeps its initial weights
            with torch.no_grad():
                wider.weight[:, :features] = old.weight
        inserted = nn.Sequential(layer, wider)
        if parametrize.is_parametrized(old, "weight"):
            spectrally_normalise(inserted)
        discriminator.set_submodule(self.layer, inserted)

    def _take_out(self, discriminator: nn.Module, names: dict[str, nn.Module]) -> int:
        block = names.get(self.instead or "")
        inside = next((m for m in block.modules() if isinstance(m, nn.Linear)), None) if block is not None else None
        if inside is None:
            raise ValueError(
                f"minibatch_discrimination: the discriminator has no linear block {self.instead!r} to replace"
            )
        discriminator.set_submodule(self.instead or "", nn.Identity())
        return inside.in_features
