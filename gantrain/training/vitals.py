"""What observed turns tell of a run's health: a few numbers, gathered on the device beside the losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gantrain.games import Game
from gantrain.training.meter import Meter
from gantrain.training.state import Learner
from gantrain.turns import Batch

MOST = 64
"""Samples whose pairwise distances are taken."""
ENOUGH = 4
"""Samples: a healthy unit can well be 0 for all of fewer."""
ENOUGH_LABELS = 16
"""In a batch, or in the part of it that is played at once: fewer can well be of one class."""
NO_UNITS = (nn.Tanh, nn.Sigmoid, nn.Softmax, nn.MultiheadAttention)
"""Activations that end a network, where saturated ones make samples alike, which diversity shows; and what stands among
torch's activations without being one."""


class Vitals:
    """Adds numbers `health/…` of observed turns to a meter.

    They are: `dead_units/<player>`, the share of units that are the same for every sample of the batch, in that layer
    of the player where it is largest, where it sees at least `ENOUGH` at once;
    `update/<player>`, the norm of an update over that of the parameters;
    `weights/<player>`, the root mean square of the parameters;
    `average_distance/<player>`, the norm of what parts the averaged parameters from the live ones, over theirs;
    `diversity`, the mean distance between two generated samples over that between two real ones; `real_spread`, the
    standard deviation of a real number or pixel over the batch; `largest_class`, the share of the batch's most frequent
    label, where there are at least `ENOUGH_LABELS`.
    """

    def __init__(self, game: Game, meter: Meter) -> None:
        self._game, self._meter = game, meter

    @contextmanager
    def units(self, player: str) -> Iterator[None]:
        """While the player's turn is played, watches the hidden activations of its network."""
        unchanging: dict[nn.Module, Tensor] = {}
        network = self._game.get_submodule(player)
        tokens = not any(isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)) for module in network.modules())

        def look(module: nn.Module, _: object, output: object) -> None:
            if not isinstance(output, Tensor) or output.dim() < 2 or len(output) < ENOUGH:
                return
            now = _unchanging(output.detach(), 2 if tokens and output.dim() == 3 else 1)
            unchanging[module] = unchanging[module] & now if module in unchanging else now

        hooks = [layer.register_forward_hook(look) for layer in _activations(network)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        if unchanging:
            shares = torch.stack([units.float().mean() for units in unchanging.values()])
            self._meter.add(f"health/dead_units/{player}", shares.max())

    @contextmanager
    def update(self, learner: Learner) -> Iterator[None]:
        """While the player is updated, measures how far its parameters move."""
        before = [parameter.detach().clone() for parameter in learner.parameters]
        yield
        now = [parameter.detach() for parameter in learner.parameters]
        self._meter.add(f"health/update/{learner.name}", _relative_distance(now, before))
        count = sum(parameter.numel() for parameter in before)
        self._meter.add(f"health/weights/{learner.name}", nn.utils.get_total_norm(before) / math.sqrt(max(count, 1)))
        game = self._game
        if learner.name in game.averages:
            live = dict(game.get_submodule(learner.name).named_parameters())
            slow = dict(game.averages[learner.name].named_parameters())
            distance = _relative_distance([slow[name] for name in slow], [live[name].detach() for name in slow])
            self._meter.add(f"health/average_distance/{learner.name}", distance)

    def samples(self, batch: Batch) -> None:
        """After a discriminator's turn: looks at what it was shown."""
        fakes, real, labels = self._game.observed_fakes, batch.data.get("real"), batch.data.get("label")
        if real is not None and len(real) > 1:
            self._meter.add("health/real_spread", real.flatten(1).float().var(0).mean().sqrt())
            if fakes is not None and len(fakes) > 1 and fakes.shape[1:] == real.shape[1:]:
                of_real = mean_distance(_spread_out(real)).clamp(min=1e-6)
                self._meter.add("health/diversity", mean_distance(_spread_out(fakes)) / of_real)
        if labels is not None and labels.dim() == 1 and len(labels) >= ENOUGH_LABELS:
            self._meter.add("health/largest_class", (labels[:, None] == labels).float().mean(1).max())


def mean_distance(x: Tensor) -> Tensor:
    """The mean Euclidean distance between two different samples of x (N, …)."""
    return torch.pdist(x.flatten(1).float()).mean()


def _activations(network: nn.Module) -> list[nn.Module]:
    kinds = nn.modules.activation.__name__
    return [m for m in network.modules() if type(m).__module__ == kinds and not isinstance(m, NO_UNITS)]


def _unchanging(x: Tensor, channels: int) -> Tensor:
    """Which units or channels (C,) of x, on this axis, are the same for every sample (axis 0) and at every place."""
    others = [axis for axis in range(x.dim()) if axis != channels]
    return x.amax(others) == x.amin(others)


def _spread_out(x: Tensor) -> Tensor:
    """At most `MOST` samples of a batch, from all over it: neighbours may be of one class, or of one generator."""
    return x[:: max(1, len(x) // MOST)][:MOST]


def _relative_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """‖a - b‖ / ‖b‖."""
    return nn.utils.get_total_norm(torch._foreach_sub(a, b)) / nn.utils.get_total_norm(b).clamp(min=1e-12)
