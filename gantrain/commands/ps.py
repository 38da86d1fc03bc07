"""`gantrain ps`: the runs below a folder, and how each stands by now."""

from __future__ import annotations

from pathlib import Path

from gantrain.errors import UserError
from gantrain.report.console import Console, clock
from gantrain.report.tables import aligned
from gantrain.runs import RunFolder, runs_below

COLUMNS = ("run", "stands", "step", "last heard of", "process")


def list_runs(folder: Path, console: Console) -> None:
    """Says of each run below a folder whether it is running, finished, stopped, failed or died, and where.

    A run that died said that it was running, and its process is gone; of one on another computer a heartbeat that is
    overdue says so.

    Raises:
        UserError: there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: gantrain ps <folder> lists the runs below it")
    runs = list(runs_below(folder))
    if not runs:
        raise UserError(f"{folder} holds no run: gantrain ps <folder> lists the runs below another")
    console.say(aligned([_row(run, folder) for run in runs], COLUMNS))
    for run in runs:
        said = run.status.read()
        if said.reason and said.status != "finished":
            console.say(f"{run.status.standing()}: {_name(run, folder)}: {' '.join(said.reason.split())}")


def _row(run: RunFolder, below: Path) -> dict[str, str | int | None]:
    said, age = run.status.read(), run.status.age()
    return {
        "run": _name(run, below),
        "stands": run.status.standing() or "not begun",
        "step": run.numbers.last_step(),
        "last heard of": f"{clock(age)} ago" if age is not None else None,
        "process": f"{said.pid} on {said.host}" if said.pid and said.host else said.pid,
    }


def _name(run: RunFolder, below: Path) -> str:
    return str(run.path.relative_to(below)) if run.path != below else str(run)
