"""One job of a sweep: its name, its run, and what it is compared by."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from gantrain.commands.budgeting import planned
from gantrain.commands.launching import REPORT_EVERY, Launcher
from gantrain.commands.report import report_sweep
from gantrain.commands.resume import resume
from gantrain.commands.sweep_words import Objective
from gantrain.commands.train import train
from gantrain.config import with_choices
from gantrain.errors import UserError
from gantrain.options import is_group
from gantrain.report.console import Console
from gantrain.runs import JobFolder, SweepFolder
from gantrain.signals import launched_by_another
from gantrain.terminal import show

LONGEST = 80
"""Letters of a job's label, at most."""


@dataclass(frozen=True)
class Jobs:
    """What Hydra calls for each job, in this process or in one that a launcher starts.

    Args:
        swept: the keys in which jobs differ.
        command: the command line as it was typed.
        searching: jobs are numbered as they come; else by their place among all combinations.
    """

    folder: SweepFolder
    swept: Sequence[str]
    command: str
    launcher: Launcher
    objective: Objective
    searching: bool

    def __call__(self, cfg: DictConfig) -> float:
        """Runs a job, and returns what it is compared by. A job that fails raises nothing, so that the others go on.

        Raises:
            UserError: there is no room for its folder.
            Stopped: by a signal, after saving.
        """
        hydra = HydraConfig.get()
        words = [word for word in hydra.overrides.task if not word.startswith("hydra.")]
        number = int(hydra.job.num)
        own = [word for word in words if not word.startswith("sweep.")]  # a search may be given more trials
        try:
            job = self.folder.job(own, label(words, self.swept), None if self.searching else number)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(
                f"{self.folder} takes no more jobs ({reason}): make room, and finish it with run="
            ) from error
        with job.held(wait=self.searching) as ours:
            if not ours:
                show(f"job {job.path.name} is being run by another process")
                return math.nan
            if job.status.read().status != "finished":
                with nullcontext() if self.launcher.here else launched_by_another():
                    self._run(job, cfg, words, number)
        if self.launcher.here and self._report_is_old():
            report_sweep(self.folder, show)
        if self.searching and not self._has_figure(job):
            show(
                f"job {job.path.name} has logged no {self.objective.metric}: it counts as the worst; see sweep.metric="
            )
        return value_of(job, self.objective)

    def _has_figure(self, job: JobFolder) -> bool:
        """Whether a run that ended well has what it is compared by."""
        ended = job.status.read().status == "finished"
        return not ended or any(self.objective.metric in line for line in job.numbers.read())

    def _run(self, job: JobFolder, cfg: DictConfig, words: Sequence[str], number: int) -> None:
        console = Console(log_only=not self.launcher.here)
        console.say(f"\njob {job.path.name}: {' '.join(words)}")
        own_command = f"{self.command}  # {job.path.name}: {' '.join(words)}"
        device = self.launcher.device(number, cfg.trainer.device)
        hydra = HydraConfig.get()
        try:
            if job.checkpoints.last() is not None:
                resume(job.path, [f"trainer.device={device}"], console, own_command, quiet=True)
            else:
                cfg.trainer.device = device
                name = str(hydra.job.config_name)
                own = with_choices(cfg, dict(hydra.runtime.choices), words, name)
                train(planned(words, own, name, console), console, own_command, job, quiet=True)
        except Exception as error:  # a failing job must not end the others
            reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            job.status.end("failed", reason)
            console.say(f"job {job.path.name} failed: {reason}")
        finally:
            console.close()

    def _report_is_old(self) -> bool:
        """Whether the report is worth the time once more: of a large sweep that takes seconds."""
        with suppress(OSError):
            return time.time() - self.folder.report.stat().st_mtime > REPORT_EVERY
        return True


def label(words: Sequence[str], swept: Sequence[str]) -> str:
    """What sets a job apart, as a part of a folder's name: hinge-seed0, ema+packing, lr0.0012."""
    parts = []
    for key, _, value in (word.lstrip("+").partition("=") for word in words):
        if key.partition("@")[0] not in {name.partition("@")[0] for name in swept}:
            continue
        value = "+".join(part.strip() for part in value.strip("'\"[]").split(",")) or "none"
        name = "" if is_group(key.partition("@")[0]) else key.rpartition(".")[2]
        try:
            value = value if value.isdecimal() else f"{float(value):.3g}"
            between = "_" if name[-1:].isdecimal() else ""
        except ValueError:
            between = "_" if name else ""
        parts.append(re.sub(r"[^\w.+-]+", "_", f"{name}{between}{value}"))
    return "-".join(parts)[:LONGEST].strip("-.")


def value_of(job: JobFolder, objective: Objective) -> float:
    """What a job is compared by: the best value of `metrics.best`, else the last one of another tag.

    Without a metric the first figure of the last evaluation. Of a job that failed, or has no such figure, the worst.
    """
    figure: float | None = None
    if job.status.read().status != "failed":
        tag = objective.metric
        if tag is not None:
            with suppress(UserError):  # best.pt is a link
                figure = job.checkpoints.best_figure(tag)
        for line in job.numbers.read() if figure is None else ():
            held = [v for name, v in line.items() if name == tag or (tag is None and name.startswith("metrics/"))]
            figure = held[0] if held else figure
    return objective.worst if figure is None or not math.isfinite(figure) else float(figure)
