"""Folders of runs as a training leaves them, made by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gantrain.report.pictures import save
from gantrain.runs import JobFolder, RunFolder, SweepFolder, SweepPlan

PROTOCOL = {"metric": "FID", "data": "digits", "averaged": True, "samples": 2000, "versions": {"torch": "2.11"}}


def run_in(
    path: Path,
    figure: float = 3.0,
    protocol: Mapping[str, Any] | None = PROTOCOL,
    steps: int = 20,
    config: str = "seed: 0\n",
    **status: Any,
) -> RunFolder:
    """A run of some steps, with three pictures and one figure."""
    folder = RunFolder(path)
    folder.samples.make()
    folder.write_config(config)
    said = {"status": "finished", "command": "gantrain loss=r1", "machine": "cpu, fp32", "versions": {"gantrain": "1"}}
    (path / "status.json").write_text(json.dumps({**said, **status}))
    folder.numbers.open(0)
    for step in range(1, steps + 1):
        losses = {"loss/generator/total": math.sin(step), "loss/discriminator/total": 1 / step}
        rest = {"accuracy/discriminator": 0.6, "speed/images_per_second": 100.0, "lr/generator": 1e-3}
        folder.numbers.add({**losses, **rest, "memory/peak_gib": 0.5}, step)
    folder.numbers.add({"metrics/fid_classifier": 2 * figure}, steps // 2)
    folder.numbers.add({"metrics/fid_classifier": figure}, steps)
    folder.numbers.close()
    if protocol is not None:
        folder.protocols.add({"metrics/fid_classifier": protocol})
    for k, step in enumerate((0, steps // 2, steps)):
        save(np.full((40, 40, 3), 60 * k, np.uint8), folder.samples.of_step(step))
    save(np.full((40, 40, 3), 200, np.uint8), folder.samples.real)
    return folder


def sweep_in(path: Path, jobs: Sequence[tuple[Sequence[str], float, Mapping[str, Any] | None]]) -> SweepFolder:
    """A sweep of jobs: the words of each, its figure, and how that was measured."""
    folder = SweepFolder(path)
    path.mkdir(parents=True)
    folder.write_plan(SweepPlan(["seed=0,1"], None, "train"))
    for k, (words, figure, protocol) in enumerate(jobs):
        job = JobFolder(path / f"{k:03d}")
        job.path.mkdir()
        job.write_words(words)
        run_in(job.path, figure, protocol, command=f"gantrain -m seed=0,1  # {job.path.name}: {' '.join(words)}")
    return folder
