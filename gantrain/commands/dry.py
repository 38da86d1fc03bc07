"""`debug=dry`: the networks and one step, nothing written."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

import torch

from gantrain.commands.sampling import with_inputs
from gantrain.games import Request
from gantrain.report.console import Console
from gantrain.report.summary import summarise
from gantrain.training.rounds import Progress, Rounds


def dry(rounds: Rounds, console: Console) -> dict[str, float]:
    """The model's summary and one step."""
    game = rounds.game
    drawn = rounds.batches.draw(0, rounds.batch_size)
    few = with_inputs(game, Request(2, step=rounds.steps), drawn)  # as networks are when they have grown
    with rounds.weights.whole(averages=True):
        for player in game.generators:
            console.say(f"\n{player}\n" + summarise(game.network(player), lambda: game.sample(few)))
        batch = game.batch_at(rounds.steps, game.latents(rounds.batch_size), drawn)
        with game.evaluating(*game.children()):
            fakes = game.generate(batch)
        for player in game.discriminators:
            score = partial(game.score, player, game.tricks.pack(fakes[player]), batch)
            with torch.no_grad(), suppress(ValueError):
                console.say(f"\n{player}\n" + summarise(game.get_submodule(player), score))
    began = time.perf_counter()
    rounds.play(Progress(), observe=True)
    seconds = time.perf_counter() - began
    figures = rounds.meter.read()
    width = max(len(tag) for tag in figures)
    console.say(f"\none step of {rounds.batch_size} samples in {seconds:.2f} s on {rounds.machine}")
    console.say("\n".join(f"  {tag:<{width}}  {value:.4g}" for tag, value in figures.items()))
    return figures
