"""The two pictures at the top of the README, made from a finished run of images.

    gantrain log.every=10 log.samples_every=100
    python scripts/readme_pictures.py outputs/digits-…/…

Writes docs/images/digits.webp, samples over training as a film, and docs/images/report.webp, the top of the report as
headless Chromium shows it ($CHROMIUM, by default /usr/bin/chromium; playwright drives it).
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from gantrain.report.html.images import chosen
from gantrain.runs import RunFolder

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIDE = 260
"""Pixels of the film."""


def film(folder: RunFolder, file: Path) -> None:
    """A quarter of the samples by step, the last of which stays."""
    frames = [Image.open(picture).convert("L").convert("RGB") for picture in chosen(folder.samples.by_step())]
    frames = [frame.crop((0, 0, frame.width // 2 + 1, frame.height // 2 + 1)).resize((SIDE, SIDE)) for frame in frames]
    times = [350] * (len(frames) - 1) + [2500]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=times, loop=0, quality=45, method=6)


def screenshot(folder: RunFolder, file: Path) -> None:
    """The top of the report."""
    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1160, "height": 1500}, color_scheme="light")
        page.goto(folder.report.resolve().as_uri())
        page.wait_for_selector("html[data-ready]")
        page.evaluate("() => { document.querySelector('.pictures').style.maxWidth = '620px'; }")
        page.locator("#curves").scroll_into_view_if_needed()
        page.wait_for_selector(".chart .main-svg")
        page.wait_for_timeout(1500)
        shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        bottom = page.evaluate(
            "() => document.querySelectorAll('.charts figure')[1].getBoundingClientRect().bottom + scrollY"
        )
        browser.close()
    shot = shot.crop((0, 0, shot.width, min(shot.height, round(bottom) + 16)))
    small = shot.resize((round(shot.width * 0.8), round(shot.height * 0.8)), Image.Resampling.LANCZOS)
    small.save(file, "WEBP", quality=88, method=6)


def main() -> None:
    """Both, of the run whose folder is named."""
    folder = RunFolder(Path(sys.argv[1]))
    IMAGES.mkdir(parents=True, exist_ok=True)
    film(folder, IMAGES / "digits.webp")
    screenshot(folder, IMAGES / "report.webp")
    for file in sorted(IMAGES.iterdir()):
        print(f"{file.stat().st_size / 1000:6.1f} kB  {file}")


if __name__ == "__main__":
    main()
