"""The report of a sweep, or of any runs side by side."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gantrain.files import write_text
from gantrain.report.html.comparison import SEED, Comparison, Job, spread_of
from gantrain.report.html.cost import cost_of
from gantrain.report.html.curves import Chart, Curve, charts_of
from gantrain.report.html.figures import short
from gantrain.report.html.images import data_addresses
from gantrain.report.html.jobs import job_table, recipe_tables
from gantrain.report.html.markup import Html, folded, joined, section, tag
from gantrain.report.html.page import page
from gantrain.report.html.record import Record
from gantrain.report.html.single import STATES, chart_places, commands_in, said_of
from gantrain.runs import RunFolder, SweepFolder

Choices = Callable[[RunFolder], Mapping[str, str]]
"""What was chosen for a run, by key; nothing where that is not known."""
ALL_POINTS = 150_000
"""Points of all curves together, at most."""
PICTURE_BYTES = 30_000
"""Of each final picture that is kept pixel by pixel."""
PICTURE_SIDE = 560
"""Pixels of the longer side of each."""
FEW = 4
"""Jobs up to which every choice is looked at; of more, those that several jobs share: not what a search has drawn."""
MANY = 120
"""Jobs from which on final pictures are left out of the page: the jobs' own reports have them."""


def write_sweep_report(folder: SweepFolder, file: Path | None = None, study: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Writes report.html into a sweep's folder, or another file, from what its jobs wrote so far, and returns the file.

    Args:
        study: plots of a search, the `data` and the `layout` of Plotly of each.

    Raises:
        UserError: a file of the sweep is a link.
        OSError: it cannot be written.
    """
    jobs = _jobs_of(folder)
    path = folder.path.resolve()
    commands = list(dict.fromkeys(line.split("  # ")[0] for job in jobs for line in job.record.commands))
    return _write(file or folder.report, f"{path.parent.name}/{path.name}", jobs, commands, study, folder.objective)


def said_of_sweep(folder: SweepFolder) -> list[str]:
    """Which recipes are best over seeds and which may be as good, a sentence for each figure; then what it all cost."""
    compared = Comparison(_jobs_of(folder), folder.objective)
    cost = cost_of(job.record for job in compared.jobs)
    said = compared.told_over_seeds()
    return [*said, f"cost: {cost}"] if cost.images else said


def _jobs_of(folder: SweepFolder) -> list[Job]:
    return [Job(job.path.name, _overrides(job.read_words()), Record.read(job)) for job in folder.jobs()]


def write_comparison(runs: Sequence[RunFolder], file: Path, choices: Choices = lambda run: {}) -> Path:
    """Writes a report of runs side by side, and returns the file.

    Args:
        choices: of a run, by key, which tell it from others; of one that has none the words of its command line do.

    Raises:
        OSError: it cannot be written.
    """
    records = [Record.read(run) for run in runs]
    jobs = [Job(record.name, choices(record.folder) or _typed(record), record) for record in records]
    commands = [line for record in records for line in record.commands]
    return _write(file, f"{len(jobs)} runs", jobs, commands)


def _write(
    file: Path,
    title: str,
    jobs: Sequence[Job],
    commands: list[str],
    study: Sequence[Mapping[str, Any]] = (),
    objective: str | None = None,
) -> Path:
    compared = Comparison(jobs, objective)
    charts = charts_of(name for job in jobs for name in job.record.curves)
    first = (_head(title, compared), recipe_tables(compared), job_table(compared, file), _search(study, objective))
    body = joined(
        (*first, _mattered(compared), _curves(compared, charts), _pictures(compared), _making(jobs, commands))
    )
    versions = jobs[0].record.status.versions if jobs else {}
    footer = ", ".join(f"{name} {version}" for name, version in versions.items()) or "gantrain"
    write_text(file, page(title, body, {**_data(compared, charts), "study": study}, footer))
    return file


def _overrides(words: Sequence[str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in words)
    return {key.lstrip("+"): _shown(value) for key, sign, value in pairs if sign}


def _shown(value: str) -> str:
    """A choice without its quotes; a number that a search has drawn to six digits."""
    value = value.strip("'\"")
    with suppress(ValueError):
        return value if len(value) < 9 else f"{float(value):.6g}"
    return value


def _typed(record: Record) -> dict[str, str]:
    """The overrides of a run's first command line."""
    try:
        words = shlex.split(record.commands[0], comments=True) if record.commands else []
    except ValueError:  # a quote that is never closed
        words = []
    places = ("outputs_dir", "name", "data_dir", "run")
    return {key: value for key, value in _overrides(words).items() if key not in places}


def _head(title: str, compared: Comparison) -> Html:
    counted = Counter(job.record.standing or "not begun" for job in compared.jobs)
    words = ", ".join(f"{n} {state}" for state, n in counted.items())
    verdicts = Counter(STATES[said_of(job.record)[0]].lower() for job in compared.jobs if job.record.status.verdict)
    bests = [(tag_, value) for tag_ in compared.ranked if (value := compared.best(tag_)) is not None]
    failed = [job for job in compared.jobs if job.record.standing in ("failed", "died")]
    said = compared.told_over_seeds()
    lines = [tag("li", line) for line in said or (_best(compared, name, value) for name, value in bests)]
    cost = cost_of(job.record for job in compared.jobs)
    return joined(
        [
            tag("header", tag("h1", title)),
            tag(
                "section",
                tag(
                    "p",
                    f"{len(compared.jobs)} runs: {words}" if compared.jobs else "No job has begun.",
                    class_="sentence",
                ),
                tag("p", "Verdicts: " + ", ".join(f"{n} {v}" for v, n in verdicts.items())) if verdicts else None,
                tag("p", f"Cost: {cost}") if cost.images else None,
                tag("ul", *lines) if lines else None,
                *(
                    tag(
                        "div",
                        tag("p", tag("strong", f"{job.name} {job.record.standing}: "), said_of(job.record)[1]),
                        class_="finding failure",
                    )
                    for job in failed
                ),
                id="verdict",
                class_="verdict",
            ),
        ]
    )


def _best(compared: Comparison, name: str, value: float) -> str:
    holders = [job for job in compared.counted if job.figures.get(name) == value]
    first = holders[0]
    chosen = "  ".join(f"{key}={option}" for key, option in first.choices.items())
    others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
    return (
        f"best {name.removeprefix('metrics/')}: {short(value)} in {first.name}{others}{f' ({chosen})' * (not others)}"
    )


def _search(study: Sequence[Mapping[str, Any]], objective: str | None) -> Html | None:
    views = [_view(f"study-{k}", _title_of(plot), "Drawn by Optuna.") for k, plot in enumerate(study)]
    note = f"Its trials are compared by {str(objective).removeprefix('metrics/')}."
    return section("Search", tag("div", *views, class_="charts"), note=note) if views else None


def _title_of(plot: Mapping[str, Any]) -> str:
    return str(plot["layout"]["title"]["text"]).lower().removesuffix(" plot")


def _mattered(compared: Comparison) -> Html | None:
    names = [name for name in compared.ranked if sum(job.figures.get(name) is not None for job in compared.jobs) > 1]
    if not names or not set(compared.choices) - {SEED}:
        return None
    options = (tag("option", name.removeprefix("metrics/"), value=name) for name in names)
    asked = tag("label", "figure ", tag("select", *options, id="figure"), class_="asked")
    few = len(compared.jobs) <= FEW
    grouping = [key for key in compared.choices if few or len(compared.options(key)) < len(compared.jobs)]
    shares = (
        _view(
            "shares",
            "share of the spread that each choice explains",
            "By itself, over all jobs; near 0 it did not matter.",
        )
        if grouping
        else None
    )
    heat = (
        _view("heat", "mean figure by two choices", "The first two that were swept.")
        if len(compared.choices) > 1 and set(compared.choices[:2]) <= set(grouping)
        else None
    )
    parallel = _view(
        "parallel", "every job as a line through its choices", "To the right, and in colour, its figure.", "wide"
    )
    return section("What mattered", asked, tag("div", shares, heat, parallel, class_="charts"))


def _view(place: str, title: str, hint: str, also: str | None = None) -> Html:
    caption = tag("figcaption", tag("strong", title), tag("span", hint))
    return tag(
        "figure", caption, tag("div", class_=f"chart {'tall' * (also == 'wide')}".strip(), id=place), class_=also
    )


def _curves(compared: Comparison, charts: list[Chart]) -> Html | None:
    if not charts:
        return None
    buttons = (
        tag("button", tag("i"), recipe, type="button", aria_pressed="true", data_curve=recipe)
        for recipe in compared.recipes()
    )
    singles = [
        Chart(f"{chart.title} {label}" if len(chart.tags) > 1 else chart.title, [name], main=chart.main)
        for chart in charts
        for name, label in zip(chart.tags, chart.labels, strict=True)
    ]
    note = "A line is the mean over seeds, its shade from lowest to highest. Click a recipe to put its curves away."
    return section("Curves", tag("div", *buttons, class_="legend"), chart_places(singles), note=note)


def _pictures(compared: Comparison) -> Html | None:
    jobs = [job for job in compared.jobs if job.record.folder.samples.by_step()] if len(compared.jobs) <= MANY else []
    last = [job.record.folder.samples.by_step()[-1] for job in jobs]
    figures = []
    for job, file, address in zip(jobs, last, data_addresses(last, PICTURE_BYTES, PICTURE_SIDE), strict=True):
        if address is None:
            continue
        words = "  ".join(f"{key}={option}" for key, option in job.choices.items())
        image = tag("img", src=address, alt=f"samples of {job.name}", loading="lazy")
        caption = tag("figcaption", tag("strong", job.name), f" step {int(file.stem):,}", tag("br"), words)
        figures.append(tag("figure", tag("button", image, type="button", aria_label=f"enlarge {job.name}"), caption))
    return (
        section("Last samples", tag("div", *figures, class_="grids"), note="Click one to enlarge it.")
        if figures
        else None
    )


def _making(jobs: Sequence[Job], commands: list[str]) -> Html:
    machines = dict.fromkeys(job.record.status.machine for job in jobs if job.record.status.machine)
    config = next(((job.name, job.record.config) for job in jobs if job.record.config), None)
    shown = folded(f"Whole config of {config[0]}", tag("pre", tag("code", config[1]))) if config else None
    hardware = tag("p", "on ", "; ".join(machines), class_="note") if machines else None
    return section("How it was made", commands_in(commands), hardware, shown)


def _data(compared: Comparison, charts: list[Chart]) -> dict[str, Any]:
    recipes = compared.recipes()
    tags = [name for chart in charts for name in chart.tags]
    points = max(60, min(1000, ALL_POINTS // max(1, len(tags) * len(recipes))))
    drawn = []
    for name in tags:
        curves = []
        for recipe, jobs in recipes.items():
            met = [job.record.curves[name] for job in jobs if name in job.record.curves]
            curves.append({"name": recipe, **spread_of(_alike(met, points))})
        drawn.append({"title": name, "shared": True, "curves": curves})
    return {
        "charts": drawn,
        "jobs": [
            {
                "name": job.name,
                "choices": job.choices,
                "figures": {name: job.figures.get(name) for name in compared.ranked},
            }
            for job in compared.jobs
        ],
        "choices": compared.choices,
        "options": {choice: compared.options(choice) for choice in compared.choices},
        "explained": {name: compared.explained(name) for name in compared.ranked},
    }


def _alike(curves: Sequence[Curve], points: int) -> list[Curve]:
    """Curves with the same few steps, so that they can be set against each other."""
    steps = sorted({step for curve in curves for step in curve.steps})
    if len(steps) <= points:
        return list(curves)
    stride = -(-len(steps) // points)
    kept = {step for k, step in enumerate(steps) if k % stride == 0 or k == len(steps) - 1}
    thin = []
    for curve in curves:
        pairs = [(step, value) for step, value in zip(curve.steps, curve.values, strict=True) if step in kept]
        thin.append(Curve([step for step, _ in pairs], [value for _, value in pairs]))
    return thin
