"""Figures over features, asked for by name: labelled samples, refusals, and runs that do not feel them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import CPU, Command, config, lines_of, only_run

from gantrain.commands.assembly import build_game, build_metrics
from gantrain.commands.evaluation import evaluation_of, gives_labels
from gantrain.config import build
from gantrain.data import DataContext, Digits
from gantrain.errors import UserError
from gantrain.metrics import RealData
from gantrain.training.machine import Machine

SMALL = ["networks@model=mlp", "dataset.held_out=360"]
FIGURES = "precision_recall_pixels,density_coverage_pixels,diversity,memorised,vendi_pixels,downstream"
FIGURES += ",linear_probe_pixels,spectrum"


def test_labelled_samples_are_those_of_every_figure() -> None:
    """The same samples, each with the label that it was made from."""
    game = build_game(config("model=cgan", *SMALL))
    real = RealData(Digits(held_out=360), DataContext(Path("data"), CPU))
    evaluation = evaluation_of(game, real, Machine(CPU), 0, 64, 0)
    assert evaluation.labelled is not None
    x, labels = (torch.cat(parts) for parts in zip(*evaluation.labelled(1000), strict=True))
    assert torch.equal(x[:700], evaluation.samples(700))
    assert (labels.dtype, labels.shape, labels.unique().tolist()) == (torch.int64, (1000,), list(range(10)))


def test_only_games_with_labels_give_labels() -> None:
    before = torch.get_rng_state()
    assert gives_labels(build_game(config("model=acgan", *SMALL)))
    plain = build_game(config(*SMALL))
    torch.set_rng_state(before)
    assert not gives_labels(plain)
    assert torch.equal(torch.get_rng_state(), before), "the question draws nothing"
    assert (
        evaluation_of(plain, RealData(Digits(), DataContext(Path("data"), CPU)), Machine(CPU), 0, 64, 0).labelled
        is None
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["metrics.use=[downstream]", *SMALL], "metric downstream needs a game that gives samples labels"),
        (["metrics.use=[linear_probe]"], "needs a dataset with labels and a held-out part"),
        (["metrics.use=[class_balance_pixels]"], "needs a space that names classes"),
        (["metrics.use=[memorised_pixels]", "dataset=ring8"], "drawn afresh"),
        (["metrics.use=[vendi_pixels]", "dataset=ring8"], "use diversity_pixels"),
        (["metrics.use=[spectrum]", "dataset=ring8"], "needs pictures of 8 pixels"),
        (["metrics.use=[parzen]"], "one and two dimensions"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_data_are_read(words: list[str], said: str) -> None:
    cfg = config(*words)
    game = build_game(cfg, to_train=False)
    with pytest.raises(UserError, match=said):
        build_metrics(cfg, build(dict(cfg.dataset), "dataset"), game)


def test_a_run_that_measures_equals_one_that_does_not(gantrain: Command, tmp_path: Path) -> None:
    words = ["model=cgan", *SMALL, "trainer.steps=6", "trainer.batch_size=16", "trainer.device=cpu", "log.every=1"]
    small = [f"metrics.known.{name}.samples=60" for name in FIGURES.replace("_pixels", "").split(",")]
    losses = []
    for place, more in (("with", [f"metrics.use=[{FIGURES}]", "metrics.every=2", *small]), ("without", [])):
        done = gantrain(*words, *more, f"outputs_dir={tmp_path / place}")
        assert done.returncode == 0, done.stderr
        lines = lines_of(only_run(tmp_path / place) / "metrics.jsonl")
        losses.append([{k: v for k, v in line.items() if k.startswith(("loss/", "grad_norm/"))} for line in lines])
        if more:
            figures = {
                key for line in lines for key, value in line.items() if key.startswith("metrics/") and value is not None
            }
    assert [line for line in losses[0] if line] == [line for line in losses[1] if line]
    assert {f"metrics/{name}_pixels" for name in ("precision", "coverage", "memorised", "downstream_both")} <= figures
    assert len(figures) == 15


def test_figures_in_spaces_that_the_run_brings(gantrain: Command, tmp_path: Path) -> None:
    """A classifier of the set's own labels, and the run's own discriminator."""
    words = ["trainer.steps=2", "trainer.batch_size=16", "trainer.device=cpu", "dataset.held_out=360"]
    used = "class_balance,linear_probe,diversity_classifier,memorised_classifier,memorised_discriminator"
    done = gantrain(*words, f"metrics.use=[{used}]", "metrics.known.memorised.samples=100")
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = {}
    for line in lines_of(only_run(tmp_path) / "metrics.jsonl"):
        figures |= {key: value for key, value in line.items() if key.startswith("metrics/")}
    assert 0 <= figures["metrics/missing_classes_classifier"] <= 10
    assert 0 <= figures["metrics/class_total_variation_classifier"] <= 1
    assert figures["metrics/linear_probe_discriminator"] > 0.3
    assert figures["metrics/diversity_classifier"] > 0
    assert figures["metrics/nearest_distance_discriminator"] > 0
    assert 0 <= figures["metrics/memorised_classifier"] <= 1
