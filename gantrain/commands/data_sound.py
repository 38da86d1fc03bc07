"""What `gantrain data` says of sound: lines under headings, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from gantrain.data.recordings import Recordings
from gantrain.data.survey import SoundSurvey

LISTED = 10
"""Files that are named one by one."""
QUIET, SPREAD = -45.0, 30.0
"""Decibels below which half of the sounds are hard to hear, and by which loudness may differ."""
OFFSET, CLIPPED, COPIED, PADDED, LOST = 0.02, 0.05, 0.02, 0.5, 0.3
"""Shares, of full scale or of the whole, from which on it is worth a sentence."""


def sound_lines(
    survey: SoundSurvey,
    shape: Sequence[int],
    rate: int,
    recordings: Recordings | None,
    others: Mapping[str, int],
    file: Callable[[int], str],
) -> list[tuple[str, str]]:
    """Headings and the text beside each.

    Args:
        others: how many files are no sound, by their ending.
        file: which sample one is.
    """
    channels, length = shape
    kind = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
    held = f"{length:,} samples each, {length / rate:.3g} s at {rate:,} a second, {kind}, packed as 16 bits"
    low, first, _, third, high = survey.loudness
    loud = f"{low:.0f} to {high:.0f} dB of full scale on average, half of them {first:.0f} to {third:.0f}"
    copies = f"{survey.copies:,} equal an earlier one" if survey.copies else "none are equal"
    if survey.pair:
        copies += f" ({file(survey.pair[0])} and {file(survey.pair[1])} first)"
    told = [("sounds", f"{survey.count:,}, {held}")]
    if recordings is not None:
        told += _files(recordings, others)
    told += [("values", loud), ("copies", copies)]
    if survey.clipped:
        told += [("too loud", f"{len(survey.clipped):,} reach full scale often ({file(survey.clipped[0])} first)")]
    return told


def _files(recordings: Recordings, others: Mapping[str, int]) -> list[tuple[str, str]]:
    """What the files were and what was done to them."""
    text = f"{len(recordings.seconds):,} read"
    left_out = [f"{name}: {reason}" for name, reason in recordings.broken.items()]
    left_out += [f"{name}: it is silent" for name in recordings.silent]
    if left_out:
        text += f", {len(left_out):,} left out:\n" + "\n".join(left_out[:LISTED])
        text += f"\nand {len(left_out) - LISTED:,} more" if len(left_out) > LISTED else ""
    if others:
        text += "\nother files, left out: " + ", ".join(f"{n:,} {ending}" for ending, n in [*others.items()][:LISTED])
    kinds = ", ".join(_counts(recordings.encodings, "{}"))
    channels = ", ".join(_counts(recordings.channels, "of {} channel(s)"))
    done = f"{recordings.cut:,} were cut into pieces, {recordings.padded:,} pieces end in silence that was added"
    done += f", {recordings.quiet:,} silent pieces were left out" if recordings.quiet else ""
    seconds = recordings.seconds
    span = f"{min(seconds):.3g} to {max(seconds):.3g} s, half of them {median(seconds):.3g} s or more"
    rates = ", ".join(_counts(recordings.rates, "at {} a second"))
    return [("files", text), ("length", f"{span}\n{done}"), ("rates", rates), ("kinds", f"{kinds}; {channels}")]


def _counts(found: Mapping[str, int], words: str) -> list[str]:
    """How many have which, the most first."""
    ordered = sorted(found.items(), key=lambda item: -item[1])[:LISTED]
    return [f"{count:,} {words.format(f'{int(key):,}' if key.isdigit() else key)}" for key, count in ordered]


def sound_advice(
    survey: SoundSurvey,
    recordings: Recordings | None,
    rate: int,
    settings: Mapping[str, Any],
    file: Callable[[int], str],
) -> Iterator[str]:
    """A sentence for each thing that is worth a thought, with what to change.

    Args:
        settings: of the data set.
        file: which sample one is.
    """
    low, _, middle, _, high = survey.loudness
    normalised = settings.get("normalise", True)
    if (middle < QUIET or high - low > SPREAD) and not normalised:
        what = "half of the sounds are very quiet" if middle < QUIET else f"loudness differs by {high - low:.0f} dB"
        yield f"{what}: dataset.normalise=true makes the loudest sample of each file full scale"
    if abs(survey.offset) > OFFSET:
        yield f"sounds lie {survey.offset:+.2f} beside the middle on average: take the constant part out of the files"
    if len(survey.clipped) > CLIPPED * survey.count:
        yield f"{len(survey.clipped):,} sounds were recorded too loud, {file(survey.clipped[0])} first: see to these"
    if survey.copies > COPIED * survey.count:
        yield f"{survey.copies:,} of {survey.count:,} sounds equal an earlier one: remove what should not count more"
    if recordings is None:
        return
    whole = len(recordings.seconds) + recordings.left_out
    if recordings.left_out:
        yield f"{recordings.left_out:,} of {whole:,} files are broken or silent: mend or remove them, or go on without"
    if recordings.padded > PADDED * survey.count:
        half = median(recordings.seconds) * rate
        yield (
            f"{recordings.padded:,} of {survey.count:,} sounds end in silence that was added, for half of the files "
            f"have no more than {half:,.0f} samples: a shorter dataset.length trains faster"
        )
    lower = sum(count for found, count in recordings.rates.items() if int(found) < rate)
    if lower > LOST * len(recordings.seconds):
        yield f"{lower:,} files have fewer than {rate:,} samples a second: a lower dataset.rate loses nothing of them"
