"""Where logged numbers and pictures go besides the run's folder: TensorBoard, and trackers of experiments."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from gantrain.errors import UserError
from gantrain.runs import RunFolder

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Ended = Literal["finished", "stopped", "failed"]
PROJECT = "gantrain"
"""Under which trackers keep the runs, unless their own environment variables say otherwise."""


class Sink(ABC):
    """One place that a run's numbers go to. A run that goes on continues what it began there."""

    in_folder = False
    """Whether it writes files of the run's own folder, which can be cut to what they were and be gone on with."""

    @abstractmethod
    def open(self, folder: RunFolder, step: int, chosen: Mapping[str, Any]) -> None:
        """Begins, or goes on at a step.

        Args:
            chosen: settings of the run, by name.
        """

    @abstractmethod
    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Scalars, by tag."""

    @abstractmethod
    def picture(self, tag: str, page: np.ndarray, step: int) -> None:
        """A picture (height, width, C) uint8."""

    def sounds(self, tag: str, heard: np.ndarray, rate: int, step: int) -> None:  # noqa: B027  not every place has them
        """Sounds (n, channels, L) in [-1, 1] of so many samples a second."""

    def histograms(self, values: Mapping[str, np.ndarray], step: int) -> None:  # noqa: B027
        """Finite numbers of which the distribution is kept, by tag."""

    def note(self, tag: str, words: str, step: int) -> None:  # noqa: B027
        """Words, in Markdown."""

    def settings(self, chosen: Mapping[str, Any], final: Mapping[str, float]) -> None:  # noqa: B027
        """What was chosen beside what came out, at the end."""

    def flush(self) -> None:  # noqa: B027
        """Waits until what was given is written, where that is a file of the run's own."""

    @abstractmethod
    def close(self, ended: Ended = "finished") -> None:
        """Ends, once everything is written; a place that could not be opened has nothing to end.

        Args:
            ended: how the run did.
        """


class TensorBoard(Sink):
    """Event files in the run's own folder."""

    in_folder = True

    def __init__(self) -> None:
        self._board: SummaryWriter | None = None

    def open(self, folder: RunFolder, step: int, chosen: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        _let_writers_be()
        purge = step + 1 if folder.has_events() else None
        self._board = SummaryWriter(str(folder), purge_step=purge)

    @property
    def board(self) -> SummaryWriter:
        assert self._board is not None, "open comes first"
        return self._board

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for tag, value in values.items():
            self.board.add_scalar(tag, value, step)

    def picture(self, tag: str, page: np.ndarray, step: int) -> None:
        self.board.add_image(tag, page, step, dataformats="HWC")

    def sounds(self, tag: str, heard: np.ndarray, rate: int, step: int) -> None:
        for k, sound in enumerate(np.nan_to_num(heard).clip(-1, 1)):
            self.board.add_audio(f"{tag}/{k}", torch.from_numpy(sound.mean(0)), step, rate)  # it takes one channel

    def histograms(self, values: Mapping[str, np.ndarray], step: int) -> None:
        for tag, value in values.items():
            self.board.add_histogram(tag, value, step)

    def note(self, tag: str, words: str, step: int) -> None:
        self.board.add_text(tag, words, step)

    def settings(self, chosen: Mapping[str, Any], final: Mapping[str, float]) -> None:
        from torch.utils.tensorboard.summary import hparams

        writer = self.board._get_file_writer()
        for summary in hparams(_plain(chosen), dict(final)):
            writer.add_summary(summary)

    def flush(self) -> None:
        self.board.flush()

    def close(self, ended: Ended = "finished") -> None:
        if self._board is not None:
            self._board.close()
            self._board = None


class _UnlessWriters:
    """What is done of a thread that failed; not of TensorBoard's, which tells it whoever gives it more to write."""

    def __init__(self, former: Callable[[threading.ExceptHookArgs], object]) -> None:
        self._former = former

    def __call__(self, failed: threading.ExceptHookArgs) -> None:
        if type(failed.thread).__module__ != "tensorboard.summary.writer.event_file_writer":
            self._former(failed)


def _let_writers_be() -> None:
    if not isinstance(threading.excepthook, _UnlessWriters):
        threading.excepthook = _UnlessWriters(threading.excepthook)


class WandbShaped(Sink):
    """A tracker whose module has `init`, `log` and `finish` as wandb has them; trackio is another.

    Args:
        module: its name.
    """

    def __init__(self, module: str) -> None:
        self._name = module
        self._module: Any = None

    def open(self, folder: RunFolder, step: int, chosen: Mapping[str, Any]) -> None:
        module = importlib.import_module(self._name)
        known = folder.sinks.read().get(self._name)
        own = known or f"{_title(folder).replace('/', '-')}-{secrets.token_hex(3)}"
        settings = {"project": PROJECT, "name": own, "id": own, "resume": "allow", "config": _plain(chosen)}
        takes = inspect.signature(module.init).parameters  # trackio knows a run by its name, and takes no id
        module.init(**{name: value for name, value in settings.items() if name in takes})
        self._module = module
        folder.sinks.add(self._name, own)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        self._module.log(_finite(values), step=step)

    def picture(self, tag: str, page: np.ndarray, step: int) -> None:
        self._module.log({tag: self._module.Image(page)}, step=step)

    def histograms(self, values: Mapping[str, np.ndarray], step: int) -> None:
        kind = getattr(self._module, "Histogram", None)
        if kind is not None and values:
            self._module.log({tag: kind(value.ravel()) for tag, value in values.items()}, step=step)

    def settings(self, chosen: Mapping[str, Any], final: Mapping[str, float]) -> None:
        summary = getattr(getattr(self._module, "run", None), "summary", None)  # trackio has none
        if summary is not None:
            summary.update(_finite(final))

    def close(self, ended: Ended = "finished") -> None:
        if self._module is not None:
            takes = inspect.signature(self._module.finish).parameters
            self._module.finish(**({"exit_code": int(ended != "finished")} if "exit_code" in takes else {}))
            self._module = None


class MLflow(Sink):
    """MLflow's tracking server, or its files, as MLFLOW_TRACKING_URI says."""

    def __init__(self) -> None:
        self._client: Any = None
        self._run = ""

    def open(self, folder: RunFolder, step: int, chosen: Mapping[str, Any]) -> None:
        client = importlib.import_module("mlflow.tracking").MlflowClient()
        known = folder.sinks.read().get("mlflow")
        if known is None:
            experiment = client.get_experiment_by_name(PROJECT)
            place = client.create_experiment(PROJECT) if experiment is None else experiment.experiment_id
            known = client.create_run(place, run_name=_title(folder)).info.run_id
            for name, value in _plain(chosen).items():
                client.log_param(known, name, str(value)[:500])
            folder.sinks.add("mlflow", known)
        else:
            client.update_run(known, status="RUNNING")
        self._client, self._run = client, known

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        for tag, value in _finite(values).items():
            self._client.log_metric(self._run, tag, value, step=step)

    def picture(self, tag: str, page: np.ndarray, step: int) -> None:
        self._client.log_image(self._run, page, key=tag, step=step)

    def close(self, ended: Ended = "finished") -> None:
        if self._client is not None:
            self._client.set_terminated(self._run, status=ENDINGS[ended])
            self._client = None


ENDINGS: dict[Ended, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""How runs end, in MLflow's words."""
SINKS = ("tensorboard", "trackio", "wandb", "mlflow")
"""What `log.sinks` may name."""


def check_sinks(names: Sequence[str]) -> None:
    """Whether each of these is there.

    Raises:
        UserError: one is unknown, or its package is not installed.
    """
    for name in names:
        if name not in SINKS:
            raise UserError(f"log.sinks: {name} is none of {', '.join(SINKS)}")
        if name != "tensorboard" and importlib.util.find_spec(name) is None:
            raise UserError(f"log.sinks: {name} is not installed: pip install {name}, or leave it out")


def sinks_of(names: Sequence[str]) -> dict[str, Sink]:
    """The sinks of these names, each once, not yet open."""
    return {name: _sink(name) for name in names}


def _sink(name: str) -> Sink:
    if name == "tensorboard":
        return TensorBoard()
    return MLflow() if name == "mlflow" else WandbShaped(name)


def _title(folder: RunFolder) -> str:
    path = folder.path.resolve()
    return f"{path.parent.name}/{path.name}"


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {tag: float(value) for tag, value in values.items() if math.isfinite(value)}


def _plain(chosen: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    return {key: value if isinstance(value, (bool, int, float, str)) else str(value) for key, value in chosen.items()}
