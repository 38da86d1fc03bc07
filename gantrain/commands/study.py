"""The study of a search, in its sweep's folder: what was tried, and Optuna's own plots of it."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gantrain.commands.sweep_words import FAILED
from gantrain.runs import SweepFolder

STUDY = "sweep"
"""The name of the only study in a sweep's file."""


def storage_of(folder: SweepFolder) -> str:
    """Where the study lies, as SQLAlchemy names it."""
    return f"sqlite:///{folder.study.resolve()}"


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Within, Optuna says no more than what goes wrong: not which trial ended how, nor what is new in it."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def open_study(folder: SweepFolder) -> Any:
    """Optuna's study in a sweep's folder, which has one."""
    import optuna

    return optuna.load_study(study_name=STUDY, storage=storage_of(folder))


def study_plots(folder: SweepFolder) -> list[Mapping[str, Any]]:
    """Optuna's plots of the history of a search and of what mattered in it, as plain values of Plotly.

    Importance is the mean decrease of impurity in a random forest (Breiman 2001). Runs that failed stand where the
    worst of the others does: their own value is far away from all. Nothing without a study, or with too few trials.
    """
    if folder.study.is_symlink() or not folder.study.is_file():
        return []
    if importlib.util.find_spec("optuna") is None:
        return []
    with quiet_optuna():
        return _plots(open_study(folder), str(folder.read_plan().metric))


def _plots(study: Any, metric: str) -> list[Mapping[str, Any]]:
    import optuna
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator
    from optuna.visualization import plot_optimization_history, plot_param_importances

    done = [t for t in study.get_trials(deepcopy=False) if t.state == optuna.trial.TrialState.COMPLETE]
    finite = [t.value for t in done if abs(t.value) < FAILED]
    if len(finite) < 2:
        return []
    shown = optuna.create_study(direction=study.direction)
    for trial in done:
        value = min(max(trial.value, min(finite)), max(finite))
        shown.add_trial(optuna.create_trial(params=trial.params, distributions=trial.distributions, value=value))
    plots = [plot_optimization_history(shown, target_name=metric)]
    if len(set(finite)) > 1 and len(done[0].params) > 1:
        forest = MeanDecreaseImpurityImportanceEvaluator(seed=0)
        plots.append(plot_param_importances(shown, evaluator=forest, target_name=metric))
    return [json.loads(plot.to_json()) for plot in plots]
