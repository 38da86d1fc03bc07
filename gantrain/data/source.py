"""Sources: what a `dataset` config builds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from gantrain.data.augment import Augment
from gantrain.data.batches import Batches, DeviceBatches, StreamedBatches
from gantrain.data.cache import cache_folder, facts_of, made_once, mark_used, pack_folder, remove_pack, tidy
from gantrain.data.fitting import Fitting
from gantrain.data.memory import free_memory
from gantrain.data.originals import Originals
from gantrain.data.wholeness import damage, room_in, write_sums, written_in
from gantrain.errors import UserError


@dataclass(frozen=True)
class DataContext:
    """Where data is read from, where it goes, and who is told.

    `budget` is the number of bytes that may lie on the device; None is half of its free memory. `limit` keeps that
    many samples and no more (`debug=overfit`); a held-out part is opened without it.
    """

    data_dir: Path
    device: torch.device
    seed: int = 0
    budget: int | None = None
    limit: int | None = None
    cache: Path = field(default_factory=cache_folder)
    say: Callable[[str], None] = lambda text: None


FEW = {16: 1000, 4096: 5000}
"""Fewer pictures than this are few, for sides up to so many pixels: D learns them by heart before G is any good."""


COMPARED = 10_000
"""Files that are compared with each other at most."""


def few_of(shape: Sequence[int]) -> int:
    """How many different pictures of a shape [C, H, W] there must be lest they are few."""
    return next(few for side, few in FEW.items() if min(shape[1:]) <= side)


LABELLED = ("mind_classifier", "fid_classifier", "precision_recall_classifier", "class_balance", "diversity")
"""Names of metrics that suit pictures with labels that a small network learns within a minute."""


class Source(ABC):
    """Real data. `shape` is that of one sample, as `gantrain.kinds` says; `licence` is the data's.

    `fitting` is how files become pictures of that shape, where there are files. Where samples have captions, `alphabet`
    holds the letters that these may have, and `caption_length` how many at most.
    """

    licence: ClassVar[str] = "unknown: that of your data"
    shape: Sequence[int]
    other_shape: Sequence[int] | None = None
    """That of a sample of the other domain, where there are two."""
    classes: int | None = None
    input_shape: Sequence[int] | None = None
    """Of the picture "input" that is given with each sample, where there is one."""
    alphabet: str | None = None
    caption_length: int | None = None
    suited_metrics: Sequence[str] = ("mind_pixels", "diversity")
    """Names of metrics that tell most about such data, the one that is followed first: what metrics=auto measures."""
    followed: str | None = None
    """The tag by which metrics=auto keeps the best checkpoint; None for that of the first figure."""
    suited_samples: int = 1000
    """How many generated samples tell enough in each of its evaluations: fewer would tell little, more cost much."""
    fitting: Fitting | None = None
    enlarges: int = 1
    """How many times its size a user's picture is enlarged before it is as those that networks were given."""
    rate: int | None = None
    """Of sound, samples a second."""

    @abstractmethod
    def open(self, context: DataContext) -> Batches:
        """Makes the data ready to be drawn.

        Raises:
            UserError: the files are not there or cannot be read.
        """

    def held_out_part(self) -> Source | None:
        """A source of samples that training never sees, where there are some."""
        return None

    def count(self, data_dir: Path) -> int | None:
        """How many different samples there are, where that can be told without reading them all."""
        return None

    def suited_to(self, data_dir: Path) -> list[str]:
        """The suited metrics, without those that compare real pictures with each other where there is only one."""
        alone = len(self.shape) == 3 and self.count(data_dir) == 1
        return [name for name in self.suited_metrics if not (alone and name.startswith("diversity"))]

    def few(self, data_dir: Path) -> int | None:
        """How many different pictures there are where these are few; None where not, or where it cannot be told."""
        count = self.count(data_dir) if len(self.shape) == 3 else None
        return count if count is not None and count < few_of(self.shape) else None

    def class_names(self, data_dir: Path) -> Sequence[str]:
        """What the labels 0, 1, … stand for; empty where they stand for themselves."""
        return ()

    @classmethod
    def auto(cls, key: str, settings: Mapping[str, Any], data_dir: Path) -> Any:
        """The value of a setting that was left at `auto`; only sources with such settings override this.

        Args:
            key: of the setting, with the parts of a nested one joined by full stops: augment.flip.
        """
        raise ValueError(f"{key} has no automatic value")

    @classmethod
    def reason(cls, key: str, settings: Mapping[str, Any]) -> str:
        """What such a setting became and why, in a few words; "" where nobody needs to be told."""
        return ""


PLACE = ("path", "folder", "split", "part")
"""Settings of packs that say where the files lie, and which of them are meant."""


class PackedSource(Source):
    """A source that is packed once into arrays and then read from the cache.

    The pack is found again by a key over the class, its settings and a fingerprint of the files, so that a change of
    either makes a new one; the one of former files is removed then. It is written beside its place and renamed, so
    that a pack is whole or not there.
    """

    name: str
    version: ClassVar[int] = 1
    augment: Augment | None = None

    @abstractmethod
    def settings(self, data_dir: Path) -> dict[str, Any]:
        """What the packed arrays depend on besides what is in the files, and where these lie."""

    @abstractmethod
    def fingerprint(self, data_dir: Path) -> str:
        """Changes when the files change. Fetches them first where that is possible."""

    @abstractmethod
    def pack(self, data_dir: Path, folder: Path, say: Callable[[str], None]) -> dict[str, np.ndarray]:
        """The fields, aligned along their first axis: "real" uint8 (N, C, H, W), int16
        (N, channels, samples) or float32 (N, D); "label" int64 (N,).

        A large field may be a memory map inside `folder`.
        """

    def open(self, context: DataContext) -> Batches:
        return self._serve(self.fields(context), context)

    def _serve(self, fields: Mapping[str, np.ndarray], context: DataContext) -> Batches:
        fields = {k: v[: context.limit] for k, v in fields.items()}
        size = sum(values.nbytes for values in fields.values())
        budget = free_memory(context.device) // 2 if context.budget is None else context.budget
        if size <= budget:
            return DeviceBatches(fields, context.device, context.seed, self.augment)
        context.say(
            f"data: {size / 2**20:,.0f} MiB is over the budget of {budget / 2**20:,.0f} MiB, read ahead from disk"
        )
        return StreamedBatches(fields, context.device, context.seed, self.augment)

    def fields(self, context: DataContext) -> dict[str, np.ndarray]:
        """The packed fields as memory maps, in the order of the files; packs them first where that is needed."""
        facts = self._facts(context)
        folder = pack_folder(context.cache, facts)
        if damage(folder) is not None:
            with made_once(context.cache, folder.name, context.say):
                self._make_whole(context, folder, facts)
        mark_used(folder)
        fields = {file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))}
        context.say(f"data: {len(fields['real']):,} samples of {self.name}, packed in {folder}")
        return fields

    def originals(self, context: DataContext) -> Originals | None:
        """What the files of the pack were, where that was noted; the pack must be there."""
        return Originals.read(pack_folder(context.cache, self._facts(context)))

    def _facts(self, context: DataContext) -> dict[str, Any]:
        data_dir = context.data_dir.resolve()
        facts = {"name": self.name, "version": self.version, "settings": self.settings(data_dir)}
        return {**facts, "fingerprint": self.fingerprint(data_dir)}

    def _make_whole(self, context: DataContext, folder: Path, facts: dict[str, Any]) -> None:
        """Packs the data unless it is there as it was written: another process may have packed it meanwhile.

        Raises:
            UserError: the disk is full.
        """
        found = damage(folder)
        if found is None:
            return
        if folder.is_dir():
            context.say(f"data: {folder} is damaged ({found}) and is made anew")
            remove_pack(folder)
        before = any(self._is_of_same_place(pack, facts) for pack in context.cache.glob(f"{self.name}-*"))
        context.say(
            f"data: packing {self.name}" + (" anew: other files or settings than before" if before else " once")
        )
        with room_in(context.cache):
            self._write(context, folder, facts)
        with contextlib.suppress(OSError):  # another process tidies at the same time
            tidy(context.cache, folder, context.say)

    def _is_of_same_place(self, pack: Path, facts: Mapping[str, Any]) -> bool:
        """Whether a pack in the cache is of what lies, or lay, where what has these facts does."""
        former = facts_of(pack)
        if former is None or former["name"] != self.name:
            return False
        return all(former["settings"].get(key) == facts["settings"].get(key) for key in PLACE)

    def _write(self, context: DataContext, folder: Path, facts: dict[str, Any]) -> None:
        work = context.cache / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        with written_in(context.cache):
            work.mkdir(parents=True)
        try:
            for name, values in self.pack(context.data_dir.resolve(), work, context.say).items():
                if isinstance(values, np.memmap):
                    values.flush()
                else:
                    np.save(work / f"{name}.npy", values)
            write_sums(work)
            (work / "facts.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
            try:
                work.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
                if (found := damage(folder)) is not None:  # else another process packed the same data first
                    raise UserError(f"{folder} is damaged ({found}) and cannot be replaced: remove it") from None
        finally:
            shutil.rmtree(work, ignore_errors=True)


def different_files(files: Sequence[Path]) -> int:
    """How many files differ; where they are very many, how many there are."""
    if len(files) > COMPARED:
        return len(files)
    by_size: dict[int, list[Path]] = {}
    for file in files:
        by_size.setdefault(file.stat().st_size, []).append(file)
    return sum(1 if len(same) == 1 else len({*map(_contents, same)}) for same in by_size.values())


def _contents(file: Path) -> bytes:
    """A hash over what a file holds; over its name where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return os.fsencode(file)


def fingerprint_of(files: Sequence[str] | Sequence[Path]) -> str:
    """A hash over names, sizes and times of change."""
    digest = hashlib.sha256()
    for file in files:
        facts = os.stat(file)
        digest.update(os.fsencode(f"{file}|{facts.st_size}|{facts.st_mtime_ns}\n"))  # names may be of any bytes
    return digest.hexdigest()
