"""report.html of a run and of a sweep: whole, small, and safe with a stranger's words."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import PROTOCOL, run_in, sweep_in

from gantrain.report.html import write_comparison, write_run_report, write_sweep_report
from gantrain.report.html.figures import MEANINGS, meaning_of, unlike
from gantrain.report.html.images import data_address
from gantrain.report.html.markup import tag
from gantrain.report.pictures import save

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """What a page holds: elements, addresses, and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.shown = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(name)
        self._inside = name
        self.addresses += [value or "" for key, value in attributes if key in ("src", "href")]
        self.ids += [value or "" for key, value in attributes if key == "id"]
        self.handlers += [key for key, _ in attributes if key.startswith("on")]

    def handle_data(self, text: str) -> None:
        if self._inside not in ("script", "style"):
            self.shown += text


def data_of(text: str) -> Any:
    """What the page's script is given."""
    packed = re.search(r'id="data">([^<]*)<', text)
    assert packed
    return json.loads(gzip.decompress(base64.b64decode(packed[1])), parse_constant=pytest.fail)


def test_a_runs_report_says_what_its_files_say(tmp_path: Path) -> None:
    finding = {"name": "collapse", "step": 12, "title": "Samples are alike", "evidence": "0.1", "advice": "loss=r1"}
    verdict = {"state": "doubtful", "sentence": "Half of it works.", "evidence": ["8 of 8 modes"], "advice": "Go on."}
    folder = run_in(tmp_path / "it" / "now", findings=[{**finding, "severity": "failure"}], verdict=verdict)
    folder.evaluations.add(10, "best.pt", {"metrics/kid": 0.25}, {"metrics/kid": {**PROTOCOL, "samples": 777}})
    text = write_run_report(folder, lambda name: (0.5, 0.8) if name == "accuracy/discriminator" else None).read_text()
    page = Reader(text)
    for words in ("In doubt", "Half of it works.", "8 of 8 modes", "Go on.", "Samples are alike", "fid_classifier"):
        assert words in page.shown
    for words in ("2,000 samples", "777 samples", "↓ lower", "gantrain loss=r1", "seed: 0", "0.50 GiB", "it/now"):
        assert words in page.shown
    data = data_of(text)
    assert [event["step"] for event in data["events"]] == [12]
    assert [picture["step"] for picture in data["pictures"]] == [0, 10, 20]
    (chart,) = (chart for chart in data["charts"] if chart["title"] == "accuracy of the discriminator")
    assert chart["bands"] == [{"name": "accuracy/discriminator", "low": 0.5, "high": 0.8}]
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_a_page_reads_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = write_run_report(run_in(tmp_path / "a" / "b")).read_text()
    assert "default-src 'none'" in text
    own = text.split('<script type="text/plain"')[0]
    assert not re.search(r"https?://|@import|url\(", own)
    assert len(text) < 3_000_000


def test_a_strangers_words_stay_words(tmp_path: Path) -> None:
    said = {"title": EVIL, "evidence": EVIL, "advice": EVIL, "step": 3, "name": EVIL, "severity": EVIL}
    verdict = {"state": EVIL, "sentence": EVIL, "evidence": [EVIL], "advice": EVIL}
    folder = run_in(
        tmp_path / "a" / "b", config=f"name: {EVIL}\n", command=EVIL, machine=EVIL, findings=[said], verdict=verdict
    )
    folder.protocols.add({"metrics/fid_classifier": {**PROTOCOL, "space": EVIL, "settings": {EVIL: EVIL}}})
    folder.evaluations.add(10, EVIL, {EVIL: 0.25}, {})
    folder.numbers.open(20)
    folder.numbers.add({EVIL: 1.0}, 20)
    folder.numbers.close()
    sweep = sweep_in(tmp_path / "s", [([f"{EVIL}={EVIL}", "seed=0"], 1.0, PROTOCOL), (["seed=1"], 2.0, None)])
    harmless = Reader(write_run_report(run_in(tmp_path / "c" / "d")).read_text())
    files = write_run_report(folder), write_sweep_report(sweep), write_comparison([folder, folder], tmp_path / "c.html")
    for text in map(Path.read_text, files):
        page = Reader(text)
        assert page.elements.count("script") == harmless.elements.count("script")
        assert "x" not in page.addresses
        assert not page.handlers
        assert len(page.ids) == len(set(page.ids)), "the page's script finds elements by them"
        assert EVIL in page.shown


def test_damaged_and_missing_files_are_no_obstacle(tmp_path: Path) -> None:
    empty = tmp_path / "x" / "empty"
    empty.mkdir(parents=True)
    folder = run_in(tmp_path / "x" / "odd", findings=["no mapping", {"step": "soon"}], verdict={"evidence": 3})
    folder.samples.of_step(10).write_bytes(b"\x89PNG no picture")
    (folder.path / "protocols.json").write_text("[")
    (folder.path / "evaluations.jsonl").write_text('{"step": 3, "figures": {"metrics/kid": "much"}, "protocols": 3}\n')
    for run in (folder, type(folder)(empty)):
        assert "<h1>" in write_run_report(run).read_text()
    assert [picture["step"] for picture in data_of(folder.report.read_text())["pictures"]] == [0, 20]


def test_of_a_failed_run_the_reason_comes_first(tmp_path: Path) -> None:
    verdict = {"state": "working", "sentence": "All is well."}
    text = write_run_report(run_in(tmp_path / "a" / "b", status="failed", reason="out of memory", verdict=verdict))
    shown = Reader(text.read_text()).shown
    assert "Failed" in shown
    assert "out of memory" in shown
    assert "All is well." not in shown


def test_unlike_protocols_are_not_ranked_and_it_says_why(tmp_path: Path) -> None:
    newer, fewer = {**PROTOCOL, "versions": {"torch": "2.15"}}, {**PROTOCOL, "samples": 500}
    alike = sweep_in(tmp_path / "alike", [(["loss=r1"], 1.0, PROTOCOL), (["loss=r3"], 2.0, newer)])
    text = write_sweep_report(alike).read_text()
    assert "best fid_classifier: 1 in 000" in Reader(text).shown
    assert "not ranked" not in Reader(text).shown
    other = sweep_in(tmp_path / "other", [(["seed=0"], 1.0, PROTOCOL), (["seed=1"], 2.0, fewer)])
    text = write_sweep_report(other).read_text()
    shown = Reader(text).shown
    assert "fid_classifier is not ranked: samples is 2000 in 000; samples is 500 in 001." in shown
    assert "best fid_classifier" not in shown
    assert data_of(text)["explained"] == {}
    assert unlike({"a": PROTOCOL, "b": None}) == "of b nobody kept how they were measured"
    assert unlike({"a": None, "b": None}) is None


def test_a_sweeps_report_compares_its_jobs(tmp_path: Path) -> None:
    jobs = [([f"loss={loss}", f"seed={seed}", "x=1"], figure + seed, PROTOCOL)
            for loss, figure in (("r1", 1.0), ("hinge", 5.0)) for seed in (0, 1)]  # fmt: skip
    sweep = sweep_in(tmp_path / "by" / "time", jobs)
    (sweep.path / "003" / "status.json").write_text('{"status": "failed", "reason": "no memory left"}')
    text = write_sweep_report(sweep).read_text()
    shown, data = Reader(text).shown, data_of(text)
    assert "4 runs: 3 finished, 1 failed" in shown
    assert "003 failed: no memory left" in shown
    assert "1.5 ± 0.71" in shown
    assert data["choices"] == ["loss", "seed"], "what all share says nothing"
    assert data["options"]["loss"] == ["r1", "hinge"]
    # of 1, 2 and 5, for one failed: 49/6 between losses and 1/2 within
    assert data["explained"]["metrics/fid_classifier"]["loss"] == pytest.approx((49 / 6 - 1 / 2) / (26 / 3 + 1 / 2))
    (loss,) = (chart for chart in data["charts"] if chart["title"] == "loss/generator/total")
    assert [curve["name"] for curve in loss["curves"]] == ["loss=r1", "loss=hinge"]
    assert len(loss["curves"][0]["low"]) == 20
    assert Reader(text).addresses.count("000/report.html") == 0, "no link to what is not there"
    write_run_report(sweep.jobs()[0])
    assert "000/report.html" in Reader(write_sweep_report(sweep).read_text()).addresses


def test_runs_side_by_side_are_told_apart_by_their_command_lines(tmp_path: Path) -> None:
    runs = [run_in(tmp_path / "a" / name, command=f"gantrain loss={name} name=x") for name in ("r1", "hinge")]
    text = write_comparison(runs, tmp_path / "both.html").read_text()
    assert data_of(text)["choices"] == ["loss"]
    assert "a/hinge" in Reader(text).shown


def test_small_pictures_keep_every_pixel_and_large_ones_stay_small(tmp_path: Path) -> None:
    import io

    from PIL import Image

    def back(address: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))

    draw = np.random.default_rng(0)
    small = draw.integers(0, 256, (16, 16, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    save(small, tmp_path / "small.png")
    address = data_address(tmp_path / "small.png")
    assert address
    assert np.array_equal(back(address), small)
    save(draw.integers(0, 256, (2000, 1000, 3), np.uint8), tmp_path / "large.png")
    address = data_address(tmp_path / "large.png")
    assert address
    assert back(address).shape == (1024, 512, 3)
    assert data_address(tmp_path / "none.png") is None


@pytest.mark.slow
def test_pages_stay_below_ten_megabytes(tmp_path: Path) -> None:
    """A run of many large pictures, noise, which is the worst to pack; and a sweep of forty jobs of such."""
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    folder = run_in(tmp_path / "a" / "b")
    save(noise, folder.samples.of_step(0))
    for step in range(1, 40):
        (folder.path / "samples" / f"{step:08}.png").write_bytes(folder.samples.of_step(0).read_bytes())
    assert write_run_report(folder).stat().st_size < 10e6
    sweep = sweep_in(tmp_path / "s", [([f"seed={k}"], 1.0, PROTOCOL) for k in range(40)])
    for job in sweep.jobs():
        job.samples.by_step()[-1].write_bytes(folder.samples.of_step(0).read_bytes())
    assert write_sweep_report(sweep).stat().st_size < 10e6


def test_a_figures_meaning_is_that_of_its_longest_name() -> None:
    assert meaning_of("metrics/fid_classifier") is MEANINGS["fid"]
    assert meaning_of("metrics/js_estimate") is MEANINGS["js_estimate"]
    assert meaning_of("metrics/fidelity").better == ""


def test_text_is_escaped_wherever_it_is_put_in() -> None:
    assert tag("p", "<b>", tag("b", "&"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<b>&amp;</b></p>'
