"""What pictures and metrics ask of a game."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CPU, Command, config, only_run

from gantrain.commands.assembly import build_game, plain
from gantrain.commands.evaluation import evaluation_of, score_function
from gantrain.commands.pictures import picture_maker, picture_of
from gantrain.commands.sampling import generate_samples
from gantrain.config import build
from gantrain.data import DataContext, Gaussian1d
from gantrain.games import Game, Request
from gantrain.metrics import RealData
from gantrain.report.pictures import ImageGrid
from gantrain.report.plots import LinePlot, PlanePlot, Score
from gantrain.seeding import Purpose
from gantrain.training.machine import Machine

LINE = ["dataset=gaussian1d", "loss=nonsaturating", "tricks=[]"]


def test_a_score_is_that_of_the_discriminator_at_rest() -> None:
    """Nothing is dropped, no sample depends on its batch, and training goes on as it was."""
    for setting in ("dropout=0.5", "norm=batch"):
        game = build_game(config(*LINE, f"model.discriminator.{setting}"))
        discriminator = game.get_submodule("discriminator")
        with torch.no_grad():
            for _ in range(20):
                discriminator(torch.randn(64, 1) + 4)
        held = {name: value.clone() for name, value in discriminator.state_dict().items()}
        score = score_function(game, Machine(CPU), 0)
        assert score is not None
        x = torch.linspace(2, 6, 50)[:, None]
        found = score(x)
        assert discriminator.training
        assert torch.equal(found, score(x))
        torch.testing.assert_close(found, torch.cat([score(part) for part in x.split(7)]))
        assert all(torch.equal(value, held[name]) for name, value in discriminator.state_dict().items())
        discriminator.eval()
        score(x)
        assert not discriminator.training


@pytest.mark.parametrize(
    "words",
    [["model=cgan"], ["model=gman"], ["model=bigan"], ["model=mlp", "tricks=[packing]"]],
)
def test_there_is_no_score_where_samples_are_not_judged_alone(words: list[str]) -> None:
    assert score_function(build_game(config("dataset=digits", "loss=nonsaturating", *words)), Machine(CPU), 0) is None


@pytest.mark.parametrize(("loss", "probability"), [("nonsaturating", True), ("wgan_gp", False)])
def test_an_evaluation_is_of_the_game_as_it_is(loss: str, probability: bool) -> None:
    game, machine = build_game(config("dataset=gaussian1d", f"loss={loss}", "tricks=[]")), Machine(CPU)
    real = RealData(Gaussian1d(), DataContext(Path("data"), CPU))
    evaluation = evaluation_of(game, real, machine, 5, at_once=12, step=0)
    wanted = generate_samples(game, machine, Request(1000), 5, Purpose.EVALUATION)["samples"].x[:600]
    assert torch.equal(evaluation.samples(600), wanted), "the first of whole batches, whoever asks for how many"
    assert (evaluation.probability, evaluation.classify, evaluation.at_once) == (probability, None, 12)
    assert evaluation.discriminator is not None
    assert evaluation.discriminator(wanted).shape == (600,)


def test_the_tags_of_a_metric_are_its_own(gantrain: Command, tmp_path: Path) -> None:
    """Its settings may be in their names, and the run is planned with these."""
    (tmp_path / "metric_with_space.py").write_text(
        "from gantrain.metrics import Metric\n\n\nclass Spaced(Metric):\n    def __init__(self, space: str):\n"
        "        self.keys = (f'fid_{space}',)\n        self.higher_is_better = frozenset(self.keys)\n\n"
        "    def __call__(self, evaluation):\n        return {self.keys[0]: next(values)}\n\n\n"
        "values = iter([1, 3, 2])\n"
    )
    words = ["+metrics.known.mine._target_=metric_with_space.Spaced", "+metrics.known.mine.space=pixels"]
    words += ["metrics.use=[mine]", "--trust=metric_with_space", "dataset=ring8", "trainer.steps=3", "metrics.every=1"]
    refused = gantrain(*words, "metrics.best=metrics/fid_other")
    assert refused.returncode == 2
    assert "metrics.best=metrics/fid_other cannot be found: metrics.use gives metrics/fid_pixels" in refused.stderr
    done = gantrain(*words, "metrics.best=metrics/fid_pixels")
    assert done.returncode == 0, done.stderr
    best = torch.load(only_run(tmp_path) / "checkpoints" / "best.pt", weights_only=True)
    assert best["progress"]["step"] == 2, "3 is the highest"


@pytest.mark.parametrize(
    ("shape", "kind", "scored"),
    [([1, 8, 8], ImageGrid, False), ([1], LinePlot, True), ([2], PlanePlot, True), ([3], PlanePlot, False)],
)
def test_the_picture_suits_the_shape(shape: list[int], kind: type, scored: bool) -> None:
    """A score of more than two coordinates could not be shown beside two of them."""
    real, score = np.zeros((4, *shape)), Score(lambda x: x[:, 0], True)
    picture = picture_of(shape, 5, real, score)
    assert type(picture) is kind
    if isinstance(picture, ImageGrid):
        assert picture.columns == 5
    elif isinstance(picture, LinePlot | PlanePlot):
        assert picture.real is real
        assert picture.score is (score if scored else None)


def shown_by(*words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Game, LinePlot, np.ndarray]:
    """A game on the line, the plot of its run, and the samples that it was given."""
    seen: list[tuple[LinePlot, np.ndarray]] = []
    monkeypatch.setattr(LinePlot, "render", lambda plot, samples, title: seen.append((plot, samples)))
    cfg = config(*words, "tricks=[]")
    game = build_game(cfg)
    source = build(plain(cfg.dataset), "dataset")
    batches = source.open(DataContext(Path("data"), CPU))
    picture, of_real = picture_maker(game, source, batches, Machine(CPU), 0)
    assert of_real is None
    picture(0)
    (found,) = seen
    return game, *found


@pytest.mark.parametrize(("loss", "probability"), [("nonsaturating", True), ("wgan_gp", False)])
def test_a_picture_shows_probabilities_where_the_loss_has_them(
    loss: str, probability: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, plot, _ = shown_by("dataset=gaussian1d", f"loss={loss}", monkeypatch=monkeypatch)
    logits_of = score_function(game, Machine(CPU), 0)
    assert logits_of is not None
    assert plot.score is not None
    x = torch.linspace(2, 6, 50)[:, None]
    wanted = logits_of(x).sigmoid() if probability else logits_of(x)
    assert np.array_equal(plot.score.function(x.double().numpy()), wanted.numpy())
    assert (plot.score.probability, plot.score.label) == (probability, "D(x)" if probability else "D's score")


def test_a_picture_of_the_users_numbers_has_their_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no score, for the discriminator knows standardised numbers only."""
    np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(1000, 5, (200, 1)))
    _, plot, samples = shown_by("dataset=array", f"dataset.path={tmp_path / 'table.npy'}", monkeypatch=monkeypatch)
    assert plot.score is None
    assert plot.real is not None
    assert plot.real.mean() == pytest.approx(1000, abs=2)
    assert samples.mean() == pytest.approx(1000, abs=20)
