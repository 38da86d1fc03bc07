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
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from gantrain.building import build
from gantrain.commands.assembly import build_game, build_metrics, plain
from gantrain.commands.folders import JSONL, STATUS, fresh_folder, status_of
from gantrain.commands.train import resume, train
from gantrain.config import check_place, complete, compose, hydra_at, named, validate
from gantrain.errors import Mistyped, Stopped, UserError
from gantrain.files import read_text, refuse_link, write_text
from gantrain.overrides import explained, parse, quoted
from gantrain.report.console import Console
from gantrain.report.recorder import read_lines
from gantrain.training.checkpoints import FOLDER, find, load, steps_in
from gantrain.training.machine import choose_machine
from gantrain.trust import of_hydra

PLAN, JOB, SUMMARY = "sweep.json", "job.json", "summary.csv"


def sweep(overrides: Sequence[str], config_dir: str | None, config_name: str, folder: Path | None = None) -> int:
    """Runs every combination, prints and writes the table, and returns the exit code.

    Args:
        folder: of an earlier sweep whose missing jobs are to be finished.

    Raises:
        UserError: the overrides do not make configs; nothing was written.
        Stopped: by a signal; the table is printed all the same.
    """
    with hydra_at(config_dir):
        parsed = parse(overrides, config_name)
        first = _check(parsed, config_name)
        folder = folder or _new_folder(parsed, first)
        OmegaConf.register_new_resolver("gantrain_job", lambda number: f"{int(number):03d}", replace=True)
        quiet = ["hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none"]
        places = [f"hydra.sweep.dir={_literal(folder)}", "hydra.sweep.subdir='${gantrain_job:${hydra.job.num}}'"]
        own = str(Path(config_dir).expanduser().resolve()) if config_dir else None
        kept = [word for word, override in zip(overrides, parsed, strict=True) if not of_hydra(override)]
        plan = {"overrides": kept, "config_dir": own, "config_name": config_name}
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None

        def job(cfg: DictConfig) -> float:
            write_text(folder / PLAN, json.dumps(plan, indent=1))
            return _job(cfg)

        try:
            with explained(overrides, config_name):
                hydra.multirun(config_name, job, [*overrides, *places, *quiet])
        except UserError:
            _remove_unless_begun(folder)
            raise
        except (Stopped, KeyboardInterrupt):
            _table(folder)
            raise
    return 1 if _table(folder) else 0


def finish(folder: Path, words: Sequence[str]) -> int:
    """Goes on with a sweep: finished jobs stay, those with a checkpoint go on, the others start.

    Args:
        words: overrides of Hydra's own settings, which a sweep's file does not hold, for it may be a stranger's.

    Raises:
        UserError: the sweep's file is damaged or sets something of Hydra's own; other words were given.
    """
    for path in folder.iterdir():  # jobs' folders, and what Hydra writes beside them
        refuse_link(path)
    file = folder / PLAN
    try:
        plan = json.loads(read_text(file))
        overrides, config_dir, config_name = (plan[key] for key in ("overrides", "config_dir", "config_name"))
        whole = all(isinstance(word, str) for word in (*overrides, config_dir or "", config_name))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is damaged: begin the sweep anew") from error
    if not whole:
        raise UserError(f"{file} is damaged: begin the sweep anew")
    for word, override in zip(overrides, parse(overrides, config_name), strict=True):
        if of_hydra(override):
            raise UserError(f"{file} holds {word}: what belongs to Hydra itself is set on the command line only")
    others = [word for word, override in zip(words, parse(words, config_name), strict=True) if not of_hydra(override)]
    if others:
        raise UserError(f"a sweep is finished as it was begun: leave out {' '.join(others)}")
    return sweep([*overrides, *words], config_dir, config_name, folder)


def _literal(folder: Path) -> str:
    """A path as a value of Hydra's grammar that is not read as an interpolation."""
    return quoted(str(folder).replace("${", "\\${"))


def _remove_unless_begun(folder: Path) -> None:
    """Takes back what Hydra wrote before it found that a job has no config."""
    if folder.is_dir() and not (folder / PLAN).exists():
        shutil.rmtree(folder)
        for parent in (folder.parent, folder.parent.parent, folder.parent.parent.parent):
            with suppress(OSError):  # others have runs in there
                parent.rmdir()


def _new_folder(parsed: Sequence[Override], cfg: DictConfig) -> Path:
    """A folder named by what the jobs share and what is swept, given the first job's config."""
    swept = [o.key_or_group for o in parsed if o.is_sweep_override()]
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


def _check(parsed: Sequence[Override], config_name: str) -> DictConfig:
    """The first job's config, once every value of what is swept makes one.

    What does not fit together may be one of many combinations, and is that job's failure; not where nothing fits, nor
    where a value is of the wrong type.

    Raises:
        UserError: a value makes no config, or none of them a run.
    """
    swept = [o for o in parsed if o.is_discrete_sweep()]
    fixed = [str(o.input_line) for o in parsed if not o.is_sweep_override()]
    values = [[f"{str(o.input_line).partition('=')[0]}={value}" for value in o.sweep_string_iterator()] for o in swept]
    firsts = [words[0] for words in values]
    jobs = [firsts, *([*firsts[:k], word, *firsts[k + 1 :]] for k, words in enumerate(values) for word in words[1:])]
    configs = [compose([*fixed, *words], config_name) for words in jobs]
    for cfg in configs:
        validate(cfg)
        check_place(cfg)
    refusals = []
    for cfg in configs:
        try:
            cfg = complete(cfg)
            game = build_game(cfg)
            build_metrics(cfg, build(plain(cfg.dataset), "dataset"), game)
            choose_machine(cfg.trainer.device, cfg.trainer.precision.value, game)
        except Mistyped:
            raise
        except UserError as error:
            refusals.append(error)
    if len(refusals) == len(configs):
        raise refusals[0]
    return configs[0]


def _job(cfg: DictConfig) -> float:
    """One run of a sweep. Never raises but for a signal, so that the others go on; returns its objective."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    words = [word for word in hydra.overrides.task if not word.startswith("hydra.")]
    console = Console()
    write_text(folder / JOB, json.dumps(words))
    try:
        if status_of(folder).get("status") == "finished":
            return _objective(folder, cfg.metrics.best)
        console.say(f"\njob {folder.name}: {' '.join(words)}")
        if steps_in(folder / FOLDER):
            resume(str(folder), [], console, quiet=True)
        else:
            train(complete(named(cfg, dict(hydra.runtime.choices))), console, folder, quiet=True)
        return _objective(folder, cfg.metrics.best)
    except Exception as error:  # a failing job must not end the others
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        write_text(folder / STATUS, json.dumps({"status": "failed", "reason": reason}))
        console.say(f"job {folder.name} failed: {reason}")
        return math.nan
    finally:
        console.close()


def _objective(folder: Path, best: str | None) -> float:
    """What a sweeper compares jobs by: the best value of `metrics.best`, else the first figure of the last evaluation.

    NaN where there is none.
    """
    if best is not None:
        with suppress(UserError, KeyError, TypeError):  # there is none, or a damaged one
            return load(find(folder, "best"))["progress"]["figures"][best]
        return math.nan
    lines = [line for line in read_lines(folder / JSONL) if any(key.startswith("metrics/") for key in line)]
    figures = [value for key, value in lines[-1].items() if key.startswith("metrics/")] if lines else []
    return math.nan if not figures or figures[0] is None else figures[0]


def _table(folder: Path) -> list[str]:
    """Prints and writes what became of each job, and returns the names of those that failed."""
    rows, chosen = [], []
    for job in sorted(f for f in folder.iterdir() if (f / JOB).is_file()):
        status = status_of(job)
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
