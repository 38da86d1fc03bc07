"""Where a sweep's jobs run: one after the other here, or by one of Hydra's launchers at once."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from gantrain.commands.report import report_sweep
from gantrain.errors import UserError
from gantrain.report.tables import short
from gantrain.runs import JobFolder, SweepFolder
from gantrain.signals import raised_signals, say
from gantrain.terminal import show

EXTRAS = {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"}
"""Launchers with settings of ours, and the extra of gantrain that brings each."""
LOOK_EVERY, REPORT_EVERY = 2.0, 30.0
"""Seconds between two looks at jobs that run elsewhere, and between two reports while a sweep runs, at least."""


@dataclass(frozen=True)
class Launcher:
    """How jobs are started.

    Args:
        name: Hydra's, such as joblib; basic runs them one after the other in this process.
        at_once: so many jobs run at the same time.
        devices: CUDA devices of this machine that jobs share, each by its number; 0 where they are not ours to give.
        threads: of each job on the CPU; None for as many as it would have alone.
        settings: Hydra's own, by key.
    """

    name: str
    at_once: int = 1
    devices: int = 0
    threads: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def here(self) -> bool:
        """Jobs run in this process, and say here what they do."""
        return self.name == "basic"

    def device(self, number: int, word: str) -> str:
        """The device of the job with a number, of which the config says `word`."""
        return f"cuda:{number % self.devices}" if self.devices > 1 and word in ("auto", "cuda") else word

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)} each" if self.threads else ""
        devices = f", on {self.devices} devices in turn" if self.devices > 1 else ""
        return f"{self.name}: up to {self.at_once} jobs at once{threads}{devices}"


def check_launcher(parsed: Sequence[Override]) -> None:
    """Whether the launcher that the command line chooses is here.

    Raises:
        UserError: the package that brings it is not.
    """
    name = _named(parsed)
    if name in EXTRAS and not is_installed(f"hydra_plugins.hydra_{EXTRAS[name]}_launcher"):
        raise UserError(f"hydra/launcher={name} is not installed: pip install 'gantrain[{EXTRAS[name]}]'")


def is_installed(package: str) -> bool:
    """Whether a package of Hydra's plugins is here."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # not even the folder of all plugins
        return False


def _named(parsed: Sequence[Override]) -> str:
    return str(next((o.value() for o in parsed if o.key_or_group == "hydra/launcher"), "basic"))


def launcher_of(parsed: Sequence[Override], cfg: DictConfig, jobs: int) -> Launcher:
    """The launcher that the command line chooses, with settings that suit this machine where it has none of its own.

    Args:
        cfg: the first job's.
        jobs: how many there are.

    """
    own = {o.key_or_group: o.value() for o in parsed}
    name = _named(parsed)
    if name not in EXTRAS:
        return Launcher(name, 1 if name == "basic" else jobs)
    devices = torch.cuda.device_count() if cfg.trainer.device != "cpu" and torch.cuda.is_available() else 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = jobs if EXTRAS[name] == "submitit" else min(jobs, devices or cores)  # submitit starts all of them
    if name == "joblib" and (asked := int(str(own.get("hydra.launcher.n_jobs", 0)))):
        at_once = asked if asked > 0 else cores
    found = _settings(name, cfg, at_once, cores, devices, joins="hydra.launcher.ray.init.address" in own)
    settings = {key: value for key, value in found.items() if key.lstrip("+") not in own}
    if name == "submitit_slurm":
        return Launcher(name, at_once, settings=settings)
    shared = 0 if name == "ray" else devices  # Ray shows each of its jobs the devices that it may have
    return Launcher(name, at_once, shared, max(cores // at_once, 1), settings)


def _settings(name: str, cfg: DictConfig, at_once: int, cores: int, devices: int, joins: bool) -> dict[str, Any]:
    """Hydra's own settings that suit this machine, or a cluster's usual one, by key; `joins` a Ray that has begun."""
    if name == "joblib":
        return {"hydra.launcher.n_jobs": at_once, "hydra.launcher.batch_size": 1}
    if name == "submitit_slurm":
        return {
            "hydra.launcher.timeout_min": 24 * 60,
            "hydra.launcher.cpus_per_task": cfg.trainer.threads or 4,
            "hydra.launcher.gpus_per_node": 0 if cfg.trainer.device == "cpu" else 1,
        }
    if name == "ray":
        # a Ray that runs already refuses to be told its memory, which the launcher does unless that is taken away
        elsewhere = {"++hydra.launcher.ray.init.object_store_memory": "null"} if joins else {}
        return elsewhere | {
            "+hydra.launcher.ray.init.include_dashboard": False,
            "+hydra.launcher.ray.remote.num_cpus": max(cores // at_once, 1),
            "+hydra.launcher.ray.remote.num_gpus": 1 if devices else 0,
        }
    return {}


@contextmanager
def threads_shared(launcher: Launcher) -> Iterator[None]:
    """Within, processes that are started take as many threads as the launcher says, unless the user's say differs."""
    names = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name not in os.environ]
    if launcher.threads:
        os.environ.update(dict.fromkeys(names, str(launcher.threads)))
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


@contextmanager
def followed(launcher: Launcher, folder: SweepFolder) -> Iterator[None]:
    """Within, jobs that run elsewhere are followed: what becomes of each is said, and the report is kept up to date."""
    if launcher.here:
        yield
        return
    over = threading.Event()
    known = {job.path.name: job.status.standing() for job in folder.jobs()}

    def follow() -> None:
        waited = 0.0
        while not over.wait(LOOK_EVERY):
            _say_news(folder, known)
            waited += LOOK_EVERY
            if waited >= REPORT_EVERY:
                report_sweep(folder, show)
                waited = 0.0
        _say_news(folder, known)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def saved_first(launcher: Launcher, folder: SweepFolder) -> Iterator[None]:
    """Within, a signal has jobs that run elsewhere on this machine finish their step and save before it ends them."""

    def finish(came: signal.Signals) -> None:
        running = ((job, job.status.read().pid) for job in folder.jobs() if job.status.standing() == "running")
        begun = [(job, pid) for job, pid in running if pid is not None and _is_below(pid)]
        if begun:
            count = "1 job finishes its" if len(begun) == 1 else f"{len(begun)} jobs finish their"
            say(f"{count} step and save, another signal stops at once")
        for _, pid in begun:
            with suppress(ProcessLookupError):
                os.kill(pid, _another(came))
        while any(job.status.standing() == "running" for job, _ in begun):
            time.sleep(LOOK_EVERY / 10)

    with nullcontext() if launcher.here else raised_signals(finish):
        yield


def _another(came: signal.Signals) -> signal.Signals:
    """A signal of another kind: a job that had the same from elsewhere, as all of a group have, would stop at once."""
    return getattr(signal, "SIGUSR1", came) if came is signal.SIGTERM else signal.SIGTERM


def _is_below(pid: int) -> bool:
    """Whether a process was started by this one, or by one that it started; never where the system does not tell."""
    with suppress(OSError, IndexError, ValueError):
        while pid > 1:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if pid == os.getpid():
                return True
    return False


def _say_news(folder: SweepFolder, known: dict[str, str | None]) -> None:
    """Says which jobs stand otherwise than is known, and how."""
    for job in folder.jobs():
        standing = job.status.standing()
        if standing is not None and known.get(job.path.name) != standing:
            known[job.path.name] = standing
            show(outcome(job))


def outcome(job: JobFolder) -> str:
    """A line on how a job stands: its last figures, or why it failed."""
    said = job.status.read()
    figures: dict[str, Any] = {}
    if said.status == "finished":
        for line in job.numbers.read():
            figures |= {
                tag.removeprefix("metrics/"): value for tag, value in line.items() if tag.startswith("metrics/")
            }
    words = "  ".join(f"{name} {short(value)}" for name, value in list(figures.items())[:5])
    why = f": {said.reason}" if said.status == "failed" and said.reason else ""
    return f"job {job.path.name} {job.status.standing()}{why}{'  ' * bool(words)}{words}"
