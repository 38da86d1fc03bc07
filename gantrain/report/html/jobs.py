"""Tables of jobs: what each chose, how it stands and what came out; and the same over seeds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from urllib.parse import quote

from gantrain.report.html.comparison import NONE, PARTLY, SEED, Comparison, Job, mean_and_spread
from gantrain.report.html.cost import cost_of
from gantrain.report.html.figures import ARROWS, meaning_of, protocol_in_words, short
from gantrain.report.html.markup import Html, folded, section, table, tag
from gantrain.report.html.single import STATES, said_of


def job_table(compared: Comparison, file: Path) -> Html:
    """A row per job, sorted by a click on a heading. By figures that must not be ranked none is, and it says why."""
    bests = {name: compared.best(name) for name in compared.figures}
    names = [name.removeprefix("metrics/") for name in compared.figures]
    heads = [
        _sorting("job"),
        *map(_sorting, compared.choices),
        _sorting("status"),
        _sorting("verdict"),
        _sorting("step", True),
    ]
    for full, name in zip(compared.figures, names, strict=True):
        refused = full in compared.unlike
        heads.append(tag("th", name, " (not ranked)", class_="number") if refused else _sorting(name, True))
    rows = [
        [*_first_cells(job, compared, file), *(_value(job, name, bests[name]) for name in compared.figures)]
        for job in compared.jobs
    ]
    notes = [
        tag("p", f"{name.removeprefix('metrics/')} is not ranked: {why}.", class_="note")
        for name, why in compared.unlike.items()
    ]
    meanings = [
        (
            tag("code", name.removeprefix("metrics/")),
            meaning_of(name).words,
            ARROWS[compared.better(name)],
            _protocols(compared, name),
        )
        for name in compared.figures
    ]
    explained = folded(
        "What the figures mean, and how they were measured",
        table(("figure", "what it says", "better", "measured on"), meanings),
    )
    return section(
        "Jobs", table(heads, rows, class_="sortable", id="job-table"), *notes, explained if meanings else None
    )


def _sorting(name: str, number: bool = False) -> Html:
    return tag("th", tag("button", name, type="button"), class_="number" if number else None)


def _first_cells(job: Job, compared: Comparison, file: Path) -> list[Html]:
    state, sentence, _ = said_of(job.record)
    status = job.record.standing or "not begun"
    marked = "failed" if status in ("failed", "died") else None
    link = _link(job.record.folder.report, file)
    name = tag("a", job.name, href=link) if link else job.name
    verdict = job.record.status.verdict
    return [
        tag("td", name, data_value=job.name),
        *(tag("td", job.choices[key]) for key in compared.choices),
        tag("td", tag("span", status, class_=marked, title=job.record.status.reason)),
        tag("td", STATES[state] if verdict else NONE, title=sentence),
        tag("td", f"{job.record.step:,}", class_="number", data_value=job.record.step),
    ]


def _link(report: Path, file: Path) -> str | None:
    """The address of a job's report, from where the page lies; a folder's name cannot make it one of another kind."""
    if report.is_symlink() or not report.is_file():
        return None
    way = os.path.relpath(report.parent.resolve() / report.name, file.parent.resolve())
    return quote(Path(way).as_posix())


def _value(job: Job, name: str, best: float | None) -> Html:
    value = job.figures.get(name)
    kind = "number best" if value is not None and value == best else "number"
    return tag("td", short(value), class_=kind, data_value="" if value is None else value)


def _protocols(compared: Comparison, name: str) -> str:
    found = dict.fromkeys(protocol_in_words(job.protocol(name)) for job in compared.jobs if name in job.figures)
    return " / ".join(list(found)[:3]) + (f" / {len(found) - 3} more" if len(found) > 3 else "")


def recipe_tables(compared: Comparison) -> Html | None:
    """Jobs that differ in their seed alone, together; a table for each group of jobs that were measured alike."""
    groups = [group for group in compared.alike() if SEED in group.choices and group.figures]
    tables = [_recipe_table(group) for group in groups]
    if not tables:
        return None
    note = "Mean ± standard deviation over seeds, and each of them. ≈: within the spread of the best, no difference."
    apart = tag("p", "; ".join(f"{name.removeprefix('metrics/')}: {why}" for name, why in compared.unlike.items()))
    why = [tag("p", "What was not measured alike stands in tables of its own:", class_="note"), apart]
    return section("Over seeds", *(why if len(tables) > 1 else ()), *tables, note=note)


def _recipe_table(compared: Comparison) -> Html:
    rest = [key for key in compared.choices if key != SEED]
    heads = [
        *map(_sorting, rest),
        *(_sorting(name, True) for name in ("runs", "device-seconds", "images")),
        *(_sorting(name.removeprefix("metrics/"), True) for name in compared.ranked),
    ]
    standing = {name: compared.standings(name) for name in compared.ranked}
    rows = []
    for recipe, jobs in compared.recipes().items():
        cost = cost_of([job.record for job in jobs])
        cells: list[object] = [jobs[0].choices[key] for key in rest]
        cells += [_number(len(jobs)), _number(round(cost.seconds)), _number(cost.images)]
        for name in compared.ranked:
            values = compared.values(name).get(recipe, [])
            cells.append(_over_seeds(values, len(jobs), standing[name].get(recipe, "")))
        rows.append(cells)
    return table(heads, rows, class_="sortable")


def _number(value: int) -> Html:
    return tag("td", f"{value:,}", class_="number", data_value=value)


def _over_seeds(values: Sequence[float], runs: int, standing: str) -> Html:
    """Mean and spread, and below them the value of each seed, and of how many runs they are where some have none."""
    each = tag("small", "  ".join(short(value) for value in values)) if len(values) > 1 else None
    said = ("≈ " if standing == "within" else "") + mean_and_spread(values)
    said += f" ({len(values)} of {runs})" if standing == PARTLY else ""
    kind = "number best" if standing == "best" else "number"
    return tag("td", said, tag("br") if each else None, each, class_=kind, data_value=fmean(values) if values else "")
