"""What the documents tell a user to type builds a game, and every trick has its paragraph."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import config

from gantrain.commands.assembly import build_game
from gantrain.config import prepare
from gantrain.options import listed, options_of

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TRICKS = listed("tricks", options_of("tricks"))
OTHER = re.compile(r"…|^gantrain (sample|data|ps)\b|\brun=|--config-dir|\s-m\s|\.path=|data_dir=")
"""Placeholders, sweeps, what goes on with a run, and what lies on the user's disk."""


def lines() -> list[str]:
    """Every line of a shell fence that trains one run, without its comment."""
    found = []
    for file in DOCUMENTS:
        for fence in re.findall(r"^```bash\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL):
            found += [line.partition(" #")[0].strip() for line in fence.splitlines()]
    return [line for line in found if re.match(r"gantrain( |$)", line) and not OTHER.search(line)]


@pytest.mark.parametrize("line", lines())
def test_a_line_to_copy_builds_a_game(line: str) -> None:
    build_game(config(*map(prepare, shlex.split(line)[1:])))


def test_every_trick_has_its_paragraph_and_a_line_to_copy() -> None:
    text = (ROOT / "docs" / "tricks.md").read_text()
    assert sorted(re.findall(r"^## (.+)$", text, re.MULTILINE)) == TRICKS
    assert len(lines()) > len(TRICKS)


@pytest.mark.parametrize("group", ["dataset", "model", "networks", "loss", "optimizer", "tricks", "debug"])
def test_the_readme_names_what_there_is_to_choose(group: str) -> None:
    (row,) = re.findall(rf"^\| `{group}` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = re.findall(r"`(\w+)`", row)
    inside = listed("optimizer/schedule", options_of("optimizer/schedule")) if group == "optimizer" else []
    assert sorted(named) == sorted([*listed(group, options_of(group)), *inside])
