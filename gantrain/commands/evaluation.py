"""From a game and its data to what metrics are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.sampling import generate_batches, generate_samples, with_inputs
from gantrain.games import Game, Request
from gantrain.metrics import Evaluation, RealData
from gantrain.seeding import Purpose, default_state, mix, restore_default
from gantrain.training.duality import BestAnswers
from gantrain.training.machine import Machine
from gantrain.training.state import Learner
from gantrain.turns import Samples, Scores


def discriminator_function(game: Game, machine: Machine, step: int) -> Callable[[Tensor], Scores] | None:
    """Samples on the CPU to what the only discriminator makes of them there, in step `step`, float32.

    None where no single one judges each sample by itself.
    """
    if not game.scores_samples_alone:
        return None
    (name,) = game.discriminators
    discriminator = game.get_submodule(name)

    def score(x: Tensor) -> Scores:
        samples = Samples(x.to(machine.device))
        with game.evaluating(discriminator):
            found = game.score(name, samples, game.batch_at(step))
        return Scores(Samples(x), found.logits.float().cpu(), found.features.float().cpu())

    return score


def gives_labels(game: Game) -> bool:
    """Whether the game's samples have labels: each is made from one."""
    state = default_state(game.device)
    found = "label" in game.latents(1)
    restore_default(state, game.device)
    return found


def best_answers_of(
    cfg: DictConfig, game: Game, learners: Mapping[str, Learner], real: RealData, machine: Machine, step: int
) -> BestAnswers | None:
    """The players' best answers to each other, as they are in step `step`; None where the game has no value."""
    if game.without_value():
        return None
    samples = cfg.trainer.batch_size // cfg.trainer.accumulate
    return BestAnswers(game, learners, real.open("train"), machine, cfg.seed, step, cfg.trainer.steps, samples)


def score_function(game: Game, machine: Machine, step: int) -> Callable[[Tensor], Tensor] | None:
    """Samples on the CPU to logits of the only discriminator, in step `step`; None where it judges none by itself."""
    score = discriminator_function(game, machine, step)
    return score and (lambda x: score(x).logits)


def evaluation_of(
    game: Game,
    real: RealData,
    machine: Machine,
    seed: int,
    at_once: int,
    step: int,
    best_answers: BestAnswers | None = None,
    watched: Callable[[Iterator[Tensor], int], Iterator[Tensor]] = lambda parts, n: parts,
) -> Evaluation:
    """What metrics are given of a game as it is in step `step`; its classifier saw `at_once` samples at once.

    Args:
        at_once: samples that networks are given at once where they start from data: as many as in training, for so many
            fit.
        best_answers: of its players as they are now, where it has a value.
        watched: passes on the parts of n samples as they are made.
    """

    sets = partial(_sets, game, real, machine, seed, at_once, step)

    def draw(n: int) -> Iterator[Samples]:
        return (made["samples"] for _, made in sets(n, first=True))

    def labelled(n: int) -> Iterator[tuple[Tensor, Tensor]]:
        return ((samples.x, samples.conditions["label"]) for samples in draw(n))

    def classify(x: Tensor) -> Tensor:
        with game.evaluating(*game.children()), machine.autocast():
            return game.classify(x.to(machine.device)).float().cpu()

    score = discriminator_function(game, machine, step)
    return Evaluation(
        real,
        lambda n: watched((samples.x for samples in draw(n)), n),
        score_function(game, machine, step),
        game.loss.adversarial.probability,
        classify if game.classifies else None,
        at_once,
        averaged=bool(game.averages),
        labelled=labelled if gives_labels(game) else None,
        features=score and (lambda x: score(x).features),
        best_answers=best_answers,
        pack=game.tricks.packed_shape([1])[0],
        sets=lambda n: map(_named, sets(n, first=False)),
        from_data=bool(game.inputs),
    )


def _sets(
    game: Game, real: RealData, machine: Machine, seed: int, at_once: int, step: int, n: int, first: bool
) -> Iterator[tuple[Mapping[str, Tensor], Mapping[str, Samples]]]:
    """Data, where the game starts from some, and what it makes of them; of its first input alone where asked."""
    if not game.inputs:
        for part in generate_batches(game, machine, Request(n, step=step), seed, Purpose.EVALUATION):
            yield {}, part
        return
    for k, data in enumerate(real.batches(real.unseen, n)):
        request = with_inputs(game, Request(len(data["real"]), step=step), data, first)
        yield data, generate_samples(game, machine, request, mix(seed, k), Purpose.EVALUATION, at_once)


def _named(given_and_made: tuple[Mapping[str, Tensor], Mapping[str, Samples]]) -> dict[str, Tensor]:
    """Data and what was made of them by name, on the CPU."""
    data, made = given_and_made
    known = {name: values.cpu() for name, values in data.items()}
    return known | {name: samples.x for name, samples in made.items()}
