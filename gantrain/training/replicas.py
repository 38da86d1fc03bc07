"""Rounds of several runs that differ in nothing but the seed, played at once: each turn is one piece for all of them.

Weights, statistics and what optimizers keep lie beside each other, (R, …), and are each run's own tensors all the same:
who saves, evaluates or averages a run's networks finds them where they always are.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Generic

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from gantrain.errors import UserError
from gantrain.games import Game
from gantrain.seeding import default_state, restore_default, seed_default
from gantrain.stacked import is_stacked
from gantrain.training.draws import OwnDraws
from gantrain.training.eager import Terms, total_of
from gantrain.training.loop import Due, Result, Training
from gantrain.training.pieces import Kept, Unsure, check_finite, gradients_apart, tolerance
from gantrain.training.rounds import Rounds
from gantrain.training.side_by_side import StackedLearner, side_by_side
from gantrain.training.state import Progress
from gantrain.turns import Batch, Turn, TurnPlan

Tensors = Mapping[str, Tensor]
Weights = dict[str, Tensor]
Gradients = list[Tensor | None]
"""Of a player, in the order of its parameters; None where one has none. Of all runs beside each other, (R, …)."""
HELD: tuple[Callable[[Batch], Tensors], ...] = (lambda batch: batch.data, lambda batch: batch.latent)


class Unlike(Exception):
    """Turns that are played at once are not what they are one by one; says why."""


class Replicas:
    """Plays the rounds of several runs at once.

    Args:
        rounds: of runs that stand at the same step, alike but for their seeds.
        say: is told of turns that are played one by one from here on.

    What a run draws, it draws from its own generators, as when it trains alone; what it computes is the same but for
    rounding. A player's first turn of each plan is played one by one too: where the two differ, it stays so.
    """

    def __init__(self, rounds: Sequence[Rounds], say: Callable[[str], None]) -> None:
        self._rounds, self._say = list(rounds), say
        self._games = [each.game for each in rounds]
        self._game, self._machine = rounds[0].game, rounds[0].machine
        self._parameters = _beside([dict(game.named_parameters()) for game in self._games])
        self._buffers = _beside([dict(game.named_buffers()) for game in self._games])
        names = {id(parameter): name for name, parameter in self._game.named_parameters()}
        self._learners = {}
        for player, first in rounds[0].learners.items():
            own = [self._parameters[names[id(parameter)]] for parameter in first.parameters]
            self._learners[player] = StackedLearner([each.learners[player] for each in rounds], own)
        self._together: dict[tuple[str, TurnPlan], bool] = {}
        self._strict = False

    def check(self, progresses: Sequence[Progress]) -> None:
        """Plays a round, to see whether that can be done at once.

        Raises:
            UserError: it cannot.
        """
        self._strict = True
        self.play(progresses)

    def play(self, progresses: Sequence[Progress]) -> None:
        """Plays one round of every run, of which these are the counters."""
        step = progresses[0].step
        for rounds in self._rounds:
            rounds.start_step(step)
        turns = (rounds.turns(progress) for rounds, progress in zip(self._rounds, progresses, strict=True))
        for entries in zip(*turns, strict=True):
            (turn, played, _), seeds = entries[0], [seed for _, _, seed in entries]
            plan = self._game.plan(turn.player, played, step)
            if self._together.get((turn.player, plan), True):
                self._turn(turn, plan, played, seeds, progresses)
            else:
                self._one_by_one(turn, played, seeds, progresses)
        for progress in progresses:
            progress.move_on()

    def _one_by_one(self, turn: Turn, played: int, seeds: Sequence[int], progresses: Sequence[Progress]) -> None:
        for rounds, seed, progress in zip(self._rounds, seeds, progresses, strict=True):
            seed_default(seed, self._machine.device)
            rounds.turn(turn, played, progress)

    def _turn(
        self, turn: Turn, plan: TurnPlan, played: int, seeds: Sequence[int], progresses: Sequence[Progress]
    ) -> None:
        batches, states = [], []
        for rounds, seed, progress in zip(self._rounds, seeds, progresses, strict=True):
            seed_default(seed, self._machine.device)
            batches.append(rounds.draw(turn, played, progress))
            states.append(default_state(self._machine.device))
            rounds.only_moves(rounds.learners[turn.player])
        player, learner = turn.player, self._learners[turn.player]
        for other in self._learners.values():
            other.wants_gradients(False)
        learner.wants_gradients(True)  # last: players may share layers
        try:
            if (player, plan) not in self._together:
                self._compare(player, batches, states)
            terms, gradients = self._gradients(player, batches, states)
        except Unsure:
            self._one_by_one(turn, played, seeds, progresses)
            return
        except Exception as error:  # of what cannot be played at once; one of the turn itself comes again, one by one
            self._refuse(player, plan, error)
            self._one_by_one(turn, played, seeds, progresses)
            return
        self._together[player, plan] = True
        samples = turn.batches * self._rounds[0].batch_size
        for progress in progresses:
            progress.position += samples if turn.real else 0
        for number, rounds in enumerate(self._rounds):
            for name, values in terms.items():
                rounds.meter.add(f"loss/{player}/{name}", values[number])
            rounds.meter.add(f"loss/{player}/total", total_of({name: v[number] for name, v in terms.items()}))
        learner.update(gradients, self._games, samples)

    def _gradients(self, player: str, batches: Sequence[Batch], states: list[list[Tensor]]) -> tuple[Terms, Gradients]:
        """The terms (R,) of a player's turn of all runs, and the gradients of each one's sum by its own parameters.

        Raises:
            Unlike: something was drawn that is not each run's own, or kept beyond the turn.
        """
        game, execution = self._game, self._rounds[0].execution
        first = batches[0]
        data, latent = ({name: torch.stack([held(b)[name] for b in batches]) for name in held(first)} for held in HELD)

        def turn(parameters: Weights, buffers: Weights, data: Tensors, latent: Tensors) -> Terms:
            batch = Batch(data, latent, first.step, first.plan)
            return functional_call(game, (parameters, buffers), (lambda: execution.terms(player, batch),))

        game.observing = False
        with OwnDraws(states, self._machine.device) as draws, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")  # what is slow is right all the same
            terms: Terms = vmap(turn, randomness="same")(self._parameters, self._buffers, data, latent)
        if draws.others():
            raise Unlike("something in it is drawn for all runs alike")
        self._check_forgotten(game)
        total = torch.stack(list(terms.values())).sum()
        found = torch.autograd.grad(total, self._learners[player].parameters, allow_unused=True)
        # fused optimizers take it that weights and gradients lie alike in memory
        gradients: Gradients = [None if gradient is None else gradient.contiguous() for gradient in found]
        return {name: values.detach() for name, values in terms.items()}, gradients

    def _check_forgotten(self, game: Game) -> None:
        """Raises:
        Unlike: a module keeps something of the turn other than in its buffers.
        """
        for module in game.modules():
            if any(is_stacked(value) for value in vars(module).values()):
                raise Unlike(f"{type(module).__name__} keeps something of it")

    def _compare(self, player: str, batches: Sequence[Batch], states: Sequence[list[Tensor]]) -> None:
        """Plays a turn at once and one by one, and leaves everything as it was.

        Raises:
            Unlike: it is not the same.
            Unsure: a run's gradients are not finite.
        """
        kept, near = [Kept(game) for game in self._games], tolerance(self._machine)
        try:
            _, together = self._gradients(player, batches, [list(state) for state in states])
            buffers = {name: values.clone() for name, values in self._buffers.items()}
            for number, rounds in enumerate(self._rounds):
                kept[number].restore()
                own = [None if gradient is None else gradient[number] for gradient in together]
                alone = _gradients_alone(rounds, player, batches[number], states[number])
                check_finite(alone)
                off = gradients_apart(own, alone)
                if not off <= near:
                    raise Unlike(f"its gradients would be off by {off:.0%}")
                for name, buffer in rounds.game.named_buffers():
                    there = buffers[name][number].double()
                    if not torch.allclose(buffer.double(), there, near, 1e-3 * near, equal_nan=True):
                        raise Unlike(f"{name} would be another")
        finally:
            for each in kept:
                each.restore()

    def _refuse(self, player: str, plan: TurnPlan, error: Exception) -> None:
        reason = str(error) if isinstance(error, Unlike) else _why(error)
        if self._strict:
            rough = self._machine.dtype != torch.float32
            raise UserError(
                f"trainer.replicas cannot play the turns of {player} at once here ({reason}): "
                f"{'try trainer.precision=fp32, or ' if rough else ''}train one seed after the other, "
                "gantrain -m seed=0,1,…"
            ) from error
        if all(self._together.get(key, True) for key in self._together if key[0] == player):
            self._say(f"some turns of {player} are played one by one from here on: {reason}")
        self._together[player, plan] = False


def _why(error: Exception) -> str:
    """What PyTorch says of operations that it cannot play for several runs, in short."""
    said = str(error)
    missing = re.search(r"[Bb]atching rule not implemented for (\S+?)[;,.]?(\s|$)", said)
    if missing:
        return f"PyTorch has no way to play {missing[1]} for several runs"
    if "functorch" in said:
        return "within it is changed what takes part in gradients, which PyTorch cannot for several runs"
    return f"{type(error).__name__}: {next(iter(said.splitlines()), '')}"


def _beside(runs: Sequence[Tensors]) -> Weights:
    """The runs' tensors of each name, put beside each other."""
    return {name: side_by_side([held[name] for held in runs]) for name in runs[0]}


def _gradients_alone(rounds: Rounds, player: str, batch: Batch, state: list[Tensor]) -> Gradients:
    """The gradients of one run's turn."""
    restore_default(state, rounds.machine.device)
    learner = rounds.learners[player]
    rounds.only_moves(learner)
    rounds.game.observing = False
    total = total_of(rounds.execution.terms(player, batch))
    return list(torch.autograd.grad(total, list(learner.parameters), allow_unused=True))


def train_together(trainings: Sequence[Training[Result]], say: Callable[[str], None]) -> list[Result | BaseException]:
    """Plays the rounds of several runs at once, and one by one where somebody watches them.

    Args:
        trainings: of runs alike but for their seeds. One that ends, or fails, leaves the others to themselves.
        say: is told of turns that are played one by one.

    Returns what each gives, or the error that ended it.
    """
    together = _Together(trainings)
    for number, training in enumerate(trainings):
        together.go_on(number, partial(next, training))
    members, replicas = tuple[int, ...](), None
    while dues := together.dues:
        joined, members = members, tuple(dues)
        fault: BaseException | None = None
        try:
            if members != joined:
                replicas = Replicas([due.rounds for due in dues.values()], say) if len(dues) > 1 else None
            if replicas is None or any(due.observe for due in dues.values()):
                for due in dues.values():
                    due.play()
            else:
                replicas.play([due.progress for due in dues.values()])
        except BaseException as error:  # which ends them all
            fault = error
        for number in members:
            throw, go = trainings[number].throw, partial(next, trainings[number])
            together.go_on(number, go if fault is None else partial(throw, fault))
    return [together.outcomes[number] for number in range(len(trainings))]


class _Together(Generic[Result]):
    """What has become of trainings, and the rounds that those which go on wait for, by their number."""

    def __init__(self, trainings: Sequence[Training[Result]]) -> None:
        self._trainings = trainings
        self.outcomes: dict[int, Result | BaseException] = {}
        self.dues: dict[int, Due] = {}

    def go_on(self, number: int, until_due: Callable[[], Due]) -> None:
        """Lets one of them go on, unless it is over; a signal that comes up in it is for all of them."""
        if number in self.outcomes:
            return
        try:
            self.dues[number] = until_due()
        except StopIteration as end:
            self.outcomes[number] = end.value
        except BaseException as error:
            self.outcomes[number] = error
            if not isinstance(error, Exception) and getattr(error, "at_once", True):
                self._stop_others(error)  # else each has noted the same signal, and saves before it ends
        if number in self.outcomes:
            self.dues.pop(number, None)

    def _stop_others(self, fault: BaseException) -> None:
        for number, training in enumerate(self._trainings):
            if number in self.dues:
                self.go_on(number, partial(training.throw, fault))
            elif number not in self.outcomes:  # it has not begun
                self.outcomes[number] = fault
