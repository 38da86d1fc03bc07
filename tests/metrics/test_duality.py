"""The duality gap as a metric: names, protocol, and who is refused it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from conftest import Command, config, only_run
from evaluations import real_of

from gantrain.commands.assembly import build_game, build_metrics, plain
from gantrain.config import build
from gantrain.data import Digits
from gantrain.errors import UserError
from gantrain.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    RelativisticPaired,
    Wasserstein,
)
from gantrain.metrics import DualityGap, Evaluation
from gantrain.metrics.evaluation import RealSamples


@pytest.mark.parametrize(
    ("loss", "fair"),
    [
        (Minimax(), -math.log(4)),
        (NonSaturating(), -math.log(4)),
        (LeastSquares(), -0.25),
        (Wasserstein(), 0.0),
        (Hinge(), -2.0),
        (RelativisticPaired(), -math.log(2)),
        (RelativisticAverage(), -math.log(4)),
    ],
)
def test_the_value_where_samples_cannot_be_told_apart(loss: AdversarialLoss, fair: float) -> None:
    """The best that a discriminator can do is to say the same of all; there is no gain in anything else on average."""
    constants = torch.linspace(-2, 2, 81)
    best = max(loss.value(c.expand(4), c.expand(4)).item() for c in constants)
    assert best == pytest.approx(fair, abs=1e-6)
    apart = torch.tensor([1.0, 1.0, -1.0, -1.0])
    assert loss.value(apart, apart).item() <= fair + 1e-6
    assert loss.value(torch.ones(4), torch.zeros(4)).item() > fair


def test_what_its_figures_are_called() -> None:
    assert DualityGap().keys == ("duality_gap", "duality_gap_m1", "duality_gap_m2")
    perturbed = DualityGap(perturb=0.1)
    assert perturbed.keys[0] == "duality_gap_perturbed"
    assert perturbed.higher_is_better == {"duality_gap_perturbed_m2"}
    for wrong in ({"turns": 0}, {"samples": 0}, {"lr": 0.0}, {"perturb": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DualityGap(**wrong)


def asked(*words: str) -> None:
    cfg = config(*words, "metrics.use=[duality_gap]")
    build_metrics(cfg, build(plain(cfg.dataset), "dataset"), build_game(cfg))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["model=gman"], "several discriminators"),
        (["model=sgan"], "other things beside"),
        (["model=acgan"], "other things beside"),
        (["model=infogan"], "other things beside"),
        (["model=madgan"], "other things beside"),
        (["model=triplegan"], "other things beside"),
        (["model=cgan", "networks@model=mlp", "model.mismatched=0.2"], "other things beside"),
        (["tricks=[feature_matching]"], "feature_matching lets a player learn something else"),
        (["experiment=ring8_unrolled"], "unrolled lets a player learn something else"),
    ],
)
def test_games_without_one_value_are_refused(words: list[str], reason: str) -> None:
    with pytest.raises(UserError, match=f"duality_gap needs a game for one value, but .*{reason}.*: leave it out"):
        asked(*words)


@pytest.mark.parametrize(
    "words", [["model=cgan", "networks@model=mlp"], ["model=bigan"], ["loss=ragan"], ["loss=wgan"]]
)
def test_games_for_one_value_are_not(words: list[str]) -> None:
    asked(*words)


def test_a_run_keeps_figures_with_their_protocol(gantrain: Command, tmp_path: Path) -> None:
    words = ["trainer.steps=4", "trainer.batch_size=16", "dataset.held_out=97", "metrics.every=2"]
    done = gantrain(*words, "metrics.use=[duality_gap,duality_gap_perturbed]", "metrics.known.duality_gap.turns=3")
    assert done.returncode == 0, done.stderr
    run = only_run(tmp_path)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in (line for line in lines if "metrics/duality_gap" in line):
        for name in ("duality_gap", "duality_gap_perturbed"):
            gap, m1, m2 = (line[f"metrics/{name}{part}"] for part in ("", "_m1", "_m2"))
            assert gap == pytest.approx(m1 - m2, abs=1e-5)
            assert gap >= 0
    assert sum("metrics/duality_gap" in line for line in lines) == 2
    protocol = json.loads((run / "protocols.json").read_text())["metrics/duality_gap_m1"]
    assert protocol["averaged"] is False
    assert (protocol["split"], protocol["real"], protocol["samples"]) == ("held_out", 96, 96)
    assert protocol["settings"] == {"turns": 3, "lr": 2e-4, "perturb": 0.0}


@pytest.mark.parametrize(("there", "at_once", "pack", "judged"), [(321, 64, 1, 320), (30, 64, 1, 30), (31, 64, 2, 30)])
def test_whole_batches_are_judged_alone(there: int, at_once: int, pack: int, judged: int, tmp_path: Path) -> None:
    sizes = []

    def answers(turns: int, lr: float, perturb: float, real: RealSamples) -> tuple[float, float]:
        sizes.extend(len(batch["real"]) for batch in real(at_once))
        return 1.0, 0.0

    real = real_of(Digits(8, held_out=there), tmp_path)
    evaluation = Evaluation(real, lambda n: [], at_once=at_once, best_answers=answers, pack=pack)
    DualityGap()(evaluation)
    assert sum(sizes) == judged == DualityGap().protocol(evaluation).samples
    assert len({*sizes}) == 1


def test_one_held_out_sample_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs 2 or more samples of the held_out part"):
        DualityGap().prepare(real_of(Digits(8, held_out=1), tmp_path))
