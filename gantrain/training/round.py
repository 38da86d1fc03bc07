"""One round: every player's turns. A pure function of the state and the step number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gantrain.data.batches import Batches
from gantrain.games import Batch, Game, Turn
from gantrain.seeding import mix, seed_default
from gantrain.training.machine import Machine
from gantrain.training.meter import Meter
from gantrain.training.schedules import Schedule

BEGINNING = 7
"""What a seed is used for here besides turns (0): the second number that is mixed into it."""


@dataclass
class Progress:
    """The counters that a run goes on from."""

    step: int = 0
    """Rounds played."""
    position: int = 0
    """Real samples drawn: where the order of the data stands."""
    seconds: float = 0.0
    """Time spent training."""
    best: float | None = None
    """The best value so far of the metric that is watched."""


@dataclass
class Player:
    """A player's parameters and what moves them."""

    name: str
    parameters: Sequence[nn.Parameter]
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def set_rate(self, step: int, steps: int) -> None:
        factor = self.schedule(step, steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    @property
    def rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


class Round:
    """Plays rounds.

    Args:
        batch_size, accumulate: a turn plays `batch_size` samples in `accumulate` equal parts.
        steps: of the whole run, for the schedules.
    """

    def __init__(
        self,
        game: Game,
        players: Mapping[str, Player],
        batches: Batches,
        machine: Machine,
        seed: int,
        steps: int,
        batch_size: int,
        accumulate: int = 1,
    ) -> None:
        self.game, self.players, self.batches, self.machine = game, players, batches, machine
        self.seed, self.steps, self.batch_size, self.accumulate = seed, steps, batch_size, accumulate
        self.meter = Meter()
        self._step = torch.zeros((), dtype=torch.int64, device=machine.device)

    def begin(self) -> None:
        """Before the first round of a new run: what tricks take from the data and from the networks as they are."""
        seed_default(mix(self.seed, BEGINNING), self.machine.device)

        def draw(n: int, position: int = 0) -> Batch:
            return Batch(self.batches.draw(position, n), self.game.latents(n), self._step)

        self.game.begin(draw, self.batches.size)
        for trick in self.game.each_trick():
            trick.begin(self.game, draw)

    def play(self, progress: Progress, observe: bool = False) -> None:
        """Plays one round and moves the counters on. `observe` adds what costs time to the meter."""
        self._step.fill_(progress.step)
        for player in self.players.values():
            player.set_rate(progress.step, self.steps)
        place = 0
        for turn in self.game.turns:
            for number in range(turn.times):
                seed_default(mix(self.seed, 0, progress.step, place), self.machine.device)
                self._turn(turn, progress.step * turn.times + number, progress, observe)
                place += 1
        progress.step += 1

    def _turn(self, turn: Turn, played: int, progress: Progress, observe: bool) -> None:
        player = self.players[turn.player]
        self._only_moves(player)
        player.optimizer.zero_grad(set_to_none=True)
        phase = self.game.phase(turn.player, played)
        samples = turn.batches * self.batch_size
        part = samples // self.accumulate
        for _ in range(self.accumulate):
            data = {}
            if turn.real:
                data = self.batches.draw(progress.position, part)
                progress.position += part
            batch = Batch(data, self.game.latents(part), self._step, phase)
            self._backward(turn.player, batch, observe)
        if observe:
            gradients = [p.grad for p in player.parameters if p.grad is not None]
            self.meter.add(f"grad_norm/{turn.player}", nn.utils.get_total_norm(gradients))
        tricks = self.game.each_trick()
        for trick in tricks if observe else ():
            for name, value in trick.numbers().items():
                self.meter.add(f"tricks/{trick.name}/{name}", value)
        for trick in tricks:
            trick.before_update(turn.player, player.parameters)
        player.optimizer.step()
        for trick in tricks:
            trick.constrain(turn.player, self.game)
        for trick in tricks:
            trick.after_update(turn.player, self.game, samples)

    def _only_moves(self, player: Player) -> None:
        own = {id(p) for p in player.parameters}
        for other in self.players.values():
            for parameter in other.parameters:
                parameter.requires_grad_(id(parameter) in own)

    def _backward(self, player: str, batch: Batch, observe: bool) -> None:
        self.game.observed = {}
        with self.machine.autocast():
            terms = self.game.terms(player, batch)
        total = torch.stack(list(terms.values())).sum()
        (total / self.accumulate).backward()
        for name, value in terms.items():
            self.meter.add(f"loss/{player}/{name}", value)
        self.meter.add(f"loss/{player}/total", total)
        if observe and self.game.observed:
            self._observe(player, self.game.observed)

    def _observe(self, player: str, logits: Mapping[str, Tensor]) -> None:
        adversarial = self.game.loss.adversarial
        for kind, values in logits.items():
            self.meter.add(f"logits/{player}/{kind}", values.float().mean())
            if adversarial.probability:
                self.meter.add(f"probability/{player}/{kind}", values.float().sigmoid().mean())
        if {"real", "fake"} <= logits.keys():
            self.meter.add(f"accuracy/{player}", adversarial.accuracy(logits["real"], logits["fake"]))
