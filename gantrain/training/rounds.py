"""One round: every player's turns. A pure function of the state and the step number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from gantrain.data.batches import Batches
from gantrain.games import Game
from gantrain.networks.shared import share_layers
from gantrain.seeding import Purpose, default_state, mix, restore_default, seed_default
from gantrain.shares import share_played, take
from gantrain.training.eager import Eager
from gantrain.training.finite import Skipping, largest_magnitudes
from gantrain.training.machine import Machine
from gantrain.training.meter import Meter
from gantrain.training.ranks import ALONE, Ranks
from gantrain.training.state import Learner, Progress
from gantrain.training.vitals import Vitals
from gantrain.training.weights import Weights
from gantrain.turns import Batch, Turn


class Rounds:
    """Plays rounds.

    Args:
        batch_size, accumulate: a turn plays `batch_size` samples in `accumulate` equal parts.
        steps: of the whole run, for the schedules.
        skip: a turn whose gradients are not finite is not made.
        execution: how gradients are taken.
        ranks: the processes that play together, each an equal share of every part.
        reuse_fakes: a generator's turn plays the batch and the fakes of the discriminator's last turn before it.
        weights: where they lie; by default whole on each of `ranks`.
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
        reuse_fakes: bool = False,
        execution: Eager | None = None,
        ranks: Ranks = ALONE,
        weights: Weights | None = None,
    ) -> None:
        self.game, self.learners, self.batches, self.machine = game, learners, batches, machine
        self.seed, self.steps, self.batch_size, self.ranks = seed, steps, batch_size, ranks
        self.execution = execution or Eager(game, machine)
        self.weights = weights or Weights(ranks)
        self.shares = ranks.shares(accumulate, game.tricks.packed_shape([1])[0])
        if self.shares != [None]:
            share_layers(game)
        self.meter = Meter(machine.device, mean_of_all=ranks.mean if ranks.count > 1 else None)
        self.vitals = Vitals(game, self.meter)
        self.skipping = Skipping(game, machine.device) if skip else None
        self._step = torch.zeros((), dtype=torch.int64, device=machine.device)
        self._scheduled = game.scheduled()
        self._expected = 0  # the next step, unless a run goes on or back
        self._others = {name: _others(learner, learners.values()) for name, learner in learners.items()}
        self.reuses_fakes = reuse_fakes
        self._kept: Batch | None = None  # of a discriminator's last turn, for the generator's

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
        self.start_step(progress.step)
        for turn, played, seed in self.turns(progress):
            seed_default(seed, self.machine.device)
            self.turn(turn, played, progress, observe)
        progress.move_on()

    def turns(self, progress: Progress) -> Iterator[tuple[Turn, int, int]]:
        """Each turn of the step, with how many its player had before, and the seed of all that is drawn in it."""
        place = 0
        again = (progress.rollbacks,) if progress.rollbacks else ()  # a step that failed is not played the same way
        for turn in self.game.turns_at(progress.step):
            for number in range(turn.times):
                seed = mix(self.seed, Purpose.TURN, progress.step, place, *again)
                yield turn, progress.step * turn.times + number, seed
                place += 1

    def start_step(self, step: int) -> None:
        """Everything that follows from the step alone; what moves over time is filled into tensors that stay."""
        if step != self._expected:
            self.execution.check_again()
        self._expected = step + 1
        self.meter.begin_step()
        self._step.fill_(step)
        for learner in self.learners.values():
            learner.move_to(step, self.steps)
        for setting in self._scheduled:
            setting.move_to(step, self.steps, self.machine.device)
        phase = self.game.phase(step)
        if step and phase != self.game.phase(step - 1):
            self.execution.check_again()
            for name in self.game.entered(phase):
                self.learners[name].optimizer.state.clear()

    def turn(self, turn: Turn, played: int, progress: Progress, observe: bool = False) -> None:
        """Plays one turn."""
        learner = self.learners[turn.player]
        if self.skipping:
            self.skipping.begin(learner)
        learner.forget_gradients()
        draws_data = turn.real and not (self._kept is not None and turn.player in self.game.generators)
        begins = default_state(self.machine.device) if len(self.shares) > 1 else []
        self.only_moves(learner)
        with self.weights.whole():
            for number, share in enumerate(self.shares):
                if number:  # each share draws for the whole turn, and takes its own
                    restore_default(begins, self.machine.device)
                with share_played(share):
                    batch = self.draw(turn, played, progress)
                    self._backward(learner, batch, observe)
        progress.position += turn.batches * self.batch_size if draws_data else 0
        self.weights.average_gradients(learner.parameters)
        gradients = [p.grad for p in learner.parameters if p.grad is not None] if observe or self.skipping else []
        finite = self.weights.largest(largest_magnitudes(gradients)).isfinite().all() if self.skipping else None
        if observe:
            self.meter.add(f"grad_norm/{turn.player}", nn.utils.get_total_norm(gradients))
            for tag, value in {**self.game.tricks.numbers(), **self.game.numbers(batch)}.items():
                self.meter.add(tag, value)
        with self.vitals.update(learner) if observe else nullcontext():
            self._update(learner, turn.batches * self.batch_size)
        if self.skipping and finite is not None:
            self.skipping.end(learner, finite, self.meter)

    def draw(self, turn: Turn, played: int, progress: Progress) -> Batch:
        """All that the turn, or the share of it that is played now, is played with."""
        plan = self.game.plan(turn.player, played, progress.step)
        if self._kept is not None and turn.player in self.game.generators:
            batch, self._kept = replace(self._kept, plan=plan), None
            return batch
        samples = turn.batches * self.batch_size
        data = self.batches.draw(progress.position, samples) if turn.real else {}
        latent = {name: take(values) for name, values in self.game.latents(samples).items()}
        batch = Batch(data, latent, self._step, plan)
        if self.reuses_fakes and turn.player in self.game.discriminators and played % turn.times == turn.times - 1:
            batch = self._kept = self._with_fakes(batch, turn.player)
        return batch

    def _with_fakes(self, batch: Batch, discriminator: str) -> Batch:
        """The batch with the fakes that it gives, through which the generator's turn will learn."""
        (generator,) = self.game.generators
        self.only_moves(self.learners[generator])
        with self.machine.autocast():
            batch = replace(batch, fakes=self.game.fakes_for([discriminator], batch))
        self.only_moves(self.learners[discriminator])
        return batch

    def _update(self, learner: Learner, samples: int) -> None:
        player = self.game.player(learner.name)
        self.game.tricks.before_update(player, learner.parameters)
        learner.step()
        self.game.tricks.after_update(player, self.game, samples)

    def only_moves(self, learner: Learner) -> None:
        """Gradients are taken by this player's parameters alone."""
        for parameter in self._others[learner.name]:
            parameter.requires_grad = False
        for parameter in learner.parameters:
            parameter.requires_grad = True

    def _backward(self, learner: Learner, batch: Batch, observe: bool) -> None:
        player, game = learner.name, self.game
        if observe or game.observing:
            game.observing, game.observed, game.observed_fakes = observe, {}, None
        with self.vitals.units(player) if observe else nullcontext():
            found = self.execution.backward(player, learner.parameters, batch, len(self.shares))
        for name, value in found.terms.items():
            self.meter.add(f"loss/{player}/{name}", value)
        self.meter.add(f"loss/{player}/total", found.total)
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


def _others(learner: Learner, learners: Iterable[Learner]) -> list[nn.Parameter]:
    """The parameters of all others that are not its own too."""
    own = {id(p) for p in learner.parameters}
    return list({id(p): p for other in learners for p in other.parameters if id(p) not in own}.values())
