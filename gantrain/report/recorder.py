"""Every logged number and picture: TensorBoard, metrics.jsonl and samples/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from gantrain.report import pictures
from gantrain.runs import RunFolder


class Recorder:
    """Writes what a run logs into its folder.

    Args:
        folder: of the run.
        step: where the run goes on; what was logged beyond it, after the checkpoint, is dropped.

    Raises:
        UserError: one of these is a link.
    """

    def __init__(self, folder: RunFolder, step: int = 0) -> None:
        self.folder = folder
        folder.samples.make()
        self._open(step)

    def rewind(self, step: int) -> None:
        """Drops what was logged beyond a step: the run goes on from there."""
        self.close()
        self._open(step)

    def _open(self, step: int) -> None:
        kept = self.folder.numbers.open(step)
        self.folder.samples.rewind(step)
        purge = (step + 1 if step else 0) if self.folder.has_events() else None
        self._board = SummaryWriter(str(self.folder), purge_step=purge)
        self.latest: dict[str, float] = {}
        for line in kept:
            self.latest |= {tag: value for tag, value in line.items() if tag != "step" and value is not None}

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Scalars, by tag; one line of metrics.jsonl. What is not finite is null there."""
        for tag, value in values.items():
            self._board.add_scalar(tag, value, step)
        self.folder.numbers.add(values, step)
        self.latest |= values

    def picture(self, page: np.ndarray, step: int) -> None:
        """A picture of samples, (height, width, C)."""
        self._board.add_image("samples", page, step, dataformats="HWC")
        pictures.save(page, self.folder.samples.of_step(step))

    def has_picture(self, step: int) -> bool:
        """Whether the picture of this step is there."""
        return self.folder.samples.of_step(step).is_file()

    def real(self, page: np.ndarray) -> None:
        """A picture of real data, to compare with."""
        self._board.add_image("real", page, 0, dataformats="HWC")
        pictures.save(page, self.folder.samples.real)

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Histograms, by tag, of what is finite in each tensor."""
        for tag, value in values.items():
            finite = value.detach().float().cpu()
            finite = finite[finite.isfinite()]
            if finite.numel():
                self._board.add_histogram(tag, finite, step)

    def settings(self, chosen: Mapping[str, Any], final: Mapping[str, float]) -> None:
        """What was chosen beside what came out, for TensorBoard's HPARAMS page."""
        plain = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in chosen.items()}
        writer = self._board._get_file_writer()
        for summary in hparams(plain, dict(final)):
            writer.add_summary(summary)

    def finish(self) -> None:
        """final.png is the last picture, training.gif all of them."""
        samples = self.folder.samples
        drawn = samples.by_step()
        if drawn:
            samples.keep_last_as_final()
            pictures.animate(drawn, samples.animation)

    def close(self) -> None:
        self._board.close()
        self.folder.numbers.close()
