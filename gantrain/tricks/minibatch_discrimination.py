"""Minibatch discrimination: the discriminator sees how close the samples of a batch are to each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gantrain import shares
from gantrain.ranges import WIDTH, within
from gantrain.tricks.base import Trick
from gantrain.tricks.inserting import insert_before, named_layer
from gantrain.tricks.interface import GameInterface, RunPlan


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
        kernels = shares.gathered(self.kernels(x))
        size = self.group_size or len(kernels)
        m = kernels.view(-1, size, self.num_kernels, self.kernel_dim).permute(3, 0, 2, 1).contiguous()
        distance = (m[..., :, None] - m[..., None, :]).abs().sum(0)  # (groups, kernels, size, size)
        closeness = torch.exp(-distance).sum(-1)  # each sample's distance to itself is 0 and adds 1, as in the paper
        closeness = shares.own(closeness.transpose(1, 2).reshape(-1, self.num_kernels))
        return torch.cat([x, closeness.to(x.dtype)], 1)


def check_groups(name: str, plan: RunPlan, group_size: int | None) -> None:
    """Whether a batch is whole groups, and no group falls into parts.

    Raises:
        ValueError: it is not.
    """
    if group_size is None:
        plan.needs_whole_batch(f"{name} compares the whole batch", f", or tricks.{name}.group_size to a part's size")
    elif plan.packs % group_size:
        raise ValueError(
            f"{name}.group_size={group_size} does not part {plan.packs} samples into whole groups of two or more: "
            "choose a divisor of trainer.batch_size / trainer.accumulate, counted in packs where packing is used"
        )


class MinibatchDiscrimination(Trick):
    """Puts a `MinibatchLayer` before a linear layer of each discriminator.

    Args:
        num_kernels, kernel_dim: 5 and 3 in the 1-D demo (AYLIEN).
        layer: the name of the linear layer that sees the closeness too, as `debug=dry` lists it; default: the last.
        group_size: samples that are compared with each other; default: the whole batch.
        instead: the name of a hidden block of the discriminator in whose place the layer stands.

    Raises:
        ValueError: there are no kernels, a group is no group, or there is no such layer.
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
        within(WIDTH, num_kernels=num_kernels, kernel_dim=kernel_dim)
        within("[2, inf)", group_size=group_size)
        self.num_kernels, self.kernel_dim, self.layer = num_kernels, kernel_dim, layer
        self.group_size, self.instead = group_size, instead

    def setup(self, game: GameInterface) -> None:
        inserted: dict[nn.Module, nn.Module] = {}
        for name in game.discriminators:
            self._insert(game.get_submodule(name), inserted)

    def check(self, plan: RunPlan) -> None:
        check_groups("minibatch_discrimination", plan, self.group_size)

    def _insert(self, discriminator: nn.Module, inserted: dict[nn.Module, nn.Module]) -> None:
        old = named_layer(discriminator, self.layer, (nn.Linear,), "minibatch_discrimination")
        assert isinstance(old, nn.Linear)
        inside = old.in_features if self.instead is None else self._remove(discriminator, self.instead)
        layer = MinibatchLayer(inside, self.num_kernels, self.kernel_dim, self.group_size)
        insert_before(discriminator, self.layer, layer, inside, self.num_kernels, inserted)

    def _remove(self, discriminator: nn.Module, name: str) -> int:
        block = dict(discriminator.named_modules()).get(name)
        inside = next((m for m in block.modules() if isinstance(m, nn.Linear)), None) if block is not None else None
        if inside is None:
            raise ValueError(f"minibatch_discrimination: the discriminator has no linear block {name!r} to replace")
        discriminator.set_submodule(name, nn.Identity())
        return inside.in_features
