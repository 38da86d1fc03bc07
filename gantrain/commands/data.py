"""`gantrain data`: fetches and packs a data set, tells what is in it, and shows what the discriminator will see."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from gantrain.commands.assembly import build_game, plain
from gantrain.commands.data_advice import advice
from gantrain.commands.data_lines import Found, lines
from gantrain.config import build, data_folder
from gantrain.data import DataContext, ImageFolder, Source, to_pixels
from gantrain.data.batches import to_real
from gantrain.data.originals import printable
from gantrain.data.pictures import files_below, is_picture
from gantrain.data.source import PackedSource
from gantrain.data.survey import class_counts, shared, survey_numbers, survey_pictures
from gantrain.errors import UserError
from gantrain.report.console import Console
from gantrain.report.pictures import save
from gantrain.report.sheet import render_numbers, render_sheet
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.tricks import Trick
from gantrain.turns import Batch

DRAWN = 10_000
"""Samples that are looked at of what is drawn afresh."""
COLUMNS = 12
"""Pictures in a row of the sheet."""

Fields = Mapping[str, np.ndarray]


def look(cfg: DictConfig, word: str | None, out: str | None, n: int, console: Console) -> Path:
    """Tells what a data set holds and writes a sheet of n samples; returns the sheet's file.

    Args:
        cfg: complete, as a run would follow it.
        word: by which the data set was chosen, where it was.
        out: the sheet's file; by default one below <outputs_dir>/data.

    Raises:
        UserError: the data is not there, or cannot be read.
    """
    if n < 1:
        raise UserError(f"n must be 1 or more, got {n}")
    source: Source = build(plain(cfg.dataset), "dataset", Source)
    context = DataContext(data_folder(cfg), torch.device("cpu"), cfg.seed, None, cfg.debug.overfit, say=console.say)
    fields, drawn = _fields(source, context)
    tricks = _tricks(cfg)
    found = _found(cfg, source, context, fields, drawn, list(tricks))
    title = _title(cfg, word)
    console.say(f"\n{title}")
    for line in lines(found):
        console.say(line)
    file = _sheet_file(cfg, out, title)
    save(_sheet(fields, source, tricks, cfg.seed, n), file)
    console.say(f"  {'sheet':<9} {file}")
    warnings = advice(found)
    console.say("\nworth a thought:" if warnings else "\nnothing here speaks against training")
    for sentence in warnings:
        console.say(f"  - {sentence}")
    return file


def _title(cfg: DictConfig, word: str | None) -> str:
    """The data set in a word: its folder's or file's name, else how it was chosen, else its class in small letters."""
    path = cfg.dataset.get("path")
    if path:
        place = Path(str(path)).expanduser().resolve()
        return printable(place.name if place.is_dir() else place.stem)
    if word and re.fullmatch(r"[\w-]+", word):
        return word
    kind = str(cfg.dataset["_target_"]).rpartition(".")[2]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()


def _fields(source: Source, context: DataContext) -> tuple[Fields, bool]:
    """What the source holds, pictures as uint8, in its own order where it is packed; and whether it is without end."""
    if isinstance(source, PackedSource):
        packed = source.fields(context)
        if "mean" in packed:  # numbers, which are standardised for training and not for a look
            packed = {"real": packed["real"] * packed["std"] + packed["mean"]}
        return {name: values[: context.limit] for name, values in packed.items()}, False
    with closing(source.open(context)) as batches:
        seed_default(mix(context.seed, Purpose.EVALUATION), context.device)
        size = batches.size
        whole = batches.unaugmented().draw(0, DRAWN if size is None else min(size, 10 * DRAWN))
    found = {name: (to_pixels(x) if x.dim() == 4 else x).numpy() for name, x in whole.items()}
    return found, size is None


def _found(
    cfg: DictConfig, source: Source, context: DataContext, fields: Fields, drawn: bool, tricks: list[str]
) -> Found:
    real, label = fields["real"], fields.get("label")
    found = Found(
        survey=survey_pictures(real) if real.ndim == 4 else survey_numbers(real),
        shape=list(source.shape),
        settings=plain(cfg.dataset),
        drawn=drawn,
        fitting=source.fitting,
        tricks=[*tricks],
    )
    if isinstance(source, PackedSource) and context.limit is None:
        found.originals = source.originals(context)
    if isinstance(source, ImageFolder):
        others = Counter(f.suffix.lower() or "(no ending)" for f in files_below(source.path) if not is_picture(f))
        found.others = {printable(ending): count for ending, count in others.most_common()}
    if label is not None:
        found.counts = class_counts(label, source.classes)
        found.names = source.class_names(context.data_dir)
    held_out = source.held_out_part()
    if held_out is not None:
        kept, _ = _fields(held_out, DataContext(context.data_dir, context.device, context.seed, say=lambda text: None))
        found.held_out, found.leaked = len(kept["real"]), shared(real, kept["real"])
    try:
        build_game(cfg)
    except UserError as error:
        found.refusal = str(error)
    return found


def _tricks(cfg: DictConfig) -> dict[str, Trick]:
    """The tricks of a run, in the order in which they play."""
    tricks: dict[str, Trick] = {}
    for path, node in (("loss.tricks", cfg.loss.get("tricks")), ("tricks", cfg.tricks)):
        if node is not None:
            tricks |= build(plain(node), path, Mapping[str, Trick])
    for name, trick in tricks.items():
        trick.name = name
    return tricks


def _sheet_file(cfg: DictConfig, out: str | None, title: str) -> Path:
    """Where the sheet goes, whose folder is made.

    Raises:
        UserError: that is no place for a file.
    """
    named = f"{title}-sheet.png"
    target = Path(out).expanduser() if out else Path(cfg.outputs_dir).expanduser() / "data" / named
    if target.suffix.lower() != ".png":
        target = target / named
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the sheet cannot go to {target}: {error.strerror}, set out=…") from error
    return target


def _sheet(fields: Fields, source: Source, tricks: Mapping[str, Trick], seed: int, n: int) -> np.ndarray:
    """Samples as they are packed and as D will see them; numbers in axes."""
    if fields["real"].ndim != 4:
        return render_numbers(np.asarray(fields["real"], np.float64)[:DRAWN])
    real = fields["real"]
    index = np.random.default_rng(seed).permutation(len(real))[:n]  # not the first ones, which may be of one class
    plain_ones = to_real(torch.from_numpy(np.array(real[np.sort(index)])))
    parts = [("as packed", plain_ones), *_augmented(plain_ones, source, tricks, seed)]
    return render_sheet([(caption, x.numpy()) for caption, x in parts], min(n, COLUMNS))


@torch.no_grad()
def _augmented(x: Tensor, source: Source, tricks: Mapping[str, Trick], seed: int) -> list[tuple[str, Tensor]]:
    """The same pictures under each augmentation that was chosen, and under all of them where there are several."""
    seed_default(mix(seed, Purpose.PICTURES), torch.device("cpu"))
    parts: list[tuple[str, Tensor]] = []
    together = x
    augment: Any = getattr(source, "augment", None)
    if augment is not None and (augment.flip or augment.crop or augment.rotate):
        chosen = {"flip": augment.flip, "crop": augment.crop, "rotate": augment.rotate}
        words = ", ".join(name if value is True else f"{name} {value}" for name, value in chosen.items() if value)
        together = augment(x)
        parts.append((f"dataset.augment: {words}", together))
    batch = Batch({}, {}, torch.zeros((), dtype=torch.int64))
    for trick in tricks.values():
        if type(trick).augment is not Trick.augment:
            parts.append((trick.show(), trick.augment(x, batch)))
            together = trick.augment(together, batch)
    return [*parts, ("all of these, as D sees them", together)] if len(parts) > 1 else parts
