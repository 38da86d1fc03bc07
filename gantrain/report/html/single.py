"""The report of one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from gantrain.files import write_text
from gantrain.report.html.curves import Chart, Curve, charts_of, finite
from gantrain.report.html.figures import ARROWS, better_of, meaning_of, protocol_in_words, short, versions_in_words
from gantrain.report.html.images import chosen, data_address, data_addresses, sound_addresses
from gantrain.report.html.markup import Html, facts, folded, joined, section, table, tag
from gantrain.report.html.page import page
from gantrain.report.html.record import Bands, Record
from gantrain.runs import RunFolder

HEARD = 4
"""Steps whose sounds can be played."""
STATES = {
    "working": "It works",
    "doubtful": "In doubt",
    "failing": "It does not work",
    "unknown": "Not known",
    "running": "Still running",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed",
    "died": "Died",
}
"""What stands above a verdict, or above how a run ended where there is no verdict."""


def write_run_report(folder: RunFolder, bands: Bands | None = None, file: Path | None = None) -> Path:
    """Writes report.html into a run's folder, or another file, from what lies there, and returns the file.

    Args:
        bands: between what values the curves of a healthy run lie, by tag.

    Raises:
        UserError: what stands at its place is no file.
        OSError: it cannot be written.
    """
    record = Record.read(folder)
    sections = (_head, _verdict, _pictures, _figures, _curves, _speed, _making)
    body = joined(part(record) for part in sections)
    file = file or folder.report
    write_text(file, page(record.name, body, _data(record, bands or (lambda tag: None)), _footer(record)))
    return file


def said_of(record: Record) -> tuple[str, str, str]:
    """A run's state as one of `STATES`, then its verdict and what to try, in a sentence each."""
    status, verdict = record.status, record.status.verdict
    if record.standing == "died":
        return "died", f"Its process was gone after step {record.step:,}.", "go on: gantrain run=<this folder>"
    if status.status == "failed":
        return "failed", status.reason or "No reason was kept.", ""
    if verdict and verdict.get("sentence"):
        state, sentence = str(verdict.get("state")), str(verdict["sentence"])
        sentence = sentence[:1].upper() + sentence[1:]
        return (state if state in STATES else "unknown"), sentence, str(verdict.get("advice") or "")
    if status.status in STATES:
        why = f"by {status.reason}" if status.reason and status.status == "stopped" else status.reason or ""
        return str(status.status), f"At step {record.step:,}{', ' * bool(why)}{why}; no verdict was kept.", ""
    return "unknown", "Nothing says how this run ended.", ""


def commands_in(commands: list[str]) -> Html:
    """Command lines, each with a button that copies it."""
    button = tag("button", "copy", type="button", class_="copy", hidden=True)
    return joined(tag("div", tag("pre", tag("code", command)), button, class_="command") for command in commands)


def chart_places(charts: list[Chart]) -> Html:
    """Where the page's script draws; charts that are not looked at first are folded away."""

    def places(chosen: list[tuple[int, Chart]]) -> Html:
        figures = (
            tag(
                "figure",
                tag("figcaption", tag("strong", chart.title), tag("span", chart.hint) if chart.hint else None),
                tag("div", class_="chart", data_chart=number),
            )
            for number, chart in chosen
        )
        return tag("div", *figures, class_="charts")

    numbered = list(enumerate(charts))
    more = [pair for pair in numbered if not pair[1].main]
    first = places([pair for pair in numbered if pair[1].main])
    return joined([first, folded(f"{len(more)} more", places(more)) if more else None])


def _head(record: Record) -> Html:
    said, origin = record.status, record.folder.origin.read()
    forked = ""
    if origin is not None:
        run = "/".join(Path(origin.run).parts[-2:])
        forked = f"forked from step {origin.step:,} of {run}, with {' '.join(origin.changes)}"
    words = [
        f"step {record.step:,}",
        said.machine,
        said.started and f"started {said.started[:16].replace('T', ' ')} UTC",
        forked,
    ]
    return tag("header", tag("h1", record.name), tag("p", " · ".join(filter(None, words)), class_="note"))


def _verdict(record: Record) -> Html:
    state, sentence, advice = said_of(record)
    held = record.status.verdict or {}
    evidence = held.get("evidence") if state != "failed" else None
    shown = [str(line) for line in evidence] if isinstance(evidence, (list, tuple)) else []
    return tag(
        "section",
        tag("p", STATES[state], class_="state"),
        tag("p", sentence, class_="sentence"),
        tag("ul", *(tag("li", line) for line in shown)) if shown else None,
        tag("p", tag("strong", "Try: "), advice) if advice else None,
        *(_finding(finding) for finding in record.findings),
        id="verdict",
        class_=f"verdict {state}",
    )


def _finding(finding: Mapping[str, Any]) -> Html:
    step = finding.get("step")
    since = f" (step {step:,})" if isinstance(step, int) else ""
    return tag(
        "div",
        tag("p", tag("strong", finding.get("title") or finding.get("name")), since),
        tag("p", finding.get("evidence") or ""),
        tag("p", tag("strong", "Try: "), finding["advice"]) if finding.get("advice") else None,
        class_=f"finding {'failure' if finding.get('severity') == 'failure' else 'warning'}",
    )


def _pictures(record: Record) -> Html | None:
    files = record.folder.samples.by_step()
    samples = record.folder.samples
    real = data_address(samples.real) if samples.has_real else None
    if not files:
        return None
    last = data_address(files[-1])
    slider = tag(
        "div",
        tag("button", "play", type="button", id="play"),
        tag("input", type="range", id="step", min=0, max=0, value=0, aria_label="step of the pictures"),
        tag("output", f"step {int(files[-1].stem):,}", id="at"),
        class_="slider",
        hidden=True,
    )
    made = tag("figure", tag("figcaption", "generated"), tag("img", id="generated", src=last, alt="generated samples"))
    beside = tag("figure", tag("figcaption", "real"), tag("img", src=real, alt="real samples")) if real else None
    return section("Samples", slider, tag("div", made, beside, class_="pictures"), _heard(record))


def _heard(record: Record) -> Html | None:
    """Players for real sounds and for those that were generated at a few steps, the last first."""
    samples = record.folder.samples
    files = {"real": samples.heard(samples.real)} if samples.has_real else {}
    files |= {f"step {int(file.stem):,}": samples.heard(file) for file in chosen(samples.by_step(), HEARD)[::-1]}
    players = [
        tag("figure", tag("figcaption", name), tag("audio", src=address, controls=True, preload="none"))
        for name, address in sound_addresses(files).items()
    ]
    return tag("div", *players, class_="sounds") if players else None


def _figures(record: Record) -> Html | None:
    letters: dict[str, str] = {}  # of each way to measure: written once, below
    rows = [_figure_row(name, curve, record.protocols.get(name), letters) for name, curve in record.figures.items()]
    for line in record.evaluations:
        protocols = line.get("protocols")
        for name, value in line["figures"].items():
            kept = protocols.get(name) if isinstance(protocols, Mapping) else None
            curve = Curve([line["step"]], [finite(value)])
            rows.append(_figure_row(name, curve, kept, letters, f"later, of {line.get('checkpoint', 'a checkpoint')}"))
    if not rows:
        return section("Figures", tag("p", "None was measured: losses alone do not tell whether it works."))
    columns = ("figure", "value", "at step", "best", "better", "what it says", "measured")
    ways = [tag("p", tag("strong", f"{letter}: "), words, class_="note") for words, letter in letters.items()]
    versions = versions_in_words(record.protocols)
    note = "Compare a figure only with one that was measured the same way."
    said = tag("p", versions, class_="note") if versions else None
    return section("Figures", table(columns, rows), *ways, said, note=note)


def _figure_row(
    name: str, curve: Curve, protocol: Mapping[str, Any] | None, letters: dict[str, str], when: str = ""
) -> list[object]:
    better = better_of(name, protocol)
    known = [(value, step) for step, value in zip(curve.steps, curve.values, strict=True) if value is not None]
    best: object = "–"
    if len(known) > 1 and better in ("lower", "higher"):
        value, step = (max if better == "higher" else min)(known, key=lambda pair: pair[0])
        best = f"{short(value)} at {step:,}"
    return [
        tag("td", tag("code", name.removeprefix("metrics/")), f" {when}" if when else None),
        tag("td", short(curve.values[-1]), class_="number"),
        tag("td", f"{curve.steps[-1]:,}", class_="number"),
        tag("td", best, class_="still"),
        tag("td", ARROWS[better], class_="still"),
        tag("td", meaning_of(name).words, class_="words"),
        tag("td", letters.setdefault(protocol_in_words(protocol), letter_of(len(letters))), class_="still"),
    ]


def letter_of(number: int) -> str:
    """A, B … Z, then A2, B2 …"""
    row, place = divmod(number, 26)
    return f"{chr(ord('A') + place)}{row + 1 if row else ''}"


def _drawn(record: Record) -> list[Chart]:
    """The charts of what was logged more than once."""
    return charts_of(tag for tag, curve in record.curves.items() if len(curve.steps) > 1)


def _curves(record: Record) -> Html | None:
    charts = _drawn(record)
    if not charts:
        return section("Curves", tag("p", "Nothing was logged."))
    note = "Where shaded, a healthy run of this loss lies there. Dashed: something was found to be wrong."
    return section("Curves", chart_places(charts), note=note)


def _speed(record: Record) -> Html:
    def middle(name: str) -> float | None:
        curve = record.curves.get(name)
        values = [value for value in curve.values if value is not None] if curve else []
        return median(values) if values else None

    speed, waiting = middle("speed/images_per_second"), middle("speed/data_wait")
    memory = (
        [value for value in record.curves["memory/peak_gib"].values if value]
        if "memory/peak_gib" in record.curves
        else []
    )
    said = record.status
    pairs = [
        ("speed", f"{speed:,.0f} samples a second" if speed else None),
        ("seconds per 1,000", f"{1000 / speed:.3g}" if speed else None),
        ("waiting for data", f"{waiting:.1%} of the time" if waiting is not None else None),
        ("memory", f"{max(memory):.2f} GiB at most" if memory else None),
        ("hardware", said.machine),
        ("versions", ", ".join(f"{k} {v}" for k, v in said.versions.items()) or None),
        ("last alive", f"{said.heartbeat[:19].replace('T', ' ')} UTC" if said.heartbeat else None),
    ]
    return section("Speed and memory", facts(pairs))


def _making(record: Record) -> Html:
    shown = folded("Whole config", tag("pre", tag("code", record.config))) if record.config else None
    lines = commands_in(record.commands) if record.commands else tag("p", "No command line was kept.")
    return section("How it was made", lines, shown)


def _data(record: Record, bands: Bands) -> dict[str, Any]:
    files = chosen(record.folder.samples.by_step())
    pairs = zip(files, data_addresses(files), strict=True)
    drawn = [{"step": int(file.stem), "src": address} for file, address in pairs if address]
    charts = [
        {
            "title": chart.title,
            "curves": [
                {"name": name, "label": label + told, **curves[name].thinned().plain()}
                for curves, told in ((record.curves, ""), (record.unchanged_curves, " without the change"))
                for name, label in zip(chart.tags, chart.labels, strict=True)
                if name in curves
            ],
            "bands": [{"name": name, "low": band[0], "high": band[1]} for name in chart.tags if (band := bands(name))],
        }
        for chart in _drawn(record)
    ]
    events = [
        {
            "step": finding["step"],
            "title": str(finding.get("title") or finding.get("name")),
            "severity": finding.get("severity"),
        }
        for finding in record.findings
        if isinstance(finding.get("step"), int)
    ]
    return {"pictures": drawn, "charts": charts, "events": events}


def _footer(record: Record) -> str:
    version = record.status.versions.get("gantrain")
    return f"gantrain {version}" if version else "gantrain"
