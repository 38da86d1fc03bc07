"""What must be finite: losses, weights and samples before a checkpoint is called good, gradients before an update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from gantrain.games import Game
from gantrain.sharded import local
from gantrain.training.meter import Meter
from gantrain.training.state import Learner
from gantrain.training.weights import Weights

LARGEST = 2.0**24
"""Of a good weight: beyond it float32 no longer holds every whole number, and no update of a sensible size moves it."""
MOST_SKIPPED = 20
"""So many turns of a player in a row end the run, though turns may be skipped."""


class NotFinite(RuntimeError):
    """A loss, a weight or a sample is no number any more; the message names it."""


def check_losses(numbers: Mapping[str, float], step: int, spoilt: Mapping[str, int]) -> None:
    """Looks at the means of losses since the last reading.

    Args:
        spoilt: how many steps before this one a loss ceased to be a number, as `Meter` has it.

    Raises:
        NotFinite: one is no number; of several that which was the first, where that is known.
    """
    broken = [tag for tag, value in numbers.items() if tag.startswith("loss/") and not math.isfinite(value)]
    if broken:
        first = max(broken, key=lambda tag: spoilt.get(tag, 0))
        when = f"since step {step - spoilt[first]:,}" if first in spoilt else f"by step {step:,}"
        raise NotFinite(f"{first} is not finite {when}")


def check_state(game: Game, learners: Mapping[str, Learner], step: int, placed: Weights) -> None:
    """Looks at parameters, averages, buffers of tricks and the optimizers' state, by one transfer from the device.

    Raises:
        NotFinite: one of them is not finite, or a parameter is larger than `LARGEST`.
    """
    held = dict(_floats(game.named_parameters()))
    weights = len(held)
    held |= _floats(game.named_buffers())
    for name, learner in learners.items():
        for number, state in enumerate(learner.optimizer.state.values()):
            held |= _floats((f"optimizer of {name}, {key} {number}", value) for key, value in state.items())
    found = placed.largest(largest_magnitudes(list(held.values())))
    for place, (name, value) in enumerate(zip(held, found.tolist(), strict=True)):
        if not math.isfinite(value):
            raise NotFinite(f"{name} is not finite by step {step:,}")
        if place < weights and value > LARGEST:
            raise NotFinite(f"{name} has grown to {value:.2g} by step {step:,}")


def check_samples(samples: Tensor) -> None:
    """Raises:
    NotFinite: a generated sample holds what is no number.
    """
    if not bool(samples.isfinite().all()):
        raise NotFinite("not every sample that the generator makes is finite")


def largest_magnitudes(tensors: Sequence[Tensor]) -> Tensor:
    """The largest absolute value of each tensor, or of this process's part of it; NaN where it holds one.

    They are on the device of the first.
    """
    if not tensors:
        return torch.zeros(0)
    parts = [local(tensor) for tensor in tensors]
    norms = torch._foreach_norm([part if part.numel() else part.new_zeros(1) for part in parts], math.inf)
    return torch.stack([norm.to(norms[0].device) for norm in norms])


def _floats(named: Iterator[tuple[str, object]]) -> Iterator[tuple[str, Tensor]]:
    for name, value in named:
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
            yield name, value.detach()


class Skipping:
    """Takes back turns whose gradients are not finite, on the device: the turn was then never made.

    Weights, averages, buffers and the optimizer's state are those from before. The host reads only in turns in which
    something came into being, such as an optimizer's state in the first one.
    """

    def __init__(self, game: Game, device: torch.device) -> None:
        self._game = game
        self._zero = torch.zeros((), dtype=torch.int64, device=device)
        self._in_a_row: dict[str, Tensor] = {}
        self._longest: dict[str, Tensor] = {}
        self._before: dict[tuple[int | None, str], Tensor] = {}

    def begin(self, learner: Learner) -> None:
        """Before the turn."""
        self._before = {key: tensor.clone() for key, tensor in self._held(learner).items()}

    @torch.no_grad()
    def end(self, learner: Learner, finite: Tensor, meter: Meter) -> None:
        """After the turn; `finite`: () bool, whether its gradients were."""
        now = self._held(learner)
        for key, before in self._before.items():
            now[key].copy_(torch.where(finite, now[key], before))
        new = now.keys() - self._before.keys()
        if new and not bool(finite):
            self._forget(learner, new)
        self._before = {}
        count = torch.where(finite, 0, self._in_a_row.get(learner.name, self._zero) + 1)
        self._in_a_row[learner.name] = count
        self._longest[learner.name] = torch.maximum(self._longest.get(learner.name, self._zero), count)
        meter.add(f"skipped/{learner.name}", ~finite)

    def check(self, step: int) -> None:
        """Raises:
        NotFinite: too many turns of a player in a row were skipped.
        """
        for name, count in self._longest.items():
            if int(count) >= MOST_SKIPPED:
                raise NotFinite(
                    f"the gradients of {name} were not finite in {int(count)} turns in a row by step {step:,}"
                )

    def _held(self, learner: Learner) -> dict[tuple[int | None, str], Tensor]:
        """By the number of a parameter and the key of its state ("" for itself), or by the name of a buffer."""
        held: dict[tuple[int | None, str], Tensor] = {(None, name): b for name, b in self._game.named_buffers()}
        held |= {(None, f"averages.{name}"): local(p.detach()) for name, p in self._game.averages.named_parameters()}
        for number, parameter in enumerate(learner.parameters):
            held[number, ""] = local(parameter.detach())
            state = learner.optimizer.state.get(parameter, {})
            held |= {(number, key): local(value) for key, value in state.items() if isinstance(value, Tensor)}
        return held

    def _forget(self, learner: Learner, new: set[tuple[int | None, str]]) -> None:
        for number, name in new:
            if number is None:
                forget_buffer(self._game, name)
            else:
                learner.optimizer.state.pop(learner.parameters[number], None)


def forget_buffer(game: Game, name: str) -> None:
    """Takes away a buffer that came into being while training."""
    module, _, last = name.rpartition(".")
    delattr(game.get_submodule(module), last)
