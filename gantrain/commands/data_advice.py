"""What `gantrain data` warns of: a sentence for each, with what to change."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from gantrain.commands.data_lines import Found, counted
from gantrain.commands.data_sound import sound_advice
from gantrain.config import AUGMENTING
from gantrain.data.fitting import shaped, size_in_words
from gantrain.data.glance import LOST, SIDES
from gantrain.data.originals import Originals
from gantrain.data.pictures import CONVERT
from gantrain.data.source import few_of
from gantrain.data.survey import NumberSurvey, PictureSurvey, SoundSurvey
from gantrain.report.sounds import RATE

COPIED, BORDER, STRETCHED, BLOWN = 0.02, 0.3, 1.35, 0.1
"""Shares of the whole, and a ratio of sides, from which on it is worth a sentence."""
IMBALANCE = 10
DARK = 0.02
"""Contrast within a picture, on [0, 1], below which there is hardly anything to see."""
FAR = 12
"""Standard deviations beyond which a number draws the network to it."""


def advice(found: Found) -> list[str]:
    """The warnings, the weightiest first."""
    told = [f"training would be refused: {found.refusal}"] if found.refusal else []
    if isinstance(found.survey, PictureSurvey):
        told += [*_number_of(found, found.survey), *_samples(found, found.survey)]
        if found.originals is not None:
            told += [*_files(found, found.originals), *_fit(found, found.originals)]
    elif isinstance(found.survey, SoundSurvey):
        told += sound_advice(found.survey, found.recordings, found.rate or RATE, found.settings, found.file)
    else:
        told += _numbers(found.survey)
    if found.leaked:
        told.append(
            f"{found.leaked:,} held-out samples are among those that are trained on: figures on them flatter, so "
            "remove them from one part"
        )
    return [*told, *_classes(found)]


def _number_of(found: Found, survey: PictureSurvey) -> Iterator[str]:
    if not found.drawn and survey.count - survey.copies < few_of(found.shape) and not {*AUGMENTING} & {*found.tricks}:
        yield (
            f"no more than {counted(survey.count - survey.copies, 'different picture')}, which the discriminator may "
            "learn by heart: add 'tricks=[ema,diffaugment]' or 'tricks=[ema,ada]'"
        )


def _samples(found: Found, survey: PictureSurvey) -> Iterator[str]:
    if survey.copies + survey.near > COPIED * survey.count and not found.drawn:
        yield (
            f"{survey.copies + survey.near:,} of {survey.count:,} pictures are copies of others or nearly so, and "
            "count as often as they are there: remove what should not count more"
        )
    if len(survey.flat) > COPIED * survey.count:
        yield (
            f"{counted(len(survey.flat), 'picture')} of one colour, {found.file(survey.flat[0])} first: remove them, "
            "or see whether they were saved well"
        )
    elif survey.contrast < DARK:
        yield "there is hardly any contrast in the pictures: stretch their brightness before training"
    if survey.grey and found.shape[0] >= 3 and "channels" in found.settings:
        yield "no picture has any colour: dataset.channels=1 needs less memory and time"
    if survey.opaque and "channels" in found.settings:
        yield "no picture lets anything through: dataset.channels=3 needs no fourth channel"


def _files(found: Found, originals: Originals) -> Iterator[str]:
    whole = len(originals.names) + len(originals.broken)
    if originals.broken:
        yield f"{len(originals.broken):,} of {whole:,} pictures are broken: mend or remove them, or go on without them"
    lost = {ending: count for ending, count in found.others.items() if ending in CONVERT}
    if lost:
        listed = ", ".join(f"{ending} ({count:,})" for ending, count in lost.items())
        yield f"files of a format that is not read, {listed}: convert them to .png or .jpg"
    if originals.clear > LOST * whole and found.shape[0] != 4 and "channels" in found.settings:
        yield f"{originals.clear:,} pictures are see-through in parts, which became white: dataset.channels=4 keeps it"


def _fit(found: Found, originals: Originals) -> Iterator[str]:
    fitting, sizes = found.fitting, originals.by_size()
    if fitting is None:
        return
    effects = fitting.effects(sizes)
    better = _better_size(found, originals)
    other = f"try dataset.image_size={better}, or " if better else "try "
    if fitting.fit == "crop" and effects.lost > LOST and fitting.share == 1:
        yield f"{effects.lost:.0%} of a picture is cut away on average: {other}dataset.fit=pad"
    if fitting.fit == "pad" and effects.border > BORDER:
        yield f"{effects.border:.0%} of the result is border on average: {other}dataset.fit=crop"
    if fitting.fit == "stretch" and effects.stretched > STRETCHED:
        yield f"sides are stretched against each other {effects.stretched:.2f} times: {other}dataset.fit=crop"
    if effects.upscaled > BLOWN * sum(sizes.values()):
        shorter = sorted(min(size) for size, count in sizes.items() for _ in range(count))
        side = shorter[len(shorter) // 10]
        smaller = next((size for size in (128, *SIDES) if size <= side and size < min(fitting.size)), None)
        tall, wide = fitting.size
        size = size_in_words(shaped(smaller, wide / tall)) if smaller else ""
        way_out = f": dataset.image_size={size} asks for no more than they hold" if smaller else ""
        few = counted(effects.upscaled, "picture")
        yield f"{few} smaller than what is made of them, and blown up{way_out}"


def _better_size(found: Found, originals: Originals) -> str | None:
    """A size of about the pictures' own shape on which networks work without a border, where it differs."""
    _, height, width = found.shape
    ratio = median(wide / tall for (tall, wide), count in originals.by_size().items() for _ in range(count))
    size = shaped(min(height, width), ratio)
    return None if size == (height, width) else size_in_words(size)


def _numbers(survey: NumberSurvey) -> Iterator[str]:
    if survey.constant:
        listed = ", ".join(map(str, survey.constant[:10]))
        yield f"all values are equal in column {listed}, from which nothing can be learnt: leave it out of the file"
    far = [k for k, value in enumerate(survey.far) if value > FAR]
    if far:
        yield (
            f"column {far[0]} holds a value {survey.far[far[0]]:.0f} standard deviations from its mean: see whether it "
            "is right, or take the logarithm of that column"
        )
    if survey.copies > 0.5 * survey.count:
        yield f"{survey.copies:,} of {survey.count:,} rows equal an earlier one: the set is smaller than it looks"


def _classes(found: Found) -> Iterator[str]:
    counts = [] if found.drawn else found.counts
    there = [k for k, count in enumerate(counts) if count]
    if len(counts) > 1 and len(there) == 1:
        yield f"every sample is of the class {found.name(there[0])}: a model with labels has nothing to learn from them"
    elif len(there) < len(counts):
        missing = next(k for k, count in enumerate(counts) if not count)
        yield f"the class {found.name(missing)} has no sample: remove its folder, or mend its files"
    if len(there) > 1 and max(counts) > IMBALANCE * min(counts[k] for k in there):
        low, high = min(there, key=lambda k: counts[k]), max(there, key=lambda k: counts[k])
        yield (
            f"the class {found.name(high)} has {counts[high]:,} samples and {found.name(low)} {counts[low]:,}: a model "
            "with labels will know little of the small ones, so gather more of them or leave them out"
        )
