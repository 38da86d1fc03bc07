"""`gantrain sample`: images or numbers from a trained run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from gantrain.commands.assembly import SAMPLES, build_game, config_of, draw_samples, user_units
from gantrain.config import validate
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.report.pictures import picture, save, to_pixels
from gantrain.schema import SampleRequest
from gantrain.training.checkpoints import find, load, load_game
from gantrain.training.machine import choose_machine, set_threads

FORMATS = ("png", "npz")


def sample(asked: DictConfig, console: Console) -> Path:
    """Writes samples of a run as a picture or as npz, and returns the file.

    npz holds `samples`: uint8 (N, H, W, C) for images, float32 (N, D) for numbers.

    Raises:
        UserError: no run, no such checkpoint, or a setting that makes no sense.
    """
    asked = validate(asked, SampleRequest)
    if asked.run is None:
        raise UserError("gantrain sample needs a run: add run=<its folder or a checkpoint file>")
    if asked.n < 1:
        raise UserError(f"n must be 1 or more, got {asked.n}")
    suffix = Path(asked.out or "").suffix[1:]
    kind = suffix if suffix in FORMATS else asked.format
    if kind not in FORMATS:
        raise UserError(f"format is {' or '.join(FORMATS)}, got {kind}")
    home = Path(asked.run).expanduser()
    file = find(home, str(asked.checkpoint))
    state = load(file)
    cfg = config_of(state, str(file))
    game = build_game(cfg)
    load_game(game, state, str(file))
    if not asked.ema:
        game.averages.clear()
    set_threads(None, game)
    machine = choose_machine(asked.device, cfg.trainer.precision.value, game)
    machine.place(game)
    samples = user_units(draw_samples(game, machine, asked.n, asked.seed, SAMPLES), state["data"])

    home = home if home.is_dir() else file.parent.parent
    if not (home / "config.yaml").is_file():  # a checkpoint that lies alone
        home = file.parent
    step = state["progress"]["step"]
    named = home / "samples" / f"step{step}_n{asked.n}_seed{asked.seed}.{kind}"
    target = Path(asked.out).expanduser() if asked.out else named
    if target.suffix != f".{kind}":
        target = target / named.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        held = to_pixels(samples) if samples.ndim == 4 else samples.astype(np.float32)
        np.savez(target, samples=held)
    else:
        save(picture(samples, samples[:0], None, f"{cfg.name}, step {step:,}", ""), target)
    console.say(f"{asked.n:,} samples of step {step:,}: {target}")
    return target
