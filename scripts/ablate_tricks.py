"""Each trick alone, three seeds, beside the recipe without any: what it does to figures, and what it costs.

    python scripts/ablate_tricks.py ring8                         goes on where it was ended; grid25, digits, mnist too
    python scripts/ablate_tricks.py digits --tricks ema,packing --steps 1000 --seeds 5
    python scripts/ablate_tricks.py ring8 --page docs/tricks.md   the table goes there too, in an earlier one's place

Underneath it is one sweep, in outputs/sweeps/ablation_<setting>. Recipes are plain and short: the nonsaturating loss,
Adam at 1e-3 for points and 2e-4 for pictures, batch norm in G, nothing averaged, so that there is something to mend. A
step's cost is measured afterwards, in seconds of the processor, which others' work on the machine touches little.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replica_times import rounds_of, seconds

from gantrain.config import compose, hydra_at
from gantrain.errors import UserError
from gantrain.options import listed, options_of
from gantrain.runs import JobFolder, SweepFolder
from gantrain.training.state import Progress

ELSEWHERE = {
    "early_stopping": "only ends a run",
    "reconstruction": "is for few and larger pictures",
    "weight_clipping": "belongs to wgan",
}
"""Tricks that say nothing here, and why."""
NONE = "none"


@dataclass(frozen=True)
class Setting:
    """On what tricks are tried, in runs of at most half a minute of one core; of MNIST, of some minutes.

    `figures`: of the last evaluation, and whether more is better.
    """

    words: tuple[str, ...]
    steps: int
    rounds: int
    figures: Mapping[str, bool]


POINTS = ("loss=nonsaturating", "optimizer.lr=1e-3", "model.generator.norm=batch", "metrics=modes")
COVERAGE = {"modes": True, "high_quality": True}
PICTURES = ("model=dcgan_small", "loss=nonsaturating", "metrics=none", "metrics.use=[fid_classifier]")
NEARNESS = {"fid_classifier": False}
SETTINGS = {
    "ring8": Setting(("dataset=ring8", *POINTS), 1200, 100, COVERAGE),
    "grid25": Setting(("dataset=grid25", *POINTS), 1600, 100, COVERAGE),
    "digits": Setting(("dataset=digits", *PICTURES), 200, 20, NEARNESS),
    "mnist": Setting(("dataset=mnist", *PICTURES), 2000, 20, NEARNESS),
}
PLAIN = ("trainer.execution=eager", "trainer.threads=1", "log.sinks=[]", "log.samples_every=1000000")


def sweep(name: str, tricks: Sequence[str], seeds: int, steps: int, outputs: Path) -> SweepFolder:
    """Trains what is missing of the latest sweep over the same, or begins one, and returns its folder."""
    choices = ",".join(["[]", *(f"[{trick}]" for trick in tricks)])
    swept = [f"tricks={choices}", f"seed={','.join(map(str, range(seeds)))}", f"trainer.steps={steps}"]
    begun = latest(name, swept, outputs)
    words = ["-m", *SETTINGS[name].words, *swept, *PLAIN, f"name=ablation_{name}", f"outputs_dir={outputs}"]
    done = subprocess.run([sys.executable, "-m", "gantrain", *([f"run={begun}"] if begun else words)], check=False)
    begun = begun or latest(name, swept, outputs)
    if begun is None:
        raise SystemExit(done.returncode)
    return begun  # jobs that failed are told in the table


def latest(name: str, swept: Sequence[str], outputs: Path) -> SweepFolder | None:
    """The last sweep that was begun with these words."""
    folders = [SweepFolder(file.parent) for file in (outputs / "sweeps" / f"ablation_{name}").glob("*/sweep.json")]
    alike = [folder for folder in folders if set(swept) <= set(folder.read_plan().overrides)]
    return max(alike, key=lambda folder: folder.path, default=None)


def finals(jobs: Sequence[JobFolder], figure: str) -> list[float]:
    """The last value of a figure in each run that was finished."""
    tag, values = f"metrics/{figure}", []
    for job in jobs:
        measured = [line[tag] for line in job.numbers.read() if tag in line]
        if measured and job.status.read().status == "finished":
            values.append(measured[-1])
    return values


def cell(values: Sequence[float], plain: Sequence[float], more_is_better: bool) -> str:
    """Mean ± standard deviation; ▲ better, ▼ worse than without any trick by more than their spread."""
    mean, spread = statistics.fmean(values), statistics.pstdev(values) if len(values) < 2 else statistics.stdev(values)
    said = f"{mean:.3g} ± {spread:.2g}"
    if len(values) < 2 or len(plain) < 2 or values is plain:
        return said
    apart = mean - statistics.fmean(plain)
    within = ((spread**2 + statistics.variance(plain)) / 2) ** 0.5
    if abs(apart) <= within:
        return said
    return f"{said} {'▲' if (apart > 0) == more_is_better else '▼'}"


def milliseconds(setting: Setting, trick: str) -> float:
    """Of the processor in a step with one trick, without logs, pictures and evaluations."""
    words = [*setting.words, *PLAIN, f"tricks=[{'' if trick == NONE else trick}]"]
    rounds, progress = rounds_of(words, 0), Progress()
    return 1000 * seconds(lambda: rounds.play(progress), setting.rounds)[0]


def by_trick(folder: SweepFolder) -> dict[str, list[JobFolder]]:
    """The runs with each trick, those without any first."""
    found: dict[str, list[JobFolder]] = {NONE: []}
    for job in folder.jobs():
        chosen = next(word.partition("=")[2] for word in job.read_words() if word.startswith("tricks="))
        found.setdefault(chosen.strip("[]") or NONE, []).append(job)
    return found


def too_late(tricks: Sequence[str], steps: int) -> list[str]:
    """Those that begin when so many steps are over."""
    with hydra_at(None):
        described = compose([f"tricks=[{','.join(tricks)}]"], "train").tricks
    return [trick for trick in tricks if int(described.get(trick, {}).get("start") or 0) >= steps]


def table(name: str, folder: SweepFolder, tricks: Sequence[str], late: Sequence[str]) -> list[str]:
    """The lines of a table in Markdown, and below it which of these tricks it lacks, and of the `late` ones."""
    setting = SETTINGS[name]
    runs = {trick: jobs for trick, jobs in by_trick(folder).items() if trick not in late}
    plain = {figure: finals(runs[NONE], figure) for figure in setting.figures}
    lines, refused, unfinished, alone = [], [], [], None
    for trick, jobs in runs.items():
        values = {figure: plain[figure] if trick == NONE else finals(jobs, figure) for figure in setting.figures}
        if not all(values.values()):
            failed = all(job.status.read().status == "failed" for job in jobs)
            (refused if failed else unfinished).append(trick)
            continue
        cost = milliseconds(setting, trick)
        alone = alone or cost
        cells = [cell(values[figure], plain[figure], better) for figure, better in setting.figures.items()]
        seeds = min(map(len, values.values()))
        lines.append(f"| `{trick}` | {' | '.join(cells)} | {cost:.1f} ({cost / alone:.2f}) | {seeds} |")
    head = [
        f"| {name} | {' | '.join(setting.figures)} | ms a step (of those without) | seeds |",
        f"|---|{'---|' * len(setting.figures)}---|---|",
    ]
    lacking = {
        "Failed there, mostly because they are refused (the sweep's table has the reasons)": refused,
        "Left out, for that was over before they begin": late,
        "Not run": [trick for trick in tricks if trick not in runs or trick in unfinished],
        **{f"Left out, for it {why}": [trick] for trick, why in ELSEWHERE.items()},
    }
    said = [f"{what}: {', '.join(f'`{trick}`' for trick in those)}." for what, those in lacking.items() if those]
    return [*head, *lines, "", *textwrap.wrap(" ".join(said), 120, break_on_hyphens=False)]


def put(page: Path, name: str, lines: Sequence[str]) -> None:
    """Writes a table between the two comments on the page that name it.

    Raises:
        UserError: the page has no such place.
    """
    begin, end = f"<!-- ablation {name} -->", f"<!-- end of ablation {name} -->"
    text = page.read_text()
    written, places = re.subn(
        f"{begin}.*?{end}", lambda _: "\n".join([begin, *lines, end]), text, count=1, flags=re.DOTALL
    )
    if not places:
        raise UserError(f"{page} has no place for the table: write {begin}{end} where it shall stand")
    page.write_text(written)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=sorted(SETTINGS))
    parser.add_argument("--tricks", help="these alone, with commas between")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each run")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--page", type=Path, help="in Markdown, with a place for the table")
    arguments = parser.parse_args()
    every = [trick for trick in listed("tricks", options_of("tricks")) if trick not in ELSEWHERE]
    asked = arguments.tricks.split(",") if arguments.tricks else every
    steps = arguments.steps or SETTINGS[arguments.setting].steps
    late = too_late(asked, steps)
    tricks = [trick for trick in asked if trick not in late]
    folder = sweep(arguments.setting, tricks, arguments.seeds, steps, arguments.outputs)
    lines = [f"{steps:,} steps each:", "", *table(arguments.setting, folder, tricks, late)]
    print("\n" + "\n".join(lines))
    if arguments.page:
        put(arguments.page, arguments.setting, lines)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
