"""Names that a stranger chose: on the terminal, in the report and on the disk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from conftest import Command
from omegaconf import OmegaConf
from PIL import Image
from strangers import GLOBAL, SMALL, files_of, lay, state_of, train

from gantrain.config import check_place
from gantrain.errors import UserError
from gantrain.runs import RunFolder
from gantrain.untrusted import printable_lines

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\r\x08\x9b2K\u202e\u2066"
MARKUP = (
    "\"'><script>document.title='owned'</script><img src=x onerror=document.title='owned'><a href=javascript:owned()>"
)
UPWARDS = ("../../escaped", "/escaped", "a/../../escaped")
MOVES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, changes its colours, or turns the direction of its text."""

pytestmark = pytest.mark.usefixtures("plain_pictures")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An honest run."""
    return train(tmp_path_factory.mktemp("honest"))


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run to spoil."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_lines_stay_lines_and_nothing_else_of_what_steers() -> None:
    assert printable_lines("a\tb\nc é 漢") == "a\tb\nc é 漢"
    assert printable_lines("\x1b[31m\r\udce9") == "\\x1b[31m\\r\\udce9"
    assert not MOVES.search(printable_lines(ESCAPES))


def test_no_name_steers_the_terminal(gantrain: Command, tmp_path: Path) -> None:
    """Of a run, of its penalties, of a class, of a file, of a setting that is not known."""
    said = []
    name = ESCAPES.replace("\x07", "").replace("\x08", "")
    for number in range(3):
        (tmp_path / "set" / f"{name}{number}").mkdir(parents=True)
        Image.new("L", (8, 8), 80 * number).save(tmp_path / "set" / f"{name}{number}" / f"{name}.png")
    (tmp_path / "set" / "broken\x1b[31m.png").write_bytes(b"no picture")
    said.append(gantrain("data", "dataset=image_folder", "dataset.path=set", "out=page.png"))
    quoted = json.dumps(name)
    penalties = f"{{{quoted}: {{_target_: gantrain.losses.R1, weight: 1}}}}"
    lay(tmp_path / "own", {"experiment/x": f"{GLOBAL}name: {quoted}\nloss: {{penalties: {penalties}}}"})
    said.append(gantrain("--config-dir", "own", "experiment=x", *SMALL))
    lay(tmp_path / "own", {"experiment/y": f"{GLOBAL}trainer: {{{quoted}: 1}}"})
    said.append(gantrain("--config-dir", "own", "experiment=y", *SMALL))
    lay(tmp_path / "own", {"experiment/z": f"{GLOBAL}model: {{_target_: {quoted}}}"})
    said.append(gantrain("--config-dir", "own", "experiment=z", *SMALL))
    assert [done.returncode for done in said] == [0, 0, 2, 2], [done.stderr for done in said]
    logs = [file.read_text() for file in (tmp_path / "outputs").rglob("run.log")]
    assert len(logs) == 1
    for text in (*logs, *(done.stdout + done.stderr for done in said)):
        assert not MOVES.search(text), repr(MOVES.search(text))
    assert all("owned" in text for text in (said[0].stdout, said[1].stdout, said[2].stderr, said[3].stderr))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../escaped", "..", "", "a\0b"])
def test_no_name_leads_out_of_the_outputs(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leads out of the outputs folder"):
        check_place(OmegaConf.create({"name": name, "outputs_dir": str(tmp_path)}))
    check_place(OmegaConf.create({"name": "mine/..first", "outputs_dir": str(tmp_path)}))


def test_no_run_and_no_sweep_has_such_a_name(gantrain: Command, tmp_path: Path) -> None:
    lay(tmp_path / "in" / "own", {"experiment/x": f"{GLOBAL}name: ../../escaped\noutputs_dir: in/outputs\n"})
    before = files_of(tmp_path)
    for more in ([], ["-m", "seed=0,1"]):
        done = gantrain("--config-dir", "in/own", "experiment=x", *SMALL, *more)
        assert done.returncode == 2
        assert "leads out of the outputs folder" in done.stderr
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("name", ["..", ESCAPES, *(pytest.param(name, marks=pytest.mark.slow) for name in UPWARDS)])
def test_no_name_in_a_checkpoint_leads_out_of_the_outputs(
    gantrain: Command, tmp_path: Path, trained: Path, name: str
) -> None:
    state = state_of(trained)
    cfg = OmegaConf.create(state["config"])
    cfg.name, cfg.outputs_dir = name, str(tmp_path / "elsewhere")
    (tmp_path / "in").mkdir()
    torch.save({**state, "config": OmegaConf.to_yaml(cfg)}, tmp_path / "in" / "lone.pt")
    before = files_of(tmp_path)
    done = gantrain("run=in/lone.pt", "trainer.steps=2")
    assert done.returncode == 0, done.stderr
    assert not MOVES.search(done.stdout)
    new = files_of(tmp_path).keys() - before.keys()
    assert new
    assert all(path.startswith("outputs/") for path in new)


def hostile(run: Path) -> None:
    """Puts markup into every name that the report of a run shows."""
    folder = RunFolder(run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    tags = (f"loss/{MARKUP}/total", f"metrics/{MARKUP}", f"health/{MARKUP}", MARKUP)
    texts = [json.dumps({**line, **dict.fromkeys(tags, 0.5)}) for line in lines]
    (run / "metrics.jsonl").write_text("\n".join(texts) + "\n")
    cfg = OmegaConf.create(folder.read_config())
    cfg.name = MARKUP
    cfg.choices = {"groups": {MARKUP: MARKUP, "dataset": MARKUP}, "overrides": [f"{MARKUP}={MARKUP}"]}
    folder.write_config(OmegaConf.to_yaml(cfg))
    words = dict.fromkeys(("name", "title", "evidence", "advice", "severity"), MARKUP)
    status = json.loads((run / "status.json").read_text())
    verdict = dict.fromkeys(("state", "sentence", "evidence", "advice"), MARKUP)
    said = dict.fromkeys(("status", "reason", "host", "machine", "started", "heartbeat", "command"), MARKUP)
    status |= {
        **said,
        "versions": {MARKUP: MARKUP},
        "commands": [MARKUP],
        "findings": [{**words, "step": 1}],
        "verdict": verdict,
    }
    (run / "status.json").write_text(json.dumps(status))
    (run / "protocols.json").write_text(json.dumps({f"metrics/{MARKUP}": {MARKUP: MARKUP, "space": MARKUP}}))
    line = {
        "step": 1,
        "checkpoint": MARKUP,
        "figures": {f"metrics/{MARKUP}": 1.0},
        "protocols": {MARKUP: {MARKUP: MARKUP}},
    }
    (run / "evaluations.jsonl").write_text(json.dumps(line) + "\n")


class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def shown(page: Path) -> str:
    """What Chromium makes of a page once its scripts have run."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--window-size=1200,9000"]
    words += ["--dump-dom", page.as_uri()]
    done = subprocess.run(["chromium", *words], capture_output=True, text=True, timeout=300)
    return done.stdout


@pytest.mark.slow
def test_no_name_becomes_markup_of_a_report(gantrain: Command, tmp_path: Path, trained: Path) -> None:
    """In Chromium, for a run and for two side by side: nothing ran, nothing was loaded, no link came of a name."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no Chromium")
    runs = [Path(shutil.copytree(trained, tmp_path / f"{k}")) for k in range(2)]
    for run in runs:
        hostile(run)
    assert gantrain("report", f"runs={runs[0]}", "out=one.html").returncode == 0
    assert gantrain("report", f"runs={runs[0]},{runs[1]}", "out=both.html").returncode == 0
    for page in ("one.html", "both.html"):
        text = shown(tmp_path / page)
        assert "<title>owned" not in text
        assert "&lt;script&gt;" in text, "the names are there as text"
        elements = Elements(text).found
        assert any("plotly" in (held.get("class") or "") for _, held in elements), "its charts were drawn"
        assert not {tag for tag, _ in elements} & {"iframe", "object", "embed", "base", "form"}
        for tag, held in elements:
            assert not any(name.startswith("on") for name in held), (tag, held)
            assert "javascript" not in (held.get("href") or "").lower()
            assert tag != "img" or (held.get("src") or "data:").startswith("data:")


LINKED = (
    "exports",
    "projector",
    "evaluations.jsonl",
    "protocols.json",
    "sinks.json",
    "report.html",
    "samples/final.wav",
)


@pytest.mark.parametrize("name", LINKED)
def test_no_link_in_a_run_folder_is_followed(gantrain: Command, tmp_path: Path, run: Path, name: str) -> None:
    """What it leads to is neither changed nor shown."""
    mine = tmp_path / "mine"
    if "." in name:
        mine.write_text(json.dumps({"metrics/x": {"space": "a-secret"}, "step": 1, "figures": {"a-secret": 1.0}}))
        (run / name).unlink(missing_ok=True)
    else:
        mine.mkdir()
        (mine / "file").write_text("precious")
    (run / name).symlink_to(mine)
    before = files_of(mine) if mine.is_dir() else mine.read_bytes()
    for words in (
        ["report", f"runs={run}"],
        ["export", f"run={run}", "format=torch"],
        [f"run={run}", "trainer.steps=2"],
    ):
        done = gantrain(*words)
        assert done.returncode in (0, 2), done.stderr
        assert (files_of(mine) if mine.is_dir() else mine.read_bytes()) == before
        assert "a-secret" not in done.stdout + done.stderr
    report = run / "report.html"
    assert report.is_symlink() or "a-secret" not in report.read_text()
