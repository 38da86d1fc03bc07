"""`gantrain -m`: many runs under one folder, by Hydra's sweeper and launcher."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gantrain.commands.folders import JSONL, STATUS, fresh_folder
from gantrain.commands.train import resume, train
from gantrain.config import complete, compose, explain, hydra_at, named
from gantrain.errors import Stopped, UserError
from gantrain.files import read_text, refuse_link, write_text
from gantrain.report.console import Console
from gantrain.report.recorder import read_lines
from gantrain.training.checkpoints import FOLDER, steps_in

PLAN, JOB, SUMMARY = "sweep.json", "job.json", "summary.csv"


def sweep(overrides: Sequence[str], config_dir: str | None, config_name: str, folder: Path | None = None) -> int:
    """Runs every combination, prints and writes the table, and returns the exit code.

    Args:
        folder: of an earlier sweep whose missing jobs are to be finished.

    Raises:
        UserError: the overrides do not make configs; nothing was written.
        Stopped: by a signal; the table is printed all the same.
    """
    with hydra_at(config_dir) as extra:
        folder = folder or _new_folder([*extra, *overrides], config_name)
        OmegaConf.register_new_resolver("gantrain_job", lambda number: f"{int(number):03d}", replace=True)
        quiet = ["hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]
        places = [f"hydra.sweep.dir='{folder}'", "hydra.sweep.subdir='${gantrain_job:${hydra.job.num}}'"]
        own = str(Path(config_dir).expanduser().resolve()) if config_dir else None
        plan = {"overrides": list(overrides), "config_dir": own, "config_name": config_name}
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None

        def job(cfg: DictConfig) -> float:
            write_text(folder / PLAN, json.dumps(plan, indent=1))
            return _job(cfg)

        try:
            hydra.multirun(config_name, job, [*extra, *overrides, *places, *quiet])
        except (HydraException, OmegaConfBaseException) as error:
            _remove_unless_begun(folder)
            raise UserError(explain(error, [*extra, *overrides], config_name)) from error
        except (Stopped, KeyboardInterrupt):
            _table(folder)
            raise
    return 1 if _table(folder) else 0


def finish(folder: Path) -> int:
    """Goes on with a sweep: finished jobs stay, those with a checkpoint go on, the others start."""
    for path in folder.iterdir():  # jobs' folders, and what Hydra writes beside them
        refuse_link(path)
    plan = json.loads(read_text(folder / PLAN))
    return sweep(plan["overrides"], plan["config_dir"], plan["config_name"], folder)


def _remove_unless_begun(folder: Path) -> None:
    """Takes back what Hydra wrote before it found that a job has no config."""
    if folder.is_dir() and not (folder / PLAN).exists():
        shutil.rmtree(folder)
        for parent in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
            with suppress(OSError):  # others have runs in there
                parent.rmdir()


def _new_folder(overrides: Sequence[str], config_name: str) -> Path:
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise UserError(explain(error, overrides, config_name)) from error
    swept = [o.key_or_group for o in parsed if o.is_sweep_override()]
    # any one of the jobs will do: its own words, and the first value of what is swept
    cfg = compose([word for word in map(_first, parsed) if word], config_name)
    words = (
        []
        if "experiment" in swept
        else [
            part
            for group, part in zip(("dataset", "model", "loss"), cfg.name.split("-"), strict=False)
            if group not in swept
        ]
    )
    name = cfg.name if any(o.key_or_group == "name" for o in parsed) else "-".join([*words, "by", *swept])
    name = name.replace("/", ".").removeprefix("-")
    return fresh_folder(Path(cfg.outputs_dir).expanduser() / "sweeps" / name)


def _first(override: Override) -> str | None:
    """The override, or its first value where it is swept; None for a sweep over a continuous range."""
    line = override.input_line or ""
    if not override.is_sweep_override():
        return line
    return (
        f"{line.partition('=')[0]}={next(override.sweep_string_iterator())}" if override.is_discrete_sweep() else None
    )


def _job(cfg: DictConfig) -> float:
    """One run of a sweep. Never raises but for a signal, so that the others go on; returns its first figure."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    words = [word for word in hydra.overrides.task if not word.startswith("hydra.")]
    console = Console()
    write_text(folder / JOB, json.dumps(words))
    status = _read(folder / STATUS).get("status")
    if status == "finished":
        return math.nan
    console.say(f"\njob {folder.name}: {' '.join(words)}")
    try:
        if steps_in(folder / FOLDER):
            figures = resume(str(folder), [], console, quiet=True)
        else:
            with_name = named(cfg, dict(hydra.runtime.choices))
            figures = train(complete(with_name), console, folder, quiet=True)
    except Exception as error:  # a failing job must not end the others
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        write_text(folder / STATUS, json.dumps({"status": "failed", "reason": reason}))
        console.say(f"job {folder.name} failed: {reason}")
        return math.nan
    finally:
        console.close()
    return next(iter(figures.values()), math.nan)


def _read(file: Path) -> dict[str, Any]:
    return json.loads(read_text(file)) if file.is_file() else {}


def _table(folder: Path) -> list[str]:
    """Prints and writes what became of each job, and returns the names of those that failed."""
    rows, chosen = [], []
    for job in sorted(f for f in folder.iterdir() if (f / JOB).is_file()):
        status = _read(job / STATUS)
        final: dict[str, Any] = {}
        for line in read_lines(job / JSONL):
            final |= line
        kept = [k for k in final if k.startswith("metrics/")] or [k for k in final if k.endswith("/total")]
        words = json.loads(read_text(job / JOB))
        chosen.append({key: value for key, _, value in (word.partition("=") for word in words)})
        rows.append(
            {
                "job": job.name,
                **{k: v.strip("'") for k, v in chosen[-1].items()},
                "status": status.get("status", "missing"),
                "step": final.get("step", ""),
            }
        )
        rows[-1] |= {k.removeprefix("metrics/"): final[k] for k in sorted(kept)}
        rows[-1]["reason"] = status.get("reason") or ""
    columns = list(dict.fromkeys(key for row in rows for key in row if key != "reason"))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, [*columns, "reason"], restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / SUMMARY, table.getvalue())
    common = {key for key in chosen[0] if all(c.get(key) == chosen[0][key] for c in chosen)} if chosen else set()
    columns = [c for c in columns if c not in common]  # what no two jobs differ in says nothing here
    shown = [columns, *([_short(row.get(c, "")) for c in columns] for row in rows)]
    widths = [max(len(line[k]) for line in shown) for k in range(len(columns))]
    print()
    for cells in shown:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip())
    failed = [str(row["job"]) for row in rows if row["status"] == "failed"]
    for row in rows:
        if row["status"] == "failed":
            print(f"failed: {row['job']}: {row['reason']}")
    print(f"table   {folder / SUMMARY}\ncurves  tensorboard --logdir {folder}\nfinish  gantrain run={folder}")
    return failed


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
