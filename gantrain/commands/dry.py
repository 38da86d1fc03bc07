"""`debug=dry`: the networks and one step, nothing written."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

import torch

from gantrain.games import Request
from gantrain.report.console import Console
from gantrain.report.summary import summarise
from gantrain.training.round import Progress, Round
from gantrain.tricks import Shown


def dry(round: Round, console: Console) -> dict[str, float]:
    """The model's summary and one step."""
    game = round.game
    for player in game.generators:
        console.say(f"\n{player}\n" + summarise(game.finished(player), lambda: game.sample(Request(2))))
    samples = game.sample(Request(round.batch_size))
    shown = game.fold(Shown(samples["samples"], samples))
    for player in game.discriminators:
        judge = partial(game.judge, player, shown)
        with torch.no_grad(), suppress(ValueError):
            console.say(f"\n{player}\n" + summarise(game.get_submodule(player), judge))
    began = time.perf_counter()
    round.play(Progress(), observe=True)
    seconds = time.perf_counter() - began
    figures = round.meter.read()
    width = max(len(tag) for tag in figures)
    console.say(f"\none step of {round.batch_size} samples in {seconds:.2f} s on {round.machine}")
    console.say("\n".join(f"  {tag:<{width}}  {value:.4g}" for tag, value in figures.items()))
    return figures
