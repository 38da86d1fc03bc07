"""Every logged number and picture: TensorBoard, metrics.jsonl and samples/."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from gantrain.files import append, folder_in, read, read_text, replacing, write_text
from gantrain.report import pictures


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line that was cut off is left out.

    Raises:
        UserError: the file is a link.
    """
    lines: list[dict[str, Any]] = []
    try:
        text = read_text(file)
    except (FileNotFoundError, UnicodeDecodeError):
        return lines
    for line in text.splitlines():
        try:
            held = json.loads(line)
        except ValueError:
            break
        if isinstance(held, dict) and isinstance(held.get("step"), int):
            lines.append(held)
    return lines


class Recorder:
    """Writes what a run logs into its folder.

    Args:
        folder: of the run.
        step: where the run goes on; what was logged beyond it, after the checkpoint, is dropped.

    Raises:
        UserError: one of these is a link.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self.folder = folder
        self._samples = folder_in(folder, "samples")
        self._jsonl = folder / "metrics.jsonl"
        self._open(step)

    def rewind(self, step: int) -> None:
        """Drops what was logged beyond a step: the run goes on from there."""
        self.close()
        self._open(step)

    def _open(self, step: int) -> None:
        kept = [line for line in read_lines(self._jsonl) if line["step"] <= step]
        write_text(self._jsonl, "".join(json.dumps(line) + "\n" for line in kept))
        for file in self.sample_files():
            if int(file.stem) > step:
                file.unlink()
        self._file = append(self._jsonl)
        again = any(self.folder.glob("events.out.tfevents.*"))
        self._board = SummaryWriter(str(self.folder), purge_step=(step + 1 if step else 0) if again else None)
        self.latest: dict[str, float] = {}
        for line in kept:
            self.latest |= {tag: value for tag, value in line.items() if tag != "step" and value is not None}

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Scalars, by tag; one line of metrics.jsonl. What is not finite is null there."""
        for tag, value in values.items():
            self._board.add_scalar(tag, value, step)
        finite = {tag: float(f"{value:.7g}") if math.isfinite(value) else None for tag, value in values.items()}
        print(json.dumps({"step": step, **finite}), file=self._file, flush=True)
        self.latest |= values

    def picture(self, page: np.ndarray, step: int) -> None:
        """A picture of samples, (height, width, C)."""
        self._board.add_image("samples", page, step, dataformats="HWC")
        pictures.save(page, self._samples / f"{step:08d}.png")

    def has_picture(self, step: int) -> bool:
        """Whether the picture of this step is there."""
        return (self._samples / f"{step:08d}.png").is_file()

    def real(self, page: np.ndarray) -> None:
        """A picture of real data, to compare with."""
        self._board.add_image("real", page, 0, dataformats="HWC")
        pictures.save(page, self._samples / "real.png")

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

    def sample_files(self) -> list[Path]:
        """The pictures of samples, oldest first."""
        found = (f for f in self._samples.glob("*.png") if re.fullmatch(r"\d{8,}", f.stem))
        return sorted(f for f in found if not f.is_symlink())

    def finish(self) -> None:
        """final.png is the last picture, training.gif all of them."""
        files = self.sample_files()
        if files:
            with read(files[-1]) as source, replacing(self._samples / "final.png") as stream:
                shutil.copyfileobj(source, stream)
            pictures.animate(files, self._samples / "training.gif")

    def close(self) -> None:
        self._board.close()
        self._file.close()
