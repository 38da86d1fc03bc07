"""The duality gap: how far each player's best answer to the other moves the game's value."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from gantrain.data.batches import Batches
from gantrain.games import Game
from gantrain.schedules import Constant
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.machine import Machine
from gantrain.training.rounds import Rounds
from gantrain.training.state import Learner, Progress

BETAS = (0.5, 0.999)
"""Of an answer's own Adam (Radford et al. 2015)."""

RealSamples = Callable[[int], Iterable[Mapping[str, Tensor]]]
"""Gives batches of real samples, of the size that is asked for."""


@dataclass(frozen=True)
class BestAnswers:
    """What the game's value becomes once one player has answered the other as well as it can (Grnarova et al. 2019).

    An answer is a copy of the live player after some turns against the other, which stands still: the run's own turns,
    penalties and tricks included, with random numbers of their own and an Adam of their own. The run's optimizer would
    blunt the measure: a rate that makes a run sick makes its answers sick too. The value is taken as in a turn, in the
    networks' training mode. Nothing of the game itself changes.

    Attributes:
        game: one generator against one discriminator, as they are after step `step` of `steps`.
        learners: of the run: they say which parameters move.
        batches: what the answers learn from.
        size: samples that are played at once.
    """

    game: Game
    learners: Mapping[str, Learner]
    batches: Batches
    machine: Machine
    seed: int
    step: int
    steps: int
    size: int

    def __call__(self, turns: int, lr: float, perturb: float, real: RealSamples) -> tuple[float, float]:
        """The value after the discriminator's answer and after the generator's: nearly the largest and the least.

        To stay as they are is an answer too, so that the first is no less than the second. NaN where one is not finite.

        Args:
            turns: of each answer.
            lr: the rate of their Adam.
            perturb: the standard deviation of noise on the weights that an answer starts from (Sidheekh et al. 2021).
            real: gives the real samples on which the value is taken, beside as many generated ones.
        """
        stay = self.value(self.copied()[0], real)
        found = [
            self.value(self.answered(player, number, turns, lr, perturb), real)
            for number, player in enumerate((*self.game.discriminators, *self.game.generators))
        ]
        if not all(map(math.isfinite, (stay, *found))):
            return math.nan, math.nan
        largest, least = found
        return max(largest, stay), min(least, stay)

    def copied(self, *players: str) -> tuple[Game, dict[str, list[nn.Parameter]]]:
        """A copy of the game in which nothing moves but these players' parameters, which are given too."""
        parameters = {player: list(self.learners[player].parameters) for player in players}
        game, parameters = copy.deepcopy((self.game, parameters))
        game.averages.clear()
        game.requires_grad_(False)
        for setting in game.scheduled():
            setting.move_to(self.step, self.steps, self.machine.device)
        return game, parameters

    def answered(self, player: str, number: int, turns: int, lr: float, perturb: float) -> Game:
        """A copy of the game in which the player, of this number, has had so many turns, and the other none."""
        game, moving = self.copied(player)
        seed = mix(self.seed, Purpose.DUALITY_GAP, self.step, number)
        seed_default(seed, self.machine.device)
        with torch.no_grad():
            for parameter in moving[player] if perturb else ():
                parameter.add_(torch.randn_like(parameter), alpha=perturb)
        game.turns = tuple(replace(turn, times=1) for turn in game.turns if turn.player == player)
        learner = Learner(player, moving[player], torch.optim.Adam(moving[player], lr, BETAS), Constant())
        rounds = Rounds(game, {player: learner}, self.batches, self.machine, seed, self.steps, self.size)
        progress = Progress(step=self.step, position=seed % 2**32)
        for _ in range(turns):
            rounds.play(progress)
        return game

    @torch.no_grad()
    def value(self, game: Game, real: RealSamples) -> float:
        """The mean value of the game on real samples and as many generated ones."""
        (name,) = game.discriminators
        game.train()
        total, count = 0.0, 0
        for data in real(self.size):
            n = len(data["real"])
            seed_default(mix(self.seed, Purpose.DUALITY_GAP, count), self.machine.device)
            batch = game.batch_at(self.step, game.latents(n), data)
            with self.machine.autocast():
                inputs = [game.discriminator_inputs(x[name], batch) for x in (game.real(batch), game.generate(batch))]
                logits = [game.score(name, x, batch).logits for x in inputs]
            total += n * game.loss.adversarial.value(*logits).item()
            count += n
        return total / count
