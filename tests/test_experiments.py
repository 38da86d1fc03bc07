"""Every experiment plays: one sweep of two steps each, over those on bundled data and over those on real ones."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import Command

from gantrain.config import compose, hydra_at
from gantrain.options import options_of

BUNDLED = {"digits", "digits_captions", "digits_domains", "digits_pairs", "gaussian1d", "gaussian1d_sorted", "notes"}
REAL = {"celeba", "cifar10", "mnist", "mnist_domains", "stacked_mnist"}
OWN = {"image_folder", "paired_folder", "sound_folder", "unpaired_folders"}
"""Folders that a user names."""


def by_dataset() -> dict[str, list[str]]:
    found = defaultdict(list)
    with hydra_at(None):
        for experiment in options_of("experiment"):
            found[compose([f"experiment={experiment}"], "train").choices.groups["dataset"]].append(experiment)
    return found


def play(gantrain: Command, experiments: list[str], *words: str) -> None:
    """Two steps of each with few samples; none may fail."""
    short = ["trainer.steps=2", "trainer.batch_size=8", "metrics=none", "log.sinks=[]", "outputs_dir=smoke"]
    done = gantrain("-m", f"experiment={','.join(experiments)}", *short, *words)
    (table,) = Path("smoke").glob("sweeps/*/*/summary.csv")
    rows = {row["experiment"]: row for row in csv.DictReader(table.open())}
    assert {name: row["reason"] for name, row in rows.items() if row["status"] != "finished"} == {}
    assert sorted(rows) == sorted(experiments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_those_on_bundled_data_play(gantrain: Command) -> None:
    found = by_dataset()
    assert set(found) <= BUNDLED | REAL | OWN | {"ring8", "grid25"}
    play(gantrain, [name for data, names in found.items() if data in BUNDLED | {"ring8", "grid25"} for name in names])


@pytest.mark.slow
def test_those_on_real_data_play(gantrain: Command, real_data: Path) -> None:
    names = [name for data, names in by_dataset().items() if data in REAL for name in names]
    play(gantrain, names, f"data_dir={real_data}")
