"""`gantrain sample input=…` where a game translates: each of the user's pictures, under its name and in its size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.assembly import plain
from gantrain.commands.trained import TrainedRun
from gantrain.config import build
from gantrain.data import Source
from gantrain.data.batches import to_real
from gantrain.data.fitting import Fitting
from gantrain.data.memory import free_memory
from gantrain.data.pictures import FORMATS, is_picture, open_picture, pictures_below, size_of
from gantrain.errors import UserError
from gantrain.networks.translator import Translator, bytes_per_pixel, translate
from gantrain.ranges import WIDTH, within
from gantrain.report.console import Console
from gantrain.report.pictures import save, to_pixels
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.untrusted import printable

REFUSED = ("grid", "interpolate", "truncation", "standing")
"""Settings that mean nothing where each picture is translated into a file of its own."""
LEAST_TILE = 64
"""The side of the smallest tile that memory asks for."""


def translator_of(run: TrainedRun, words: Mapping[str, str]) -> Translator | None:
    """The network of the run that translates pictures, as the user's words choose it; None where its game has none.

    Raises:
        UserError: the game does not know such a word.
    """
    try:
        return run.game.translator(words)
    except ValueError as error:
        raise UserError(str(error)) from error


def translate_files(
    run: TrainedRun, network: Translator, asked: DictConfig, words: Mapping[str, str], form: str, console: Console
) -> Path:
    """Translates the user's picture, or every one in a folder; returns the file or folder that was written.

    Raises:
        UserError: there is no picture, none can be read, or a setting makes no sense.
    """
    _check(asked, form)
    given = Path(str(asked.input)).expanduser()
    files = _pictures(given)[: asked.n]
    target = _target(run, asked, words, given)
    scale = build(plain(run.cfg.dataset), "dataset", Source).enlarges
    if scale > 1:
        console.say(f"pictures are enlarged to {scale} times their size first, as those of the run were")
    tiles = _Tiles(network, run, asked.tile, console)
    broken: list[str] = []
    alone = target.suffix.lower() == ".png" and given.is_file()
    places = [target] if alone else [target / name for name in _names(files, given)]
    for file, place in zip(files, places, strict=True):
        try:
            x = _read(file, network.channels, scale)
        except Exception as error:  # decoders raise anything on broken files
            broken.append(f"{printable(file.name)}: {printable(str(error))[:100]}")
            console.say(f"skipped {broken[-1]}")
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        picture = to_pixels(_translated(run, network, x, tiles.side(x), asked.seed).numpy())[0]
        save(picture[..., 0] if picture.shape[2] == 1 else picture, place)
    if len(broken) == len(files):
        raise UserError(f"none of the {len(files):,} pictures in {given} can be read, {broken[0]}: give others")
    console.say(f"{len(files) - len(broken):,} pictures translated by step {run.step:,}: {target}")
    return target


def _check(asked: DictConfig, form: str) -> None:
    """Raises UserError where a setting makes no sense beside input=…"""
    for name in REFUSED:
        if asked[name] is not None:
            raise UserError(f"input=… makes one picture of each that is given: leave out {name}")
    if form not in ("png", "files"):
        raise UserError(f"input=… writes a PNG for each picture: leave out format={form}")
    try:
        within(WIDTH, tile=asked.tile)
    except ValueError as error:
        raise UserError(str(error)) from error


def _pictures(given: Path) -> list[Path]:
    """The picture that is given, or those of a folder.

    Raises:
        UserError: there are none.
    """
    if given.is_dir():
        try:
            return pictures_below(given)
        except UserError as error:
            raise UserError(str(error).replace("dataset.path", "input=…")) from error
    if not given.is_file():
        raise UserError(f"there is no {given}: set input=… to a picture or a folder of pictures")
    if not is_picture(given):
        raise UserError(f"{given} is no picture of a format that is read ({', '.join(sorted(FORMATS))}): convert it")
    return [given]


def _names(files: list[Path], given: Path) -> list[str]:
    """What each result is called, from the folder on: as its picture, with the ending .png.

    Where two pictures differ in their endings alone, their results keep these too; all do where that is not enough.
    """
    top = given if given.is_dir() else given.parent
    plain_names = [str(file.relative_to(top).with_suffix(".png")) for file in files]
    often = Counter(plain_names)
    whole = [f"{file.relative_to(top)}.png" for file in files]
    names = [long if often[short] > 1 else short for long, short in zip(whole, plain_names, strict=True)]
    return names if len(set(names)) == len(names) else whole


def _target(run: TrainedRun, asked: DictConfig, words: Mapping[str, str], given: Path) -> Path:
    """The folder to write to, or for one picture the file that the user named.

    Raises:
        UserError: the folder holds files already, or the file is the picture itself.
    """
    if asked.out is None:
        run.home.samples.make()
        return run.home.samples.translated(run.step, given.resolve().stem, asked.seed, words)
    target = Path(asked.out).expanduser()
    if target.exists() and target.samefile(given):
        raise UserError(f"out={asked.out} is what input=… names, which would be lost: choose another file or folder")
    if target.suffix.lower() == ".png" and given.is_file():
        return target
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise UserError(f"out={asked.out} holds files already: choose a new folder")
    return target


def _read(file: Path, channels: int, scale: int) -> Tensor:
    """A picture (1, C, H, W) in [-1, 1]."""
    height, width = size_of(file)
    pixels, _ = open_picture(file, Fitting((height * scale, width * scale), "stretch"), channels)
    return to_real(torch.from_numpy(pixels.copy()))[None]


def _translated(run: TrainedRun, network: Translator, x: Tensor, tile: int | None, seed: int) -> Tensor:
    """A picture (1, C, H, W), which depends on no other that is translated."""
    seed_default(mix(seed, Purpose.SAMPLES), run.machine.device)
    with run.game.evaluating(network), run.machine.autocast():
        return translate(network, x.to(run.machine.device), tile)


class _Tiles:
    """In tiles of which side pictures are translated: what was asked for, else what half of the free memory holds."""

    def __init__(self, network: Translator, run: TrainedRun, asked: int | None, console: Console) -> None:
        self.least, self.asked, self.console = network.least, asked, console
        with run.game.evaluating(network), run.machine.autocast():
            self.pixel = bytes_per_pixel(network, run.machine.device)
        self.room = free_memory(run.machine.device) / 2
        self.told = False

    def side(self, x: Tensor) -> int | None:
        """For a picture x (1, C, H, W); None where one piece will do."""
        height, width = x.shape[2:]
        if self.asked is not None:
            return max(self.asked, self.least)
        if height * width * self.pixel <= self.room:
            return None
        side = max(int(math.sqrt(self.room / self.pixel)), LEAST_TILE, self.least)
        if not self.told:
            need = height * width * self.pixel / 2**30
            self.console.say(f"{height}x{width} pixels would take {need:.1f} GiB: made in tiles of {side} (tile=…)")
            self.told = True
        return side
