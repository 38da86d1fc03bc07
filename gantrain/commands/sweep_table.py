"""What became of a sweep's jobs: the table that is printed, and summary.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gantrain.runs import JobFolder, SweepFolder

Row = Mapping[str, Any]


def write_table(folder: SweepFolder) -> list[str]:
    """Prints and writes what became of each job, and returns the names of those that failed."""
    jobs = folder.jobs()
    choices = [_choices(job) for job in jobs]
    rows = [_row(job, chosen) for job, chosen in zip(jobs, choices, strict=True)]
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "reason"))
    folder.write_table(_csv(rows, [*columns, "reason"]))
    common = {key for key in choices[0] if all(c.get(key) == choices[0][key] for c in choices)} if choices else set()
    differing = [column for column in columns if column not in common]  # what no two jobs differ in says nothing here
    print("\n" + _aligned(rows, differing))
    failed = [row for row in rows if row["status"] == "failed"]
    for row in failed:
        print(f"failed: {row['job']}: {row['reason']}")
    print(f"table   {folder.table}\ncurves  tensorboard --logdir {folder}\nfinish  gantrain run={folder}")
    return [str(row["job"]) for row in failed]


def _choices(job: JobFolder) -> dict[str, str]:
    """What sets a job apart: its overrides, by key."""
    return {key: value for key, _, value in (word.partition("=") for word in job.read_words())}


def _row(job: JobFolder, chosen: Mapping[str, str]) -> dict[str, Any]:
    """A job's choices, how it stands, and its last figures; its last losses where nothing was evaluated."""
    said = job.status.read()
    final: dict[str, Any] = {}
    for line in job.numbers.read():
        final |= line
    kept = [key for key in final if key.startswith("metrics/")] or [key for key in final if key.endswith("/total")]
    return {
        "job": job.path.name,
        **{key: value.strip("'") for key, value in chosen.items()},
        "status": said.status or "missing",
        "step": final.get("step", ""),
        **{key.removeprefix("metrics/"): final[key] for key in sorted(kept)},
        "reason": said.reason or "",
    }


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def _aligned(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Lines of columns as wide as what stands in them."""
    shown = [columns, *([_short(row.get(column, "")) for column in columns] for row in rows)]
    widths = [max(len(cells[k]) for cells in shown) for k in range(len(columns))]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) for cells in shown)
    return "\n".join(line.rstrip() for line in lines)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
