"""What every process of a run does but the first: it plays with the others, and leaves no trace."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from gantrain.commands.parts import begin, build_parts, build_rounds, open_data
from gantrain.commands.together import hear, way_out
from gantrain.commands.train import limits_of, sample_prober
from gantrain.games import Game
from gantrain.report.console import Console
from gantrain.runs import RunFolder
from gantrain.training import loop
from gantrain.training.checkpoints import state_of
from gantrain.training.loop import Run
from gantrain.training.ranks import Ranks
from gantrain.training.state import Learner, Progress


class Nothing:
    """Takes every call and does nothing, in the place of what the first process alone writes or says."""

    def __getattr__(self, name: str) -> Nothing:
        return self

    def __bool__(self) -> bool:
        return False

    def __call__(self, *_: object, **__: object) -> Nothing:
        return self


class Joining(Nothing):
    """Takes part in what the first process saves."""

    def save(self, game: Game, learners: Mapping[str, Learner], progress: Progress, best: bool = False) -> Nothing:
        state_of(game, learners)
        return self


def follow(ranks: Ranks) -> None:
    """Trains with the others as the first process tells.

    Raises:
        UserError: what it tells is not possible here.
        Stopped: by a signal to any of them.
    """
    cfg, state = hear(ranks)
    console = Console(quiet=True)
    parts = build_parts(cfg, state, console.say_once, ranks)
    with closing(open_data(parts, ranks)) as batches:
        rounds = build_rounds(cfg, parts, batches, console.say, ranks)
        begin(rounds, again=state is not None)
        if cfg.debug.dry:
            with rounds.weights.whole(averages=True):
                pass  # the first one looks
            rounds.play(Progress(), observe=True)
            rounds.meter.read()
            return
        folder = RunFolder(Path(ranks.first(str)))
        if folder.path.is_dir():  # another computer may not see it
            ranks.when_lost(partial(folder.status.end, "failed"), partial(way_out, folder))
        nothing: Any = Nothing()
        joining: Any = Joining()
        training = loop.train(
            Run(
                rounds=rounds,
                progress=parts.progress,
                limits=limits_of(cfg, parts.metrics),
                checkpoints=joining,
                recorder=nothing,
                console=console,
                render_picture=nothing,
                evaluate=dict,
                probe_samples=sample_prober(cfg, parts, rounds),
                watch=nothing,
            )
        )
        loop.play_alone(training)
