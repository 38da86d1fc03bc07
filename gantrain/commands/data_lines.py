"""What `gantrain data` says: lines under headings, from figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from textwrap import wrap
from typing import Any

import numpy as np

from gantrain.commands.data_sound import sound_lines
from gantrain.data.fitting import Fitting
from gantrain.data.originals import Originals
from gantrain.data.recordings import Recordings
from gantrain.data.survey import NumberSurvey, PictureSurvey, SoundSurvey
from gantrain.report.sounds import RATE

MODES = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "PA": "palette with transparency",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "CMYK": "print colours",
    "YCbCr": "video colours",
    "I;16": "grey of 16 bits",
    "I": "grey of 32 bits",
    "F": "grey of floats",
    "LAB": "Lab colour",
}
"""PIL's modes in words."""
CHANNELS = {1: "grey", 3: "colour", 4: "colour with transparency"}
LINE = 100
"""Signs in a line beside its heading."""
LISTED = 10
"""Files, classes and columns that are named one by one."""


@dataclass
class Found:
    """All that was found out about a data set.

    Attributes:
        survey: of its samples, as they are packed.
        settings: of the group dataset, as they were chosen.
        drawn: samples are drawn afresh without end, and the survey is of some of them.
        originals, fitting: what its files were and what was done to them, where it has files.
        recordings, rate: the same of sound, and samples a second.
        others: how many files are no pictures, or no sound, by their ending.
        counts, names: of its classes; empty where it has none.
        held_out: how many samples are kept from training, None where there are none.
        leaked: how many of those are trained on all the same.
        tricks: names of the tricks that were chosen.
        refusal: why training would be refused, if it would.
        captions: the first of each sample, where they have captions.
        wordings: how many captions there are in all.
    """

    survey: PictureSurvey | NumberSurvey | SoundSurvey
    shape: list[int]
    settings: Mapping[str, Any]
    drawn: bool = False
    originals: Originals | None = None
    fitting: Fitting | None = None
    recordings: Recordings | None = None
    rate: int | None = None
    others: Mapping[str, int] = field(default_factory=dict)
    counts: Sequence[int] = ()
    names: Sequence[str] = ()
    held_out: int | None = None
    leaked: int = 0
    tricks: Sequence[str] = ()
    refusal: str | None = None
    captions: Sequence[str] = ()
    wordings: int = 0

    def name(self, label: int) -> str:
        return self.names[label] if label < len(self.names) else str(label)

    def file(self, index: int) -> str:
        """Which sample it is: its file where there is one, else its number."""
        files = self.originals or self.recordings
        return files.names[index] if files is not None and index < len(files.names) else f"number {index}"


def lines(found: Found) -> list[str]:
    """What there is, a line for each heading."""
    match found.survey:
        case PictureSurvey():
            told = _pictures(found)
        case SoundSurvey():
            known = (found.shape, found.rate or RATE, found.recordings, found.others)
            told = sound_lines(found.survey, *known, found.file)
        case NumberSurvey():
            told = _numbers(found, found.survey)
    told += [("classes", _classes(found))]
    if found.captions:
        longest = max(found.captions, key=len)
        told += [("captions", f"{found.wordings:,}, such as {found.captions[0]!r}; the longest like {longest!r}")]
    held_out = "none"
    if found.held_out:
        held_out = f"{found.held_out:,} samples, which training never sees"
        held_out += f"; {found.leaked:,} of them are copies of what it sees" if found.leaked else ""
    told += [("held out", held_out)]
    return [line for heading, text in told for line in folded(heading, text)]


def folded(heading: str, text: str) -> list[str]:
    """The text beside its heading, in lines that fit a terminal."""
    parts = [line for part in text.splitlines() for line in wrap(part, LINE, subsequent_indent="  ") or [""]]
    return [f"  {heading if not k else '':<9} {line}".rstrip() for k, line in enumerate(parts)]


def _pictures(found: Found) -> list[tuple[str, str]]:
    survey, (channels, height, width) = found.survey, found.shape
    assert isinstance(survey, PictureSurvey)
    kind = f" ({CHANNELS[channels]})" if channels in CHANNELS else ""
    few = f"{survey.count:,} of them were drawn for this look" if found.drawn else f"{survey.count:,}"
    told = [("pictures", f"{few}, packed {height} high and {width} wide, {counted(channels, 'channel')}{kind}")]
    told += _files(found)
    mean, std = (" ".join(f"{value:.2f}" for value in values) for values in (survey.mean, survey.std))
    told += [("values", f"mean {mean}, std {std} of each channel, where 0 is black and 1 white")]
    equal = f"{survey.copies:,} equal an earlier one" if survey.copies else "none are equal"
    near = f"{survey.near:,} look nearly as an earlier one" if survey.near else "none look nearly so"
    first = ""
    if survey.pair:
        first = f" ({found.file(survey.pair[0])} and {found.file(survey.pair[1])} first)"
    told += [("copies", f"{equal}, {near}{first}")]
    if survey.flat:
        told += [("flat", f"{counted(len(survey.flat), 'picture')} of one colour ({found.file(survey.flat[0])} first)")]
    return told


def _files(found: Found) -> list[tuple[str, str]]:
    """What the files were and what was done to them."""
    originals = found.originals
    if originals is None:
        return []
    kept, broken = len(originals.names), originals.broken
    text = f"{kept:,} read"
    if broken:
        named = [f"{name}: {reason}" for name, reason in list(broken.items())[:LISTED]]
        text += f", {len(broken):,} broken and left out:\n" + "\n".join(named)
        text += f"\nand {len(broken) - LISTED:,} more" if len(broken) > LISTED else ""
    if found.others:
        listed = ", ".join(f"{count:,} {ending}" for ending, count in list(found.others.items())[:LISTED])
        text += f"\nother files, left out: {listed}"
    told = [("files", text), ("sizes", _sizes(originals.by_size()))]
    modes = sorted(originals.modes.items(), key=lambda item: -item[1])
    text = ", ".join(f"{count:,} {MODES.get(mode, mode)}" for mode, count in modes)
    told += [("modes", "\n".join([text, *originals.treated(found.shape[0])]))]
    if found.fitting is not None:
        told += [("fit", _fit(found.fitting, originals.by_size()))]
    return told


def _sizes(sizes: Mapping[tuple[int, int], int]) -> str:
    if len(sizes) == 1:
        ((height, width),) = sizes
        return f"all {height} high and {width} wide"
    every = [size for size, count in sizes.items() for _ in range(count)]
    text = []
    for word, values in zip(("high", "wide"), zip(*every, strict=True), strict=True):
        text.append(f"{min(values):,} to {max(values):,} {word} (half of them {median(values):,.0f} or more)")
    return f"{', '.join(text)}, {len(sizes):,} different"


def _fit(fitting: Fitting, sizes: Mapping[tuple[int, int], int]) -> str:
    effects = fitting.effects(sizes)
    what = {
        "crop": f"{effects.lost:.0%} of a picture is cut away",
        "pad": f"{effects.border:.0%} of the result is border",
        "stretch": f"sides are stretched against each other {effects.stretched:.2f} times",
    }[fitting.fit]
    low, high = effects.scale
    scaled = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
    blown = f", {effects.upscaled:,} of them blown up" if effects.upscaled else ""
    return f"{fitting.fit}: {what} on average; scaled by {scaled}{blown}"


def _numbers(found: Found, survey: NumberSurvey) -> list[tuple[str, str]]:
    rows = f"{survey.count:,} of them were drawn for this look" if found.drawn else f"{survey.count:,}"
    columns = len(survey.mean)
    head = f"{'column':<8}{'mean':>11}{'std':>11}{'least':>11}{'most':>11}"
    table = [
        f"{k:<8}{survey.mean[k]:>11.4g}{survey.std[k]:>11.4g}{survey.low[k]:>11.4g}{survey.high[k]:>11.4g}"
        for k in range(min(columns, 2 * LISTED))
    ]
    table += [f"and {columns - 2 * LISTED:,} more"] if columns > 2 * LISTED else []
    constant = ", ".join(map(str, survey.constant[:LISTED])) or "none"
    return [
        ("samples", f"{rows}, {counted(columns, 'number')} each"),
        ("values", "\n".join([head, *table])),
        ("constant", f"columns: {constant}"),
        ("copies", f"{survey.copies:,} rows equal an earlier one" if survey.copies else "no two rows are equal"),
    ]


def _classes(found: Found) -> str:
    counts, total = found.counts, sum(found.counts)
    if not counts:
        return "none: there are no labels"
    if len(counts) == 1:
        return f"one alone, {found.name(0)}: as good as no labels"
    if len(counts) <= 2 * LISTED:
        said = [f"{found.name(k)}: {count:,} ({count / total:.0%})" for k, count in enumerate(counts)]
        return f"{len(counts)}; {', '.join(said)}"
    order = np.argsort(counts, kind="stable")
    fewest, most = int(order[0]), int(order[-1])
    few, many = f"{counts[fewest]:,} of {found.name(fewest)}", f"{counts[most]:,} of {found.name(most)}"
    return f"{len(counts):,}, the smallest with {few}, the largest with {many}"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
