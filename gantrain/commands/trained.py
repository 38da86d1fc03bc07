"""A run's networks as a checkpoint holds them, with what they were trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.assembly import build_game, config_of, plain
from gantrain.config import build, data_folder
from gantrain.data import DataContext, Source
from gantrain.games import Game
from gantrain.kinds import Kind
from gantrain.report.sounds import RATE
from gantrain.runs import RunFolder, find_checkpoint, load_checkpoint
from gantrain.training.checkpoints import load_game
from gantrain.training.machine import Machine, choose_machine, set_threads


@dataclass(frozen=True)
class TrainedRun:
    """What a checkpoint tells.

    Attributes:
        facts: of the data, such as the mean and width by which it was standardised.
        home: the run's folder; where a checkpoint lies alone, the folder that it lies in.
    """

    cfg: DictConfig
    game: Game
    machine: Machine
    facts: Mapping[str, Tensor]
    step: int
    home: RunFolder

    @property
    def shape(self) -> list[int]:
        """Of a sample, as `gantrain.kinds` says."""
        return list(self.cfg.data.shape)

    @property
    def kind(self) -> Kind:
        return Kind.of(self.shape)

    @property
    def makes_images(self) -> bool:
        return self.kind is Kind.PICTURES

    @cached_property
    def rate(self) -> int:
        """Of sound, samples a second."""
        return build(plain(self.cfg.dataset), "dataset", Source).rate or RATE

    def data(self, n: int, say: Callable[[str], None], again: bool = True) -> dict[str, Tensor]:
        """n samples of the run's data: of those that training never saw, where there are such.

        Args:
            again: where there are fewer, they come again; else there are as many as there are.

        Raises:
            UserError: the data is not here.
        """
        source = build(plain(self.cfg.dataset), "dataset", Source)
        context = DataContext(data_folder(self.cfg), torch.device("cpu"), self.cfg.seed, say=say)
        with closing((source.held_out_part() or source).open(context)) as batches:
            return batches.unaugmented().draw(0, n if again or batches.size is None else min(n, batches.size))


def trained_game(cfg: DictConfig, state: Mapping[str, Any], what: str, ema: bool, device: str) -> tuple[Game, Machine]:
    """The game of a checkpoint on a machine.

    Args:
        what: names the checkpoint to the user.
        ema: use the averaged networks where there are such.

    Raises:
        UserError: it does not fit its own config, or there is no such device.
    """
    game = build_game(cfg, to_train=False)
    load_game(game, state, what)
    if not ema:
        game.averages.clear()
    set_threads(None, game)
    machine = choose_machine(device, cfg.trainer.precision.value, game)
    machine.place(game)
    return game, machine


def open_run(run: str, checkpoint: str, ema: bool, device: str) -> TrainedRun:
    """The run of a folder or checkpoint file, on the machine that was asked for.

    Args:
        ema: use the averaged networks where there are such.

    Raises:
        UserError: no run, no such checkpoint, or one that does not load.
    """
    path = Path(run).expanduser()
    file = find_checkpoint(path, checkpoint)
    state = load_checkpoint(file)
    cfg = config_of(state, str(file))
    game, machine = trained_game(cfg, state, str(file), ema, device)
    home = RunFolder.of(path)
    home = home if home.has_config else RunFolder(file.parent)
    return TrainedRun(cfg, game, machine, state["data"], state["progress"]["step"], home)
