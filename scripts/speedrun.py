"""Time to quality: how good a run was after how many minutes of training. The rules are in docs/speedrun.md.

    python scripts/speedrun.py --seeds 0,1,2                        trains experiment=speedrun_cifar10, then reports
    python scripts/speedrun.py trainer.steps=10000                  with other settings
    python scripts/speedrun.py --run outputs/speedrun_cifar10/…     reports runs that are there already, one or more

Prints a table for each run and one of the rungs, and writes <out>/<name>.json, .md and .png. Seconds are those of
training: what the run spent on evaluations and pictures is not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gantrain.errors import UserError
from gantrain.runs import RunFolder

RUNGS = {"metrics/fid": (25.0, 16.77, 14.2, 8.5)}
"""The figures to be reached, by metric."""
SPEED = "speed/seconds_per_1000_images"
SPACE = "inception 6726825d"
"""Inception of 2015 with the beginning of its weights' checksum, as torch-fidelity has them."""


@dataclass(frozen=True)
class Point:
    """A checkpoint that was judged: after how much training, and how good."""

    step: int
    seconds: float
    """Of training alone."""
    images: int
    """Real ones that discriminators were shown."""
    figure: float


@dataclass(frozen=True)
class Speedrun:
    """One run: where it was made, how it was judged, and how it went."""

    run: str
    seed: int
    command: str
    machine: str
    versions: Mapping[str, str]
    peak_gib: float | None
    metric: str
    protocol: Mapping[str, Any]
    points: Sequence[Point]
    breaks: Sequence[str]
    """The rules that it breaks."""

    @property
    def lower_is_better(self) -> bool:
        return self.protocol.get("better", "lower") == "lower"

    def reached(self, rung: float) -> Point | None:
        """The first judged checkpoint that is as good as this."""
        for point in self.points:
            if point.figure <= rung if self.lower_is_better else point.figure >= rung:
                return point
        return None

    def best(self) -> Point:
        return (min if self.lower_is_better else max)(self.points, key=lambda point: point.figure)


def seconds_at(steps: Iterable[int], lines: Sequence[Mapping[str, Any]], batch_size: int) -> dict[int, float]:
    """Seconds of training up to each of these steps, from the speeds that a run logged in metrics.jsonl.

    A line's speed is that of all steps since the line before, without what was done beside training.

    Raises:
        UserError: no speed was logged at such a step or after it.
    """
    logged = [(line["step"], line[SPEED]) for line in lines if line.get(SPEED) is not None]
    found = {}
    for step in steps:
        seconds, since = 0.0, 0
        for end, speed in logged:
            seconds += speed * batch_size / 1000 * (min(end, step) - since)
            since = min(end, step)
        if since < step:
            raise UserError(f"the run logged no speed from step {since:,} to {step:,}: its metrics.jsonl is not whole")
        found[step] = seconds
    return found


def figures_of(folder: RunFolder, tag: str) -> tuple[dict[int, float], dict[str, Any]]:
    """A metric's figure by step and its protocol: as measured in the run, else by `gantrain evaluate` afterwards.

    Raises:
        UserError: it was not measured.
    """
    inside = {line["step"]: line[tag] for line in folder.numbers.read() if line.get(tag) is not None}
    if inside:
        return inside, folder.protocols.read().get(tag, {})
    later = [line for line in folder.evaluations.read() if line["figures"].get(tag) is not None]
    if not later:
        raise UserError(f"{folder} has no figure {tag}: add --metric with one that it has, or run gantrain evaluate")
    protocol = later[-1]["protocols"].get(tag, {})
    same = [line for line in later if line["protocols"].get(tag, {}) == protocol]
    return {line["step"]: line["figures"][tag] for line in same}, protocol


def broken_rules(cfg: DictConfig, folder: RunFolder, protocol: Mapping[str, Any]) -> list[str]:
    """What of docs/speedrun.md a run does not keep, as far as its folder tells."""
    status = folder.status.read()
    every = [int(n) for n in (cfg.log.samples_every, cfg.metrics.every, cfg.checkpoint.every) if n]
    kept = {
        "it is not of CIFAR-10's training set": cfg.dataset._target_ == "gantrain.data.Cifar10"
        and cfg.dataset.split == "train",
        "it started from weights of another run": cfg.init_from is None,
        "it was interrupted, or has not ended": status.status == "finished" and len(status.all_commands) == 1,
        "it went back to an earlier step": str(cfg.trainer.on_nonfinite) != "rollback",
        "it was not made on a GPU": "cpu" not in (status.machine or "cpu"),
        "it was made on several GPUs": not re.search(r", \d+ processes", status.machine or ""),
        f"it was judged by another metric than FID in the space {SPACE}": (
            (protocol.get("metric"), protocol.get("space")) == ("FID", SPACE)
        ),
        "it was not judged by 50,000 samples against the 50,000 training pictures": (
            (protocol.get("samples"), protocol.get("real"), protocol.get("split")) == (50_000, 50_000, "train")
        ),
        "log.every does not divide the steps between pictures, checkpoints and evaluations, so that its seconds are "
        "not exact": not any(n % cfg.log.every for n in every),
    }
    return [rule for rule, keeps in kept.items() if not keeps]


def speedrun_of(path: Path, tag: str) -> Speedrun:
    """What a run's folder tells.

    Raises:
        UserError: there is no run, or it was not judged by this metric.
    """
    folder = RunFolder(path)
    if not folder.has_config:
        raise UserError(f"{path} is no folder of a run: --run takes the one that holds config.yaml")
    cfg = OmegaConf.create(folder.read_config())
    figures, protocol = figures_of(folder, tag)
    lines, status = folder.numbers.read(), folder.status.read()
    seconds = seconds_at(figures, lines, cfg.trainer.batch_size)
    shown = cfg.trainer.batch_size * cfg.loss.n_critic
    points = [Point(step, seconds[step], step * shown, figures[step]) for step in sorted(figures)]
    peaks = [line["memory/peak_gib"] for line in lines if line.get("memory/peak_gib") is not None]
    return Speedrun(
        run=str(path),
        seed=cfg.seed,
        command=status.command or "",
        machine=status.machine or "unknown",
        versions=status.versions,
        peak_gib=max(peaks, default=None),
        metric=tag,
        protocol=protocol,
        points=points,
        breaks=broken_rules(cfg, folder, protocol),
    )


def train(words: Sequence[str], seed: int, outputs: Path) -> Path:
    """Trains the recipe with the real command, and returns the run's folder.

    Raises:
        UserError: the run did not end well; it said why.
    """
    for word in words:
        if word.startswith(("seed=", "outputs_dir=", "-")):
            raise UserError(f"{word}: this script takes --seeds and --outputs, beside gantrain's own settings")
    before = set(outputs.glob("*/*/config.yaml"))
    command = [sys.executable, "-m", "gantrain", "experiment=speedrun_cifar10", *words, f"seed={seed}"]
    done = subprocess.run([*command, f"outputs_dir={outputs}"], check=False)
    made = set(outputs.glob("*/*/config.yaml")) - before
    if done.returncode or len(made) != 1:
        raise UserError(f"the run of seed {seed} did not end well (exit code {done.returncode}): nothing is reported")
    return made.pop().parent


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.2f}" if seconds < 600 else f"{seconds / 60:.1f}"


def short(metric: str) -> str:
    return metric.rpartition("/")[2]


def rung_times(runs: Sequence[Speedrun], rung: float) -> float | None:
    """The median of the seconds in which runs reached a rung; None where one did not."""
    found = [point.seconds for run in runs if (point := run.reached(rung))]
    return statistics.median(found) if len(found) == len(runs) else None


def table(runs: Sequence[Speedrun], rungs: Sequence[float]) -> str:
    """All of it in Markdown."""
    name, lines = short(runs[0].metric), [f"# {runs[0].metric} over minutes of training"]
    for run in runs:
        versions = ", ".join(f"{package} {version}" for package, version in run.versions.items())
        peak = f"; {run.peak_gib:.1f} GiB at most" if run.peak_gib is not None else ""
        lines += ["", f"## Seed {run.seed}", f"`{run.command}`", "", f"{run.machine}; {versions}{peak}", ""]
        lines += [f"Not by the rules: {broken}." for broken in run.breaks] + [""] * bool(run.breaks)
        lines += [f"| step | minutes | images | {name} |", "|---|---|---|---|"]
        best = run.best()
        for at in run.points:
            figure = f"**{at.figure:.4g}**" if at == best else f"{at.figure:.4g}"
            lines.append(f"| {at.step:,} | {minutes(at.seconds)} | {at.images:,} | {figure} |")
    if rungs:
        lines += ["", "## Rungs", f"| {name} | " + " | ".join(f"seed {run.seed}" for run in runs) + " | median |"]
        lines.append("|---|" + "---|" * (len(runs) + 1))
        for rung in rungs:
            reached = [run.reached(rung) for run in runs]
            cells = [minutes(point.seconds) + " min" if point else "not reached" for point in reached]
            median = rung_times(runs, rung)
            cells.append("none" if median is None else minutes(median) + " min")
            lines.append(f"| {rung:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(runs: Sequence[Speedrun], rungs: Sequence[float], file: Path) -> None:
    """The figure over minutes, a line for each run, with the rungs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for run in runs:
        times = [point.seconds / 60 for point in run.points]
        axes.plot(times, [point.figure for point in run.points], marker="o", markersize=4, label=f"seed {run.seed}")
    values = [point.figure for run in runs for point in run.points]
    if min(values) > 0 and max(values) > 5 * min(values):
        axes.set_yscale("log")
    for rung in rungs:
        axes.axhline(rung, color="0.6", linewidth=0.8, linestyle="--")
        axes.annotate(f"{rung:g}", (1.0, rung), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=9, color="0.35")  # fmt: skip
    axes.set(xlabel="minutes of training", ylabel=short(runs[0].metric), xlim=(0, None))
    axes.set_title(runs[0].machine, fontsize=10, loc="left")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    FigureCanvasAgg(figure).print_png(str(file))


def report(runs: Sequence[Speedrun], rungs: Sequence[float], out: Path, name: str) -> None:
    """Prints the table and writes the three files."""
    out.mkdir(parents=True, exist_ok=True)
    held = {"rungs": {f"{rung:g}": rung_times(runs, rung) for rung in rungs}, "runs": [asdict(run) for run in runs]}
    (out / f"{name}.json").write_text(json.dumps(held, indent=1) + "\n")
    text = table(runs, rungs)
    (out / f"{name}.md").write_text(text)
    draw(runs, rungs, out / f"{name}.png")
    print(text)
    print(f"written: {out / name}.json, .md and .png")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="settings of gantrain beside experiment=speedrun_cifar10")
    parser.add_argument("--run", type=Path, nargs="+", default=[], help="folders of runs: nothing is trained")
    parser.add_argument("--seeds", default="0", help="of the runs that are trained: 0,1,2")
    parser.add_argument("--metric", default="metrics/fid", help="the tag of the figure")
    parser.add_argument(
        "--rungs", type=float, nargs="*", help="figures to be reached; of FID those of docs/speedrun.md"
    )
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="where runs go")
    parser.add_argument("--out", type=Path, default=Path("benchmarks") / "speedrun", help="where the report goes")
    parser.add_argument("--name", default=time.strftime("%Y-%m-%d_%H-%M"), help="of the report")
    asked = parser.parse_intermixed_args(words)
    rungs = asked.rungs if asked.rungs is not None else RUNGS.get(asked.metric, ())
    try:
        if asked.run and asked.words:
            raise UserError(f"{asked.words[0]}: runs that are there already take no settings")
        folders = asked.run or [train(asked.words, seed, asked.outputs) for seed in map(int, asked.seeds.split(","))]
        report([speedrun_of(folder, asked.metric) for folder in folders], rungs, asked.out, asked.name)
    except UserError as error:
        print(f"speedrun: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
