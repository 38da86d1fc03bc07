"""Size of reports, and how long they take to write and to open in Chromium.

    python scripts/report_times.py outputs/digits-…/… outputs/sweeps/…/…

Each folder of a run or a sweep is reported anew, then opened three times from disk in a fresh headless Chromium (the
program $CHROMIUM, by default /usr/bin/chromium; playwright drives it); the middle time counts. "text" is when it can be
read, with its pictures and tables; "chart" when the first chart in view is drawn.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

from gantrain.report.html import write_run_report, write_sweep_report
from gantrain.runs import RunFolder, SweepFolder

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def written(path: Path) -> tuple[Path, float]:
    """The report of a run or a sweep, and the seconds that it took; packing Plotly, once a process, is among them."""
    began = time.perf_counter()
    sweep = SweepFolder(path)
    file = write_sweep_report(sweep) if sweep.is_sweep else write_run_report(RunFolder(path))
    return file, time.perf_counter() - began


def opened(browser: Any, file: Path) -> tuple[float, float]:
    """Seconds until the page can be read, and until its first chart is drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    began = time.perf_counter()
    page.goto(file.resolve().as_uri())
    page.wait_for_selector("html[data-ready]")
    text = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    page.locator(".chart").first.scroll_into_view_if_needed()
    page.wait_for_selector(".chart .main-svg")
    chart = time.perf_counter() - began
    page.close()
    return text, chart


def main() -> None:
    """A row for each folder that is named."""
    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    print(f"{'MB':>6} {'write s':>8} {'text s':>7} {'chart s':>8}  report")
    with sync_playwright() as play:
        for path in map(Path, sys.argv[1:]):
            file, seconds = written(path)
            times = []
            for _ in range(3):
                browser = play.chromium.launch(executable_path=program, args=QUIET)
                times.append(opened(browser, file))
                browser.close()
            text, chart = (median(kind) for kind in zip(*times, strict=True))
            print(f"{file.stat().st_size / 1e6:6.2f} {seconds:8.2f} {text:7.2f} {chart:8.2f}  {file}")


if __name__ == "__main__":
    main()
