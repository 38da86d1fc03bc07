"""The vision transformer of DINOv2, laid out as its published weights are."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 64
"""Dimensions of an attention head, in all of the published networks."""
OFFSET = 0.1
"""Added to the number of patches along a side when positions are scaled, as in the published code."""


class VisionTransformer(nn.Module):
    """Pictures (N, 3, S, S) to the class token (N, size) of DINOv2 (Oquab et al. 2024, arXiv 2304.07193).

    Args:
        size: dimensions of a token.
        depth: blocks.
        patch: side of a patch.
        places: positions that were learnt, with that of the class token.
    """

    def __init__(self, size: int, depth: int, patch: int, places: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, size, patch, patch)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size))
        self.mask_token = nn.Parameter(torch.zeros(1, size))  # of the pretraining: stands in the file, hides nothing
        self.pos_embed = nn.Parameter(torch.zeros(1, places, size))
        self.blocks = nn.ModuleList(_Block(size) for _ in range(depth))
        self.norm = nn.LayerNorm(size, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.patch_embed["proj"](x)
        positions = self._positions(grid.shape[-2:])
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), grid.flatten(2).mT], 1) + positions
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]

    def _positions(self, shape: torch.Size) -> Tensor:
        """The learnt positions, scaled to this many patches."""
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        own, learnt = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        if tuple(shape) == (side, side):
            return self.pos_embed
        scale = tuple((length + OFFSET) / side for length in shape)
        learnt = learnt.mT.unflatten(2, (side, side))
        learnt = F.interpolate(learnt, scale_factor=scale, mode="bicubic", recompute_scale_factor=False)
        return torch.cat([own, learnt.flatten(2).mT], 1)

    @classmethod
    def from_weights(cls, tensors: Mapping[str, Tensor]) -> VisionTransformer:
        """The network that these weights belong to.

        Raises:
            KeyError, ValueError, RuntimeError: they belong to none.
        """
        size, _, patch, _ = tensors["patch_embed.proj.weight"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        if depth > 100 or size % HEAD:
            raise ValueError(f"{depth} blocks of {size} dimensions")
        network = cls(size, depth, patch, tensors["pos_embed"].shape[1])
        network.load_state_dict(dict(tensors))
        return network


class _Block(nn.Module):
    """Attention, then two linear layers, each normed before, scaled after and added."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(size, 3 * size), "proj": nn.Linear(size, size)})
        self.ls1 = _Scale(size)
        self.norm2 = nn.LayerNorm(size, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(size, 4 * size), "fc2": nn.Linear(4 * size, size)})
        self.ls2 = _Scale(size)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self._attend(self.norm1(x)))
        return x + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))

    def _attend(self, x: Tensor) -> Tensor:
        queries, keys, values = self.attn["qkv"](x).unflatten(2, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(queries, keys, values)
        return self.attn["proj"](seen.transpose(1, 2).flatten(2))


class _Scale(nn.Module):
    """A learnt factor for each dimension."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
