"""The page as it is used: in a browser without network, at a desk and on a phone, by day and by night."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import PROTOCOL, run_in, sweep_in

from gantrain.report.html import write_run_report, write_sweep_report

SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: it comes with the extra test"
    )
    program = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(program).is_file():
        pytest.skip("no Chromium here: CHROMIUM names its program")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync.sync_playwright() as play:
        found = play.chromium.launch(executable_path=program, args=quiet)
        yield found
        found.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("reports")
    finding = {
        "name": "x",
        "step": 7,
        "title": "Samples are alike",
        "evidence": "",
        "advice": "",
        "severity": "failure",
    }
    single = run_in(home / "a" / "b", findings=[finding], config="a: " + "long " * 300)
    fewer = {**PROTOCOL, "samples": 5}
    jobs = [([f"loss={loss}", f"seed={seed}"], value, PROTOCOL)
            for loss, value in (("r1", 10.0), ("hinge", 9.0)) for seed in (0, 1)]  # fmt: skip
    sweep = sweep_in(home / "sweep", [(words, value - 3 * k, how) for k, (words, value, how) in enumerate(jobs)])
    other = sweep_in(home / "other", [(["seed=0"], 1.0, PROTOCOL), (["seed=1"], 2.0, fewer)])
    alike = [([f"model={'x' * 30}{end}", f"seed={k}"], float(k), PROTOCOL) for end in "ab" for k in (0, 1)]
    band = {"loss/generator/total": (-0.5, 0.5)}
    return {
        "run": write_run_report(single, band.get),
        "sweep": write_sweep_report(sweep),
        "other": write_sweep_report(other),
        "long": write_sweep_report(sweep_in(home / "long", alike)),
    }


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def opened(browser: Any, reports: dict[str, Path], faults: list[str]) -> Iterator[Any]:
    """Opens a report; whatever the console says, or is asked of the network, is a fault."""
    contexts = []

    def go(name: str, size: str = "desk", scheme: str = "light") -> Any:
        contexts.append(browser.new_context(viewport=SIZES[size], color_scheme=scheme, has_touch=size == "phone"))
        page = contexts[-1].new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda asked: None if asked.url[:5] in ("file:", "data:", "blob:") else faults.append(asked.url)
        )
        page.goto(reports[name].as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        return page

    yield go
    for context in contexts:
        context.close()
    assert not faults


def chart(page: Any, index: int = 0) -> Any:
    place = page.locator("[data-chart]").nth(index)
    place.scroll_into_view_if_needed()
    place.locator(".main-svg").first.wait_for(timeout=60_000)
    return place


def test_options_that_begin_alike_have_cells_of_their_own(opened: Any) -> None:
    page = opened("long")
    page.locator("#heat").scroll_into_view_if_needed()
    page.locator("#heat .main-svg").first.wait_for(timeout=60_000)
    first, second = page.evaluate("(() => { const a = document.querySelector('#heat')._fullLayout.yaxis;"
                                  " return [a._vals[0].x, a._vals[1].x]; })()")  # fmt: skip
    assert first != second
    ranges = page.evaluate("document.querySelector('#heat')._fullLayout.yaxis.range")
    assert ranges == [-0.5, 1.5], "two rows"


def test_the_slider_moves_through_the_pictures(opened: Any) -> None:
    page = opened("run")
    picture, slider = page.locator("#generated"), page.locator("#step")
    last = picture.get_attribute("src")
    assert page.locator("#at").inner_text() == "step 20"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#at").inner_text() == "step 10"
    assert picture.get_attribute("src") != last
    page.click("#play")
    page.wait_for_function("() => document.querySelector('#at').textContent === 'step 20'")
    assert picture.get_attribute("src") == last
    assert page.evaluate("document.querySelector('#generated').naturalWidth") == 40


def test_curves_have_bands_and_events_and_fold_away(opened: Any) -> None:
    page = opened("run")
    titles = page.locator("[data-chart]").evaluate_all(
        "all => all.map(e => e.parentElement.querySelector('strong').textContent)"
    )
    loss = chart(page, titles.index("loss"))
    shapes = loss.evaluate("e => e._fullLayout.shapes.map(s => [s.type, s.x0, s.y0, s.y1])")
    assert shapes == [["rect", 0, -0.5, 0.5], ["line", 7, 0, 1]]
    said = loss.evaluate("e => e._fullLayout.annotations.map(a => [a.x, a.text, a.hovertext])")
    assert said == [[7, "<b>!</b>", "Samples are alike"]], "in words where the pointer is: written out it hides curves"
    assert loss.locator(".legendtext").all_inner_texts() == ["discriminator", "generator"] or loss.locator(
        ".legendtext"
    ).all_text_contents() == ["generator", "discriminator"]
    before = loss.evaluate("e => e._fullData.filter(t => t.visible === true).length")
    loss.locator(".legendtoggle").first.click()
    page.wait_for_function(
        "([e, n]) => e._fullData.filter(t => t.visible === true).length === n - 1", arg=[loss.element_handle(), before]
    )
    folded = page.locator("details [data-chart]").first
    assert not folded.is_visible()
    page.locator("#curves summary").click()
    folded.locator(".main-svg").first.wait_for(timeout=60_000)
    page.locator("text=Whole config").click()
    assert page.locator("text=long long").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_toggle_turns_light_into_dark_and_back(opened: Any, scheme: str) -> None:
    page = opened("run", scheme=scheme)
    plot = chart(page)

    def colours() -> list[str]:
        found = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        return [*found, plot.evaluate("e => e._fullLayout.font.color")]

    first = colours()
    assert (first[0] == "rgb(22, 24, 27)") is (scheme == "dark")
    page.click("#theme")
    second = colours()
    assert all(a != b for a, b in zip(first, second, strict=True))
    page.click("#theme")
    assert colours() == first


def test_tables_are_sorted_by_a_click(opened: Any) -> None:
    page = opened("sweep")
    head = page.locator("#job-table th", has_text="fid_classifier")

    def order() -> list[str]:
        return page.locator("#job-table tbody td:first-child").all_inner_texts()

    assert order() == ["000", "001", "002", "003"]
    head.locator("button").click()
    assert (order(), head.get_attribute("aria-sort")) == (["003", "002", "001", "000"], "ascending")
    head.locator("button").click()
    assert (order(), head.get_attribute("aria-sort")) == (["000", "001", "002", "003"], "descending")
    page.locator("#job-table th", has_text="loss").locator("button").click()
    assert order() == ["002", "003", "000", "001"]
    other = opened("other")
    assert other.locator("#job-table th", has_text="fid_classifier").locator("button").count() == 0
    assert other.locator("text=is not ranked").count() == 1


def test_recipes_are_put_away_and_pictures_enlarged(opened: Any) -> None:
    page = opened("sweep")
    plot = chart(page)
    shown = "e => e._fullData.filter(t => t.visible === true && t.hoverinfo !== 'skip').length"
    assert plot.evaluate(shown) == 2
    page.locator(".legend button").first.click()
    assert plot.evaluate(shown) == 1
    for name in ("shares", "parallel", "heat"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        page.locator(f"#{name} .main-svg").first.wait_for(timeout=60_000)
    assert page.locator("#parallel").evaluate("e => e._fullData.length") == 4
    assert page.locator("#heat").evaluate("e => e._fullData[0].z") == [[10, 7], [3, 0]]
    grid = page.locator(".grids figure").first
    grid.locator("button").click()
    assert "large" in (grid.get_attribute("class") or "")


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Any, name: str) -> None:
    page = opened(name, "phone")
    chart(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert chart(page).bounding_box()["width"] > 300
