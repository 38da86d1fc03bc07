"""`gantrain data`: fetches and packs a data set, tells what is in it, and shows what the discriminator will see."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from gantrain.captions import decoded
from gantrain.commands.assembly import build_game, plain
from gantrain.commands.data_advice import advice
from gantrain.commands.data_lines import Found, lines
from gantrain.commands.data_sheet import sheet_of
from gantrain.config import build, data_folder
from gantrain.data import DataContext, ImageFolder, SoundFolder, Source, TwoDomains, to_pixels
from gantrain.data.captions import FILE as CAPTIONS
from gantrain.data.pictures import files_below, is_picture
from gantrain.data.sounds import is_sound
from gantrain.data.source import PackedSource
from gantrain.data.survey import (
    NumberSurvey,
    PictureSurvey,
    SoundSurvey,
    class_counts,
    shared,
    survey_numbers,
    survey_pictures,
    survey_sounds,
)
from gantrain.errors import UserError
from gantrain.kinds import Kind
from gantrain.report.console import Console
from gantrain.report.pictures import save
from gantrain.seeding import Purpose, mix, seed_default
from gantrain.tricks import Trick
from gantrain.untrusted import printable

DRAWN = 10_000
"""Samples that are looked at of what is drawn afresh."""

SURVEYS: Mapping[Kind, Callable[[np.ndarray], PictureSurvey | SoundSurvey | NumberSurvey]] = {
    Kind.PICTURES: survey_pictures,
    Kind.SOUND: survey_sounds,
    Kind.NUMBERS: survey_numbers,
}
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
    tricks, title = _tricks(cfg), _title(cfg, word)
    pages, warnings = [], []
    for part, held_out, name in _domains(source):
        fields, drawn = _fields(part, context)
        found = _found(cfg, part, context, fields, drawn, list(tricks))
        if held_out is not None:
            quiet = replace(context, limit=None, say=lambda text: None)
            kept, _ = _fields(held_out, quiet)
            found.held_out, found.leaked = len(kept["real"]), shared(fields["real"], kept["real"])
        console.say(f"\n{title}{name}")
        for line in lines(found):
            console.say(line)
        pages.append(sheet_of(fields, part, context, tricks, n))
        warnings += [f"{name.strip(', ')}: {sentence}" if name else sentence for sentence in advice(found)]
    file = _sheet_file(cfg, out, title)
    save(np.concatenate(pages), file)
    console.say(f"  {'sheet':<9} {file}")
    console.say("\nworth a thought:" if warnings else "\nnothing here speaks against training")
    for sentence in warnings:
        console.say(f"  - {sentence}")
    return file


def _domains(source: Source) -> list[tuple[Source, Source | None, str]]:
    """What is told of by itself, with its held-out part and its name: the source, or each of its two domains."""
    if not isinstance(source, TwoDomains):
        return [(source, source.held_out_part(), "")]
    held_out = source.held_out_part()
    a, b = (None, None) if held_out is None else (held_out.a, held_out.b)
    return [(source.a, a, f", domain A ({source.names[0]})"), (source.b, b, f", domain B ({source.names[1]})")]


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
        survey=SURVEYS[Kind.of(source.shape)](real),
        shape=list(source.shape),
        settings=plain(cfg.dataset),
        drawn=drawn,
        fitting=source.fitting,
        tricks=[*tricks],
        rate=source.rate,
    )
    if isinstance(source, PackedSource) and context.limit is None:
        found.originals = source.originals(context)
    if isinstance(source, ImageFolder):
        left_out = [f for f in files_below(source.path) if not is_picture(f) and f != source.path / CAPTIONS]
        others = Counter(f.suffix.lower() or "(no ending)" for f in left_out)
        found.others = {printable(ending): count for ending, count in others.most_common()}
    if isinstance(source, SoundFolder):
        found.recordings = source.recordings(context) if context.limit is None else None
        others = Counter(f.suffix.lower() or "(no ending)" for f in files_below(source.path) if not is_sound(f))
        found.others = {printable(ending): count for ending, count in others.most_common()}
    if source.alphabet and "caption" in fields:
        found.captions = [decoded(codes, source.alphabet) for codes in fields["caption"][:, 0].tolist()]
        found.wordings = int((fields["caption"] != 0).any(2).sum())
    if label is not None:
        found.counts = class_counts(label, source.classes)
        found.names = source.class_names(context.data_dir)
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
