"""A floor stands only on those below it; modules stay readable; names are spelt as the catalogue says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import gantrain
from gantrain import losses
from gantrain.options import CONFIGS

ROOT = Path(gantrain.__file__).parent
BELOW = {
    "turns": set(),
    "networks": set(),
    "losses": {"turns"},
    "data": set(),
    "report": {"runs", "health"},
    "health": set(),
    "runs": set(),
    "config": set(),
    "tricks": {"turns", "networks", "losses", "data"},
    "metrics": {"networks", "losses", "data"},
    "games": {"turns", "networks", "losses", "tricks"},
    "training": {"turns", "networks", "losses", "data", "tricks", "games", "report", "runs", "health"},
}
BELOW["commands"] = set(BELOW)
BELOW["cli"] = {"commands", "config"}
"""Which rooms a room may import."""
COMMON = {
    "errors",
    "seeding",
    "shares",
    "sharded",
    "stacked",
    "automatic",
    "files",
    "ranges",
    "kinds",
    "options",
    "schedules",
    "renamed",
    "captions",
    "signals",
    "terminal",
    "locks",
    "untrusted",
}
"""Modules for every room, which import none."""
LONG = {("gantrain.training.loop", "train")}
"""Functions that may be longer than 50 lines: the loop reads from top to bottom."""
ON_DISK = {"config.yaml", "status.json", "metrics.jsonl", "run.log", "tfevents", "step_", "best.pt", "real.png"}
ON_DISK |= {"final.png", "training.gif", "sweep.json", "job.json", "summary.csv"}
ON_DISK |= {"run.lock", "protocols.json", "evaluations.jsonl", "report.html", "sinks.json", "origin.json"}
IN_HUB = "weights.py"
"""Looks where torch.hub keeps its downloads, in a folder that happens to have the name of one of ours."""
IN_HELP = {"cli.py": {"run.log"}}
"""What the front door tells about in a message."""


def module_of(file: Path) -> str:
    """A module's dotted name."""
    return ".".join(("gantrain", *file.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(file): file for file in ROOT.rglob("*.py")}
TREES = {module: ast.parse(file.read_text()) for module, file in MODULES.items()}


def imported(tree: ast.AST) -> set[str]:
    """Modules of gantrain that are named in imports, wherever they stand."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module, "imports name the whole path"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(MODULES)


def rooms(tree: ast.AST) -> set[str]:
    """Rooms and common modules of gantrain that are named in imports."""
    return {name.split(".")[1] for name in imported(tree) if "." in name}


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ("gantrain", "gantrain.__main__")])
def test_no_arrow_runs_back_up(module: str) -> None:
    room = module.split(".")[1]
    allowed = COMMON if room in COMMON else BELOW[room] | COMMON | {room}
    assert rooms(TREES[module]) <= allowed


def room_of(module: str) -> str:
    """The room, or the common module, that a module lies in: gantrain.games of gantrain.games.base."""
    return ".".join(module.split(".")[:2])


def test_no_modules_import_each_other() -> None:
    """Not through others, nor inside functions, nor for types: whoever reads one would have to read all."""
    arrows = {}
    for module, tree in TREES.items():
        named = imported(tree)
        # a room is entered through its __init__, but for those who are inside
        arrows[module] = named | {room_of(other) for other in named if room_of(other) != room_of(module)}
    for module in arrows:
        reached: set[str] = set()
        ahead = set(arrows[module])
        while ahead:
            reached |= ahead
            ahead = {beyond for other in ahead for beyond in arrows[other]} - reached
        assert module not in reached, f"one of these leads back to {module}: {sorted(arrows[module])}"


def test_functions_fit_on_a_screen() -> None:
    long = {
        (module, node.name)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 50
    }
    assert long == LONG


def test_the_loop_knows_no_variant() -> None:
    names = {file.stem for group in ("model", "loss", "tricks", "dataset") for file in (CONFIGS / group).glob("*.yaml")}
    words = set(ast.dump(ast.parse((ROOT / "training" / "loop.py").read_text())).replace("'", " ").split())
    assert not words & (names - {"array"})


def test_modules_fit_on_a_few_screens() -> None:
    for file in ROOT.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 300, file


@cache
def said_in(file: Path) -> list[str]:
    """Every string of a module, parts of f-strings too, but no docstring."""
    tree = ast.parse(file.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docstrings)
    return [constant.value for constant in constants if isinstance(constant.value, str)]


def folders_in(file: Path) -> set[str]:
    """Names that a module puts behind a path's slash."""
    operations = (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.BinOp))
    joined = (n.right for n in operations if isinstance(n.op, ast.Div) and isinstance(n.right, ast.Constant))
    return {str(name.value) for name in joined}


def test_names_on_disk_are_known_in_one_room() -> None:
    for file in ROOT.rglob("*.py"):
        if file.parent.name != "runs":
            known = {name for name in ON_DISK for text in said_in(file) if name in text}
            assert known <= IN_HELP.get(file.name, set()), file
            assert "checkpoints" not in said_in(file) or file.name == IN_HUB, file
            assert "samples" not in folders_in(file), file
    assert all(any(name in text for file in (ROOT / "runs").glob("*.py") for text in said_in(file)) for name in ON_DISK)


def test_every_loss_and_penalty_has_its_name() -> None:
    names = ("Minimax", "NonSaturating", "LeastSquares", "Wasserstein", "Hinge")
    for name in (*names, "RelativisticPaired", "RelativisticAverage"):
        assert issubclass(getattr(losses, name), losses.AdversarialLoss)
    for name in ("GradientPenalty", "R1", "R2", "Dragan"):
        assert issubclass(getattr(losses, name), losses.Penalty)


def test_every_option_says_what_it_is_for() -> None:
    for group in (
        "dataset",
        "model",
        "loss",
        "optimizer",
        "tricks",
        "trainer",
        "metrics",
        "experiment",
        "sweep",
        "debug",
    ):
        for file in (CONFIGS / group).glob("*.yaml"):
            assert any(re.match(r"# (?!@)", line) for line in file.read_text().splitlines()), file
