"""Every logged number and picture: metrics.jsonl and samples/, and the sinks that were chosen."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor

from gantrain.errors import Stopped, UserError
from gantrain.files import replacing
from gantrain.report import pictures
from gantrain.report.sinks import Ended, Sink, sinks_of
from gantrain.report.sounds import Page, SoundPage, one_after_another, wav_bytes
from gantrain.runs import RunFolder

ROOM = 2**20
"""Bytes that are free where a sink goes on that a full disk ended."""


class Recorder:
    """Writes what a run logs into its folder, and hands it to its sinks.

    A sink that fails is left out from then on, which is said once: what is in the folder is whole without it. One
    in the folder itself, which a full disk ended, goes on when a checkpoint is due and there is room.

    Args:
        folder: of the run.
        step: where the run goes on; what was logged beyond it, after the checkpoint, is dropped.
        sinks: where else numbers and pictures go, by name.
        chosen: settings of the run, by name, for sinks that keep them from the beginning.
        say: is told of a sink that fails.
        logged: what `mark` said when the step was saved; None where that is not known.

    Raises:
        UserError: one of these is a link.
    """

    def __init__(
        self,
        folder: RunFolder,
        step: int = 0,
        sinks: Sequence[str] = ("tensorboard",),
        chosen: Mapping[str, Any] | None = None,
        say: Callable[[str], None] = print,
        logged: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = folder
        self._sinks, self._chosen, self._say = sinks_of(sinks), dict(chosen or {}), say
        self._said: set[str] = set()
        self._waiting: set[str] = set()
        folder.samples.make()
        self._open(step, logged)

    def rewind(self, step: int, logged: Mapping[str, int] | None) -> None:
        """Drops what was logged after a step was saved: the run goes on from there."""
        self.close()
        self._open(step, logged)

    def mark(self) -> dict[str, int]:
        """How far everything is logged, for the checkpoint of this step; the disk has it then."""
        self._each(lambda sink: sink.flush())
        with suppress(OSError):  # of a disk that fails: saving will tell
            if self.folder.numbers.sync():
                self._bring_back()
        logged = self.folder.logged()
        if not self._waiting:
            self._marked, self._marked_step = logged, self.folder.numbers.last_step() or 0
        return logged

    def _open(self, step: int, logged: Mapping[str, int] | None) -> None:
        kept = self.folder.rewind(step, logged)
        self._shows_real = self.folder.samples.has_real and self.folder.has_events()
        self.latest: dict[str, float] = {}
        for line in kept:
            self.latest |= {tag: value for tag, value in line.items() if tag != "step" and value is not None}
        self._each(lambda sink: sink.open(self.folder, step, self._chosen))
        self._marked, self._marked_step = self.folder.logged(), step

    def _bring_back(self) -> None:
        """Sinks that wait for room go on from the last mark, with the numbers since then."""
        if not self._waiting or shutil.disk_usage(self.folder.path).free < ROOM:
            return
        self.folder.rewind_events(self._marked)
        missed = self.folder.numbers.since(self._marked.get(self.folder.numbers.file.name, 0))
        for name, sink in sinks_of(sorted(self._waiting)).items():
            sink.open(self.folder, self._marked_step, self._chosen)
            for line in missed:
                step = line.pop("step")
                sink.numbers({tag: math.nan if value is None else value for tag, value in line.items()}, step)
            self._sinks[name] = sink
            self._say_once(f"log.sinks: {name} goes on; pictures that it lacks are in {self.folder.samples.path.name}/")
        self._waiting.clear()

    def _each(self, do: Callable[[Sink], None]) -> None:
        for name, sink in list(self._sinks.items()):
            try:
                do(sink)
            except UserError:
                raise
            except Exception as error:  # a tracker's network, its account, its disk
                del self._sinks[name]
                reason = " ".join(str(error).split()) or type(error).__name__
                if sink.in_folder and isinstance(error, OSError):
                    self._waiting.add(name)
                    reason += "; it is tried again at the next checkpoint"
                self._say_once(f"log.sinks: {name} failed, and the run goes on without it: {reason}")

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Scalars, by tag; one line of metrics.jsonl. What is not finite is null there."""
        if not self.folder.numbers.add(values, step):
            file = self.folder.numbers.file.name
            self._say_once(f"{file} cannot be written now; its lines wait until there is room")
        self.latest |= values
        self._each(lambda sink: sink.numbers(values, step))

    def picture(self, page: Page, step: int) -> None:
        """A picture of samples, (height, width, C); of sounds, with these."""
        self._show("samples", page, self.folder.samples.of_step(step), step)

    def note(self, tag: str, words: str, step: int) -> None:
        """Words, in Markdown, where a sink has room for them."""
        self._each(lambda sink: sink.note(tag, words, step))

    def real(self, page: Page) -> None:
        """A picture of real data, to compare with; of a run that goes on it is there."""
        if not self._shows_real:
            self._show("real", page, self.folder.samples.real, 0)

    def _show(self, tag: str, page: Page, file: Path, step: int) -> None:
        if isinstance(page, SoundPage):
            heard, rate = page.heard, page.rate
            with self._on_disk(), replacing(self.folder.samples.heard(file)) as stream:
                stream.write(wav_bytes(one_after_another(heard, rate), rate))
            self._each(lambda sink: sink.sounds(tag, heard, rate, step))
        shown = page.page if isinstance(page, SoundPage) else page
        with self._on_disk():
            pictures.save(shown, file)
        self._each(lambda sink: sink.picture(tag, shown, step))

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Histograms, by tag, of what is finite in each tensor."""
        found: dict[str, np.ndarray] = {}
        for tag, value in values.items():
            finite = value.detach().float().cpu()
            finite = finite[finite.isfinite()]
            if finite.numel():
                found[tag] = finite.numpy()
        self._each(lambda sink: sink.histograms(found, step))

    def settings(self, chosen: Mapping[str, Any], final: Mapping[str, float]) -> None:
        """What was chosen beside what came out."""
        self._each(lambda sink: sink.settings(chosen, final))

    def finish(self) -> None:
        """final.png is the last picture, training.gif all of them."""
        samples = self.folder.samples
        drawn = samples.by_step()
        if drawn:
            with self._on_disk():
                samples.keep_last_as_final()
                pictures.animate(drawn, samples.animation)

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        """A picture that the disk does not take ends nothing; that is said once."""
        try:
            yield
        except OSError as error:
            self._say_once(f"pictures cannot be written now, and the run goes on without ({error.strerror or error})")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("finished" if kind is None else "stopped" if issubclass(kind, Stopped) else "failed")

    def close(self, ended: Ended = "finished") -> None:
        """Closes every file, and tells the sinks how the run ended."""
        self._each(lambda sink: sink.close(ended))
        self.folder.numbers.close()
