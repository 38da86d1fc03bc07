"""One round: every player's turns. A pure function of the state and the step number."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from gantrain.data.batches import Batches
from gantrain.games import Game
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.finite import Skipping, largest_magnitudes
from gantrain.training.machine import Machine
from gantrain.training.meter import Meter
from gantrain.training.state import Learner, Progress
from gantrain.training.vitals import Vitals
from gantrain.turns import Batch, Turn


class Rounds:
    """Plays rounds.

    Args:
        batch_size, accumulate: a turn plays `batch_size` samples in `accumulate` equal parts.
        steps: of the whole run, for the schedules.
        skip: a turn whose gradients are not finite is not made.
    """

    def __init__(
        self,
        game: Game,
        learners: Mapping[str, Learner],
        batches: Batches,
        machine: Machine,
        seed: int,
        steps: int,
        batch_size: int,
        accumulate: int = 1,
        skip: bool = False,
    ) -> None:
        self.game, self.learners, self.batches, self.machine = game, learners, batches, machine
        self.seed, self.steps, self.batch_size, self.accumulate = seed, steps, batch_size, accumulate
        self.meter = Meter(machine.device)
        self.vitals = Vitals(game, self.meter)
        self.skipping = Skipping(game, machine.device) if skip else None
        self._step = torch.zeros((), dtype=torch.int64, device=machine.device)
        self._scheduled = game.scheduled()

    def begin(self) -> None:
        """Before the first round of a new run: what tricks take from the data and from the networks as they are."""
        seed_default(mix(self.seed, Purpose.BEGINNING), self.machine.device)

        def draw(n: int, position: int = 0) -> Batch:
            data = self.batches.draw(position, n)
            return self.game.batch_at(0, self.game.latents(n), data)

        self.game.begin(draw, self.batches.size)
        self.game.tricks.begin(self.game, draw)

    def play(self, progress: Progress, observe: bool = False) -> None:
        """Plays one round and moves the counters on. `observe` adds what costs time to the meter."""
        self._start_step(progress.step)
        place = 0
        again = (progress.rollbacks,) if progress.rollbacks else ()  # a step that failed is not played the same way
        for turn in self.game.turns_at(progress.step):
            for number in range(turn.times):
                seed_default(mix(self.seed, Purpose.TURN, progress.step, place, *again), self.machine.device)
                self._turn(turn, progress.step * turn.times + number, progress, observe)
                place += 1
        progress.step += 1
        progress.figures = progress.ended = None

    def _start_step(self, step: int) -> None:
        """Everything that follows from the step alone; what moves over time is filled into tensors that stay."""
        self._step.fill_(step)
        for learner in self.learners.values():
            learner.move_to(step, self.steps)
        for setting in self._scheduled:
            setting.move_to(step, self.steps, self.machine.device)
        phase = self.game.phase(step)
        if step and phase != self.game.phase(step - 1):
            for name in self.game.entered(phase):
                self.learners[name].optimizer.state.clear()

    def _turn(self, turn: Turn, played: int, progress: Progress, observe: bool) -> None:
        learner = self.learners[turn.player]
        self._only_moves(learner)
        if self.skipping:
            self.skipping.begin(learner)
        learner.optimizer.zero_grad(set_to_none=True)
        batch = self._draw(turn, played, progress)
        part = turn.batches * self.batch_size // self.accumulate
        for number in range(self.accumulate):
            self._backward(turn.player, batch.part(number * part, part) if self.accumulate > 1 else batch, observe)
        gradients = [p.grad for p in learner.parameters if p.grad is not None]
        finite = largest_magnitudes(gradients).isfinite().all() if self.skipping else None
        if observe:
            self.meter.add(f"grad_norm/{turn.player}", nn.utils.get_total_norm(gradients))
            for tag, value in {**self.game.tricks.numbers(), **self.game.numbers(batch)}.items():
                self.meter.add(tag, value)
        with self.vitals.update(learner) if observe else nullcontext():
            self._update(learner, turn.batches * self.batch_size)
        if self.skipping and finite is not None:
            self.skipping.end(learner, finite, self.meter)

    def _draw(self, turn: Turn, played: int, progress: Progress) -> Batch:
        """All that a turn is played with, whole: a part of it, such as one of `accumulate`, is a slice."""
        samples = turn.batches * self.batch_size
        data = {}
        if turn.real:
            data = self.batches.draw(progress.position, samples)
            progress.position += samples
        plan = self.game.plan(turn.player, played, progress.step)
        return Batch(data, self.game.latents(samples), self._step, plan)

    def _update(self, learner: Learner, samples: int) -> None:
        player = self.game.player(learner.name)
        self.game.tricks.before_update(player, learner.parameters)
        learner.optimizer.step()
        self.game.tricks.after_update(player, self.game, samples)

    def _only_moves(self, learner: Learner) -> None:
        own = {id(p) for p in learner.parameters}
        for other in self.learners.values():
            for parameter in other.parameters:
                parameter.requires_grad_(id(parameter) in own)

    def _backward(self, player: str, batch: Batch, observe: bool) -> None:
        self.game.observed, self.game.observed_fakes = {}, None
        watching = self.vitals.units(player) if observe else nullcontext()
        with self.machine.autocast(), watching:
            terms = self.game.terms(player, batch)
        total = torch.stack(list(terms.values())).sum()
        (total / self.accumulate).backward()
        for name, value in terms.items():
            self.meter.add(f"loss/{player}/{name}", value)
        self.meter.add(f"loss/{player}/total", total)
        if observe and self.game.observed:
            self._observe(player, self.game.observed)
            self.vitals.samples(batch)

    def _observe(self, player: str, logits: Mapping[str, Tensor]) -> None:
        adversarial = self.game.loss.adversarial
        for kind, values in logits.items():
            self.meter.add(f"logits/{player}/{kind}", values.float().mean())
            if adversarial.probability:
                self.meter.add(f"probability/{player}/{kind}", values.float().sigmoid().mean())
        if {"real", "fake"} <= logits.keys():
            self.meter.add(f"accuracy/{player}", adversarial.accuracy(logits["real"], logits["fake"]))
            spread = torch.cat([values.flatten() for values in logits.values()]).float().std()
            self.meter.add(f"health/logit_spread/{player}", spread)
