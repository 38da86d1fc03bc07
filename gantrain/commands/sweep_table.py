"""What became of a sweep's jobs: the table that is printed, and summary.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from shlex import quote
from typing import Any

from gantrain.commands.ranking import Figure, best_of
from gantrain.commands.report import report_sweep
from gantrain.report.console import Console
from gantrain.report.html import said_of_sweep
from gantrain.report.tables import aligned
from gantrain.runs import JobFolder, SweepFolder

Row = Mapping[str, Any]
LOST = ("failed", "died")
"""How jobs stand whose figures say nothing."""


def write_table(folder: SweepFolder, config_dir: str | None, cut: bool = False) -> list[str]:
    """Prints and writes what became of each job, and returns the names of those that failed.

    Args:
        config_dir: the user's own configs, which are named again where the sweep is finished.
        cut: it ends before all its jobs have begun.
    """
    say = Console().say
    jobs = folder.jobs()
    choices = [_choices(job) for job in jobs]
    rows = [_row(job, chosen) for job, chosen in zip(jobs, choices, strict=True)]
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "reason"))
    folder.write_table(_csv(rows, [*columns, "reason"]))
    common = {key for key in choices[0] if all(c.get(key) == choices[0][key] for c in choices)} if choices else set()
    differing = [column for column in columns if column not in common]  # what no two jobs differ in says nothing here
    names = _short_names(differing)
    say("\n" + aligned([{names[k]: v for k, v in row.items() if k in names} for row in rows], list(names.values())))
    said = said_of_sweep(folder)
    for line in said if len(said) > 1 else [*_best(jobs, rows), *said]:
        say(line)
    failed = [row for row in rows if row["status"] in LOST]
    for row in failed:
        say(f"{row['status']}: {row['job']}: {row['reason']}")
    if report_sweep(folder, say):
        say(f"report  {folder.report}")
    say(f"table   {folder.table}\ncurves  tensorboard --logdir {folder}")
    if cut or any(row["status"] != "finished" for row in rows):
        own = f" --config-dir {quote(config_dir)}" if config_dir else ""
        say(f"finish  gantrain run={folder}{own}")
    return [str(row["job"]) for row in failed]


def _short_names(columns: Sequence[str]) -> dict[str, str]:
    """The last part of each column's name, where no two have the same; else all of it."""
    last = [column.rpartition(".")[2] for column in columns]
    return {column: name if last.count(name) == 1 else column for column, name in zip(columns, last, strict=True)}


def _plain(value: str) -> str | float:
    """A choice as it was typed; a number with a fraction as one, which a table shows to four digits."""
    with suppress(ValueError):
        return value if value.isdecimal() else float(value)
    return value.strip("'")


def _best(jobs: Sequence[JobFolder], rows: Sequence[Row]) -> list[str]:
    """For each metric, which job is best by it, or why that cannot be said."""
    protocols = [job.protocols.read() for job in jobs]
    lines = []
    for name in dict.fromkeys(key for row in rows for key in row):
        figures = {
            str(row["job"]): Figure(row[name], held.get(f"metrics/{name}"))
            for row, held in zip(rows, protocols, strict=True)
            if isinstance(row.get(name), (int, float)) and f"metrics/{name}" in held and row["status"] not in LOST
        }
        lines.append(best_of(name, figures))
    return [line for line in lines if line]


def _choices(job: JobFolder) -> dict[str, str]:
    """What sets a job apart: its overrides, by key."""
    return {key: value for key, _, value in (word.partition("=") for word in job.read_words())}


def _row(job: JobFolder, chosen: Mapping[str, str]) -> dict[str, Any]:
    """A job's choices, how it stands, and its last figures; its last losses where nothing was evaluated."""
    said, standing = job.status.read(), job.status.standing()
    final: dict[str, Any] = {}
    for line in job.numbers.read():
        final |= line
    kept = [key for key in final if key.startswith("metrics/")] or [key for key in final if key.endswith("/total")]
    return {
        "job": job.path.name,
        **{key: _plain(value) for key, value in chosen.items()},
        "status": standing or "missing",
        "step": final.get("step", ""),
        **{key.removeprefix("metrics/"): final[key] for key in sorted(kept)},
        "reason": "its process is gone" if standing == "died" else said.reason or "",
    }


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
