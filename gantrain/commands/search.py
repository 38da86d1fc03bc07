"""A search: Hydra's Optuna sweeper over one study in the sweep's folder, which goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override

from gantrain.commands.launching import is_installed
from gantrain.commands.study import STUDY, open_study, quiet_optuna, storage_of
from gantrain.commands.sweep_words import Objective
from gantrain.config import quoted
from gantrain.errors import UserError
from gantrain.runs import SweepFolder
from gantrain.seeding import mix

AT_ONCE = 8
"""Trials that are begun together at most, unless `hydra.sweeper.n_jobs` says otherwise."""
ENDLESS = 2**31
SEEDED = ("tpe", "random", "cmaes", "nsgaii", "nsgaiii", "qmc", "gp")
"""Samplers of Optuna whose draws follow from a seed."""


def with_sweeper(words: Sequence[str]) -> list[str]:
    """The overrides with the sweeper that they set something of, where they name none.

    Raises:
        UserError: Optuna is not here.
    """
    keys = [word.lstrip("+").partition("=")[0] for word in words]
    if "hydra/sweeper" in keys or not any(key.startswith(("hydra.sweeper.", "hydra/sweeper/")) for key in keys):
        return list(words)
    _check_installed()
    return ["hydra/sweeper=optuna", *words]


def _check_installed() -> None:
    if not is_installed("hydra_plugins.hydra_optuna_sweeper"):
        raise UserError("a search needs Optuna's sweeper for Hydra: pip install 'gantrain[sweep]'")


def check_search(parsed: Sequence[Override], trials: int | None) -> None:
    """Whether what is swept can be.

    Raises:
        UserError: an interval is swept without a search, a search has nothing to look for, or Optuna is not here.
    """
    intervals = [str(o.input_line) for o in parsed if o.is_interval_sweep()]
    own = next((o.value() for o in parsed if o.key_or_group == "hydra/sweeper"), "basic")
    if trials is None:
        if intervals and own == "basic":
            raise UserError(f"{intervals[0]} has endlessly many values: search them with sweep=tpe, or list some")
        return
    if any(o.key_or_group == "hydra.sweeper.n_trials" for o in parsed):
        raise UserError("how many trials a search has is sweep.trials=, of all processes together")
    if own not in ("basic", "optuna"):
        raise UserError(f"hydra/sweeper={own} has settings of its own: take it without sweep.trials, or leave it out")
    if not any(o.is_sweep_override() for o in parsed):
        raise UserError(
            "nothing is searched: add what may vary, such as 'optimizer.lr=tag(log,interval(1e-4,1e-2))' or "
            "loss=hinge,lsgan"
        )
    if own == "basic":
        _check_installed()


def take_trials(folder: SweepFolder, trials: int, each: int, most: int = ENDLESS) -> tuple[int, int]:
    """How many trials are to be run still, and how many of them this process, one of the folder's workers, takes.

    It takes a quarter, for others may join, but `each` at least, and `most` at most. Those that others have taken count
    as done. A trial counts as interrupted where nobody else works on the search and no process runs its job: it is put
    first in line, with the values that it had.
    """
    from optuna.trial import TrialState

    with folder.counted(), quiet_optuna():
        others = folder.workers.others()
        done = 0
        if folder.study.exists():
            study = open_study(folder)
            done = sum(trial.state == TrialState.COMPLETE for trial in study.get_trials(deepcopy=False))
            if not others:
                done += _running(folder, study, TrialState)
        left = max(trials - done - sum(others), 0)
        taken = min(left, most, max(each, left // 4))
        folder.workers.take(taken)
    return left, taken


def _running(folder: SweepFolder, study: Any, states: Any) -> int:
    """How many trials are being run; those that are not go back in line."""
    running = 0
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        if _alive(folder, trial.params):
            running += 1
            continue
        study.tell(trial.number, state=states.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)
    return running


def at_a_time(parsed: Sequence[Override], at_once: int) -> int:
    """How many trials are begun together: each learns only from those before.

    A grid is Optuna's to divide, and ends when it has been gone through.
    """
    own = {o.key_or_group: o.value() for o in parsed}
    if own.get("hydra/sweeper/sampler") == "grid":
        return ENDLESS
    return int(str(own.get("hydra.sweeper.n_jobs", min(at_once, AT_ONCE))))


def search_words(
    folder: SweepFolder, parsed: Sequence[Override], objective: Objective, trials: int, at_once: int
) -> list[str]:
    """Hydra's own settings for so many more trials of a search, but for those that the command line has.

    Each call draws from a seed of its own: with the first one's it would repeat its trials.
    """
    own = {o.key_or_group: o.value() for o in parsed}
    settings: dict[str, Any] = {
        "hydra/sweeper": "optuna",
        "hydra.sweeper.n_trials": trials,
        "hydra.sweeper.direction": objective.direction,
        "hydra.sweeper.storage": quoted(storage_of(folder)),
        "hydra.sweeper.study_name": STUDY,
        "hydra.sweeper.n_jobs": min(at_once, AT_ONCE),
        # a run that fails is a bad value; what may fail beside that is no reason to lose the study
        "hydra.sweeper.max_failure_rate": 1.0,
    }
    if own.get("hydra/sweeper/sampler", "tpe") in SEEDED:
        settings["hydra.sweeper.sampler.seed"] = mix(0, folder.next_number()) % 2**31
    return [f"{key}={value}" for key, value in settings.items() if key not in own]


def _alive(folder: SweepFolder, params: dict[str, Any]) -> bool:
    """Whether some process runs the job with these values."""
    words = {f"{name}={value}" for name, value in params.items()}
    for job in folder.jobs():
        if words <= set(job.read_words()):
            with job.held(wait=False) as free:
                return not free
    return False
