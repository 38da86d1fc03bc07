"""`gantrain sample`: images or numbers from a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gantrain.commands.assembly import build_game, config_of, plain
from gantrain.commands.pictures import picture_of
from gantrain.commands.sampling import generate_samples, in_user_units, side_by_side, with_inputs
from gantrain.config import SampleRequest, build, data_folder, nearest, validate
from gantrain.data import DataContext, ImageFolder, Source
from gantrain.data.batches import to_real
from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.games import Game, Request
from gantrain.report.console import Console
from gantrain.report.pictures import save, to_pixels
from gantrain.runs import RunFolder, find_checkpoint, load_checkpoint
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.training.checkpoints import load_game
from gantrain.training.machine import Machine, choose_machine, set_threads
from gantrain.turns import Samples

FORMATS = ("png", "npz")


def sample(asked: DictConfig, console: Console) -> Path:
    """Writes samples of a run as a picture or as npz, and returns the file.

    npz holds `samples`, and what other sets the game makes: uint8 (N, H, W, C) for images, float32 (N, D) for numbers;
    and what is known about each, such as `labels`.

    Raises:
        UserError: no run, no such checkpoint, or a setting that makes no sense.
    """
    settings = {field.name for field in fields(SampleRequest)}
    words = {str(key): str(value) for key, value in asked.items() if key not in settings and value is not None}
    asked = validate(OmegaConf.masked_copy(asked, [str(key) for key in asked if key in settings]), SampleRequest)
    suffix = _check(asked)
    path = Path(asked.run).expanduser()
    file = find_checkpoint(path, str(asked.checkpoint))
    state = load_checkpoint(file)
    cfg = config_of(state, str(file))
    game, machine = _trained(cfg, state, file, asked)
    step = state["progress"]["step"]
    request = replace(_request(game, cfg, asked, words, console), step=step)
    made = generate_samples(game, machine, request, asked.seed, Purpose.SAMPLES)
    target = _target(_home(path, file), asked, request.n, step, words, suffix)
    if suffix == "npz":
        _save_arrays(made, state["data"], target)
    else:
        shown, columns = side_by_side(made, request)
        title = f"{cfg.name}, step {step:,}"
        save(picture_of(cfg.data.shape, columns).render(in_user_units(shown, state["data"]), title), target)
    console.say(f"{request.n:,} samples of step {step:,}: {target}")
    return target


def _check(asked: DictConfig) -> str:
    """The format to write, once the settings make sense.

    Raises:
        UserError: they do not.
    """
    if asked.run is None:
        raise UserError("gantrain sample needs a run: add run=<its folder or a checkpoint file>")
    if asked.n < 1:
        raise UserError(f"n must be 1 or more, got {asked.n}")
    suffix = Path(asked.out or "").suffix[1:]
    if suffix in FORMATS:
        return suffix
    if asked.format not in FORMATS:
        raise UserError(f"format is {' or '.join(FORMATS)}, got {asked.format}")
    return asked.format


def _trained(cfg: DictConfig, state: dict[str, Any], file: Path, asked: DictConfig) -> tuple[Game, Machine]:
    """The game of a checkpoint, on the machine that was asked for."""
    game = build_game(cfg, to_train=False)
    load_game(game, state, str(file))
    if not asked.ema:
        game.averages.clear()
    set_threads(None, game)
    machine = choose_machine(asked.device, cfg.trainer.precision.value, game)
    machine.place(game)
    return game, machine


def _request(game: Game, cfg: DictConfig, asked: DictConfig, words: dict[str, str], console: Console) -> Request:
    """What the user's words ask of the game.

    Raises:
        UserError: it does not know them.
    """
    seed_default(mix(asked.seed, Purpose.SAMPLES), game.device)
    try:
        if asked.input is None:
            request = game.request(asked.n, words)
            return with_inputs(game, request, _data(cfg, request.n, console) if game.inputs else {})
        if not game.reconstructs and not game.inputs:
            raise ValueError("input=… asks for reconstructions, which need a run with an encoder, such as model=bigan")
        if len(cfg.data.shape) != 3:
            raise ValueError("input=… takes pictures, but this run makes numbers: leave it out")
        if words:
            raise ValueError(f"input=… leaves nothing to choose: leave out {', '.join(words)}")
    except ValueError as error:
        hints = (nearest(word, [field.name for field in fields(SampleRequest)]) for word in words)
        raise UserError(f"{error}{next(filter(None, hints), '')}") from error
    channels, size, _ = cfg.data.shape
    context = DataContext(Path(), torch.device("cpu"), say=console.say)
    pictures = ImageFolder(str(asked.input), size, channels).fields(context)["real"]
    inputs = to_real(torch.from_numpy(np.array(pictures)))
    return Request(len(inputs), inputs={(*game.inputs, "real")[0]: inputs}, columns=8)


def _data(cfg: DictConfig, n: int, console: Console) -> dict[str, Tensor]:
    """n samples of the run's data: of those that training never saw, where there are such."""
    source = build(plain(cfg.dataset), "dataset", Source)
    context = DataContext(data_folder(cfg), torch.device("cpu"), cfg.seed, say=console.say)
    with closing((source.held_out_part() or source).open(context)) as batches:
        return batches.unaugmented().draw(0, n)


def _home(path: Path, file: Path) -> RunFolder:
    """The run that a checkpoint belongs to; where one lies alone, the folder that it lies in."""
    run = RunFolder.of(path)
    return run if run.has_config else RunFolder(file.parent)


def _target(home: RunFolder, asked: DictConfig, n: int, step: int, words: dict[str, str], suffix: str) -> Path:
    """The file to write, whose folder is made: `out`, by default one of the run's own whose name says what is in it."""
    named = home.samples.asked(step, n, asked.seed, words, suffix)
    if asked.out is None:
        home.samples.make()
        return named
    target = Path(asked.out).expanduser()
    if target.suffix != f".{suffix}":
        target = target / named.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _save_arrays(made: Mapping[str, Samples], facts: Mapping[str, Tensor], target: Path) -> None:
    """Every set of samples by its name, then what is known of them."""
    arrays = {name: in_user_units(samples.x, facts).astype(np.float32) for name, samples in made.items()}
    for number, (kind, samples) in enumerate(made.items()):
        known = {"labels" if name == "label" else name: values for name, values in samples.conditions.items()}
        arrays |= {f"{kind}_{name}" if number else name: values.numpy() for name, values in known.items()}
    held = {name: to_pixels(x) if x.ndim == 4 else x for name, x in arrays.items()}
    with replacing(target) as stream:
        np.savez(stream, allow_pickle=False, **held)
