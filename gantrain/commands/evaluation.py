"""From a game and its data to what metrics are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from gantrain.commands.sampling import generate_batches, generate_samples, with_inputs
from gantrain.games import Game, Request
from gantrain.metrics import Evaluation, RealData
from gantrain.seeding import Purpose, mix
from gantrain.training.machine import Machine
from gantrain.turns import Samples


def score_function(game: Game, machine: Machine, step: int) -> Callable[[Tensor], Tensor] | None:
    """Samples on the CPU to logits of the only discriminator, in step `step`; None where it judges none by itself."""
    if not game.scores_samples_alone:
        return None
    (name,) = game.discriminators
    discriminator = game.get_submodule(name)

    def score(x: Tensor) -> Tensor:
        with game.evaluating(discriminator):
            return game.score(name, Samples(x.to(machine.device)), game.batch_at(step)).logits.float().cpu()

    return score


def evaluation_of(game: Game, real: RealData, machine: Machine, seed: int, at_once: int, step: int) -> Evaluation:
    """What metrics are given of a game as it is in step `step`; its classifier saw `at_once` samples at once."""

    def generate(n: int) -> Iterator[Tensor]:
        if game.inputs:
            unseen = real.source.held_out_part() is not None
            for k, data in enumerate(real.batches("held_out" if unseen else "train", n)):
                request = with_inputs(game, Request(len(data["real"]), step=step), data)
                yield generate_samples(game, machine, request, mix(seed, k), Purpose.EVALUATION)["samples"].x
            return
        for part in generate_batches(game, machine, Request(n, step=step), seed, Purpose.EVALUATION):
            yield part["samples"].x

    def classify(x: Tensor) -> Tensor:
        with game.evaluating(*game.children()), machine.autocast():
            return game.classify(x.to(machine.device)).float().cpu()

    return Evaluation(
        real,
        generate,
        score_function(game, machine, step),
        game.loss.adversarial.probability,
        classify if game.classifies else None,
        at_once,
    )
