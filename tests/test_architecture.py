"""A floor stands only on those below it; modules stay readable; names are spelt as the catalogue says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gantrain
from gantrain import losses
from gantrain.help import CONFIGS

ROOT = Path(gantrain.__file__).parent
BELOW = {
    "turns": set(),
    "networks": set(),
    "losses": {"turns"},
    "data": set(),
    "report": set(),
    "tricks": {"turns", "networks", "losses", "data"},
    "metrics": {"networks", "losses", "data"},
    "games": {"turns", "networks", "losses", "tricks"},
    "training": {"networks", "losses", "data", "tricks", "games", "report"},
}
COMMON = {"errors", "seeding", "automatic", "files", "ranges"}


def imports(file: Path) -> set[str]:
    """Rooms of gantrain that a module imports when it runs (not for types only)."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    names = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    return {name.split(".")[1] for name in names if name.startswith("gantrain.")}


@pytest.mark.parametrize("room", BELOW)
def test_no_arrow_runs_back_up(room: str) -> None:
    for file in (ROOT / room).glob("*.py"):
        assert imports(file) <= BELOW[room] | COMMON | {room}, file


def test_nothing_imports_the_front_door() -> None:
    for file in ROOT.rglob("*.py"):
        if file.name != "__main__.py":
            assert "cli" not in imports(file), file


def test_the_loop_knows_no_variant() -> None:
    names = {file.stem for group in ("model", "loss", "tricks", "dataset") for file in (CONFIGS / group).glob("*.yaml")}
    words = set(ast.dump(ast.parse((ROOT / "training" / "loop.py").read_text())).replace("'", " ").split())
    assert not words & (names - {"array"})


def test_modules_fit_on_a_few_screens() -> None:
    for file in ROOT.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 300, file


def test_every_loss_and_penalty_has_its_name() -> None:
    names = ("Minimax", "NonSaturating", "LeastSquares", "Wasserstein", "Hinge")
    for name in (*names, "RelativisticPaired", "RelativisticAverage"):
        assert issubclass(getattr(losses, name), losses.AdversarialLoss)
    for name in ("GradientPenalty", "R1", "R2", "Dragan"):
        assert issubclass(getattr(losses, name), losses.Penalty)


def test_every_option_says_what_it_is_for() -> None:
    for group in ("dataset", "model", "loss", "optimizer", "tricks", "trainer", "metrics", "experiment", "debug"):
        for file in (CONFIGS / group).glob("*.yaml"):
            assert any(line.startswith("#") and "@package" not in line for line in file.read_text().splitlines()), file
