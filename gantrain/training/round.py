"""One round: every player's turns. A pure function of the state and the step number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gantrain.data.batches import Batches
from gantrain.games import Batch, Game, Turn
from gantrain.seeding import mix, seed_default
from gantrain.training.finite import Skipping, largest
from gantrain.training.machine import Machine
from gantrain.training.meter import Meter
from gantrain.training.state import Player, Progress

BEGINNING = 7
"""What a seed is used for here besides turns (0): the second number that is mixed into it."""


class Round:
    """Plays rounds.

    Args:
        batch_size, accumulate: a turn plays `batch_size` samples in `accumulate` equal parts.
        steps: of the whole run, for the schedules.
        skip: a turn whose gradients are not finite is not made.
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
        skip: bool = False,
    ) -> None:
        self.game, self.players, self.batches, self.machine = game, players, batches, machine
        self.seed, self.steps, self.batch_size, self.accumulate = seed, steps, batch_size, accumulate
        self.meter = Meter()
        self.skipping = Skipping(game, machine.device) if skip else None
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
        again = (progress.rollbacks,) if progress.rollbacks else ()  # a step that failed is not played the same way
        for turn in self.game.turns:
            for number in range(turn.times):
                seed_default(mix(self.seed, 0, progress.step, place, *again), self.machine.device)
                self._turn(turn, progress.step * turn.times + number, progress, observe)
                place += 1
        progress.step += 1
        progress.figures = progress.ended = None

    def _turn(self, turn: Turn, played: int, progress: Progress, observe: bool) -> None:
        player = self.players[turn.player]
        self._only_moves(player)
        if self.skipping:
            self.skipping.begin(player)
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
        gradients = [p.grad for p in player.parameters if p.grad is not None]
        finite = largest(gradients).isfinite().all() if self.skipping else None
        if observe:
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
        if self.skipping and finite is not None:
            self.skipping.end(player, finite, self.meter)

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
