"""A look at samples fits where the run fits: few at a time, and large pictures are compared as smaller ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, lines_of, only_run
from PIL import Image
from torch import Tensor

from gantrain.commands import probing
from gantrain.commands.probing import Probe
from gantrain.metrics.quick_looks import comparable
from gantrain.turns import Batch, Samples


def test_pictures_are_compared_at_64_pixels_a_side() -> None:
    assert comparable(torch.zeros(2, 3, 256, 256)).shape == (2, 3 * 64 * 64)
    assert comparable(torch.zeros(2, 3, 64, 48)).shape == (2, 3 * 64 * 48), "as they are"
    assert comparable(torch.zeros(2, 1, 65, 100)).shape == (2, 33 * 50)
    assert comparable(torch.zeros(2, 5, dtype=torch.float64)).dtype == torch.float32
    x = torch.rand(4, 1, 128, 128)
    assert comparable(x).mean().item() == pytest.approx(x.mean().item(), abs=1e-4)


class Spy:
    """Watches the looks of a run: how many samples networks were given at once, and what they were set against."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: set[int] = set()
        self.known: tuple[int, ...] = ()
        look, score = Probe.__call__, Probe._score
        make = probing.generate_samples

        def scored(probe: Probe, name: str, samples: Samples, batch: Batch) -> Tensor:
            self.sizes.add(len(samples.x))
            return score(probe, name, samples, batch)

        def made(*arguments: Any) -> dict[str, Samples]:
            self.sizes.add(arguments[-1])
            return make(*arguments)

        def watched(probe: Probe, step: int) -> dict[str, float]:
            found = look(probe, step)
            self.known = tuple(probe._reference.known.shape)
            return found

        monkeypatch.setattr(Probe, "__call__", watched)
        monkeypatch.setattr(Probe, "_score", scored)
        monkeypatch.setattr(probing, "generate_samples", made)


def test_networks_are_given_no_more_than_when_training(gantrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    words = ["dataset=digits", "dataset.held_out=360", "model.generator.hidden=[4]", "model.discriminator.hidden=[4]"]
    done = gantrain(*words, "trainer.batch_size=128", "trainer.accumulate=4", "trainer.steps=1", "metrics.use=[]")
    assert done.returncode == 0, done.stderr
    assert spy.sizes == {32}


def test_large_pictures_are_looked_at(gantrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    (tmp_path / "large").mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (128, 128, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "large" / f"{number}.png")
    words = ["dataset=image_folder", f"dataset.path={tmp_path / 'large'}", "dataset.image_size=128", "model=mlp"]
    words += ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "metrics.use=[]", "outputs_dir=out"]
    done = gantrain(*words, "trainer.batch_size=64", "trainer.steps=1")
    assert done.returncode == 0, done.stderr
    assert spy.known == (12, 3 * 64 * 64)
    line = lines_of(only_run(tmp_path / "out") / "metrics.jsonl")[0]
    assert {"health/spectrum", "health/copied"} <= set(line)
