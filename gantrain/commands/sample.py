"""`gantrain sample`: images or numbers from a trained run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from gantrain.commands.assembly import SAMPLES, build_game, config_of, draw, user_units
from gantrain.config import validate
from gantrain.data import ImageFolder, Place
from gantrain.data.batches import to_real
from gantrain.errors import UserError
from gantrain.files import folder_in, replacing
from gantrain.games import Game, Request
from gantrain.report.console import Console
from gantrain.report.pictures import picture, save, to_pixels
from gantrain.schema import SampleRequest
from gantrain.seeding import mix, seed_default
from gantrain.training.checkpoints import find, load, load_game
from gantrain.training.machine import choose_machine, set_threads

FORMATS = ("png", "npz")
WORDS = ("class", "code")
"""What only some games know."""


def sample(asked: DictConfig, console: Console) -> Path:
    """Writes samples of a run as a picture or as npz, and returns the file.

    npz holds `samples`: uint8 (N, H, W, C) for images, float32 (N, D) for numbers; and what is known about each, such
    as `labels`.

    Raises:
        UserError: no run, no such checkpoint, or a setting that makes no sense.
    """
    words = {word: str(asked[word]) for word in WORDS if asked.get(word) is not None}
    asked = validate(OmegaConf.masked_copy(asked, [str(k) for k in asked if k not in WORDS]), SampleRequest)
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
    game = build_game(cfg, to_train=False)
    load_game(game, state, str(file))
    if not asked.ema:
        game.averages.clear()
    set_threads(None, game)
    machine = choose_machine(asked.device, cfg.trainer.precision.value, game)
    machine.place(game)
    request = _request(game, cfg, asked, words, console)
    drawn = draw(game, machine, request, asked.seed, SAMPLES)
    samples = user_units(drawn.pop("samples"), state["data"])

    home = home if home.is_dir() else file.parent.parent
    if not (home / "config.yaml").is_file():  # a checkpoint that lies alone
        home = file.parent
    step = state["progress"]["step"]
    wished = "".join(f"_{word}-{value}" for word, value in words.items())
    named = home / "samples" / f"step{step}_n{request.n}_seed{asked.seed}{wished}.{kind}"
    target = Path(asked.out).expanduser() if asked.out else named
    if target.suffix != f".{kind}":
        target = target / named.name
    if asked.out is None:
        folder_in(home, named.parent.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        held = to_pixels(samples) if samples.ndim == 4 else samples.astype(np.float32)
        known = {"labels" if name == "label" else name: values.numpy() for name, values in drawn.items()}
        with replacing(target) as stream:
            np.savez(stream, allow_pickle=False, samples=held, **known)
    else:
        if request.inputs is not None:  # each input beside what is made of it
            samples = np.stack([request.inputs.numpy(), samples], 1).reshape(-1, *samples.shape[1:])
        save(picture(samples, samples[:0], None, f"{cfg.name}, step {step:,}", "", request.columns), target)
    console.say(f"{request.n:,} samples of step {step:,}: {target}")
    return target


def _request(game: Game, cfg: DictConfig, asked: DictConfig, words: dict[str, str], console: Console) -> Request:
    """What the user's words ask of the game.

    Raises:
        UserError: it does not know them.
    """
    seed_default(mix(asked.seed, SAMPLES), game.device)
    try:
        if asked.input is None:
            return game.request(asked.n, words)
        if not game.reconstructs:
            raise ValueError("input=… asks for reconstructions, which need a run with an encoder, such as model=bigan")
        if len(cfg.data.shape) != 3:
            raise ValueError("input=… takes pictures, but this run makes numbers: leave it out")
        if words:
            raise ValueError(f"input=… leaves nothing to choose: leave out {', '.join(words)}")
    except ValueError as error:
        raise UserError(str(error)) from error
    channels, size, _ = cfg.data.shape
    place = Place(Path(), torch.device("cpu"), say=console.say)
    pictures = ImageFolder(str(asked.input), size, channels).fields(place)["real"]
    inputs = to_real(torch.from_numpy(np.array(pictures)))
    return Request(len(inputs), inputs=inputs, columns=8)
