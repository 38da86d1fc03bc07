"""Captions beside pictures: captions.csv in a folder, and captions of a batch."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gantrain import shares
from gantrain.captions import encoded, plain
from gantrain.errors import UserError
from gantrain.files import replacing
from gantrain.untrusted import printable

FILE = "captions.csv"
LONGEST = 256
"""Letters of a caption at most, unless a user says otherwise: what a caption costs grows with it."""
WITHOUT = "set dataset.alphabet=null for pictures without captions"
"""The way out for who wants none of them."""


def captions_below(folder: Path) -> dict[Path, list[str]]:
    """The captions of a folder's pictures by their files, as captions.csv there says them; none without it.

    It has the columns `file`, a path from the folder on, and `caption`, and a row for each caption: a picture may have
    several.

    Raises:
        UserError: a column, a picture or the words of a caption are missing, or the file cannot be read.
    """
    table = folder / FILE
    if not table.is_file():
        return {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened)
            missing = [name for name in ("file", "caption") if name not in (rows.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{table} has no column {' and no column '.join(missing)}: begin it with the line file,caption, "
                    f"or {WITHOUT}"
                )
            found: dict[Path, list[str]] = {}
            for row in rows:
                _add(found, row, folder, f"{table}, line {rows.line_num},")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table} cannot be read ({error}): save it as text in UTF-8, or {WITHOUT}") from error
    if not found:
        raise UserError(f"{table} has no captions: add a row for each, or {WITHOUT}")
    return found


def _add(found: dict[Path, list[str]], row: Mapping[str, str | None], folder: Path, place: str) -> None:
    name, caption = (row["file"] or "").strip(), plain(row["caption"] or "")
    picture = folder / name
    if not name or not picture.is_file():
        raise UserError(f"{place} names {printable(name) or 'no file'}, which is not there: mend the row, or {WITHOUT}")
    if not caption:
        raise UserError(f"{place} has no caption for {printable(name)}: write one, or {WITHOUT}")
    found.setdefault(picture, []).append(caption)


def write_captions(folder: Path, captions: Mapping[str, str]) -> None:
    """Writes captions.csv beside pictures: their captions by their names."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("file", "caption"), *captions.items()])
    with replacing(folder / FILE) as stream:
        stream.write(text.getvalue().encode())


def captions_of(pictures: Sequence[Path], folder: Path) -> list[list[str]]:
    """The captions of each of these pictures, one or more.

    Raises:
        UserError: as `captions_below`, or a picture has none.
    """
    found = {picture.resolve(): captions for picture, captions in captions_below(folder).items()}
    lacking = [picture for picture in pictures if picture.resolve() not in found]
    if lacking:
        first = printable(str(lacking[0].relative_to(folder)))
        raise UserError(
            f"{folder / FILE} has no caption for {len(lacking):,} of {len(pictures):,} pictures, {first} first: add "
            f"rows, or {WITHOUT}"
        )
    return [found[picture.resolve()] for picture in pictures]


def codes_of(
    captions: Sequence[Sequence[str]], alphabet: str, length: int, say: Callable[[str], None] = lambda text: None
) -> np.ndarray:
    """Codes (N, K, L) of the captions of N samples; who has fewer than K has rows of 0 at the end.

    Longer ones are cut, of which `say` is told.

    Raises:
        UserError: a caption has letters that are not in the alphabet.
    """
    most = max(map(len, captions))
    codes = np.zeros((len(captions), most, length), np.uint8 if len(alphabet) < 256 else np.int32)
    long = sum(len(plain(caption)) > length for each in captions for caption in each)
    if long:
        say(f"data: {long:,} captions are longer than {length} letters and were cut")
    known: dict[str, list[int]] = {}
    for row, each in zip(codes, captions, strict=True):
        for place, caption in enumerate(each):
            if caption not in known:
                try:
                    known[caption] = encoded(plain(caption)[:length], alphabet, length)
                except ValueError as error:
                    raise UserError(f"{error}, or set dataset.alphabet=auto") from error
            row[place] = known[caption]
    return codes


def one_caption_each(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One at random (N, L) int64 of several captions (N, K, L) of each sample, and its part of `said` (N, K, A)."""
    captions = batch["caption"]
    if captions.dim() == 2:
        return {**batch, "caption": captions.long()}
    there = (captions != 0).any(2).sum(1)
    chosen = (shares.rand(len(captions), device=captions.device) * there).long()
    rows = torch.arange(len(captions), device=captions.device)
    said = {"said": batch["said"][rows, chosen]} if "said" in batch and batch["said"].dim() == 3 else {}
    return {**batch, **said, "caption": captions[rows, chosen].long()}
