"""metrics=auto: what suits the data, as often as the run's length allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import config
from PIL import Image
from sounding import sine, write

from gantrain.commands.assembly import build_game, build_metrics, plain
from gantrain.config import build, metric_named
from gantrain.config.completing import MANY
from gantrain.errors import UserError
from gantrain.options import options_of

FOLLOWED = {
    "digits": "mind_classifier",
    "ring8": "high_quality",
    "grid25": "high_quality",
    "gaussian1d": "wasserstein1",
}


@pytest.mark.parametrize("dataset", FOLLOWED)
def test_every_data_set_is_measured_and_its_best_checkpoint_kept(dataset: str) -> None:
    cfg = config(f"dataset={dataset}")
    assert cfg.metrics.use
    assert cfg.metrics.best == f"metrics/{FOLLOWED[dataset]}"
    assert 2 <= cfg.trainer.steps / cfg.metrics.every <= MANY + 1


@pytest.mark.parametrize("dataset", options_of("dataset"))
def test_a_figure_of_every_data_set_is_followed(dataset: str, tmp_path: Path) -> None:
    for part in ("one", "train", "test"):
        (tmp_path / part).mkdir()
        Image.new("RGB", (16, 8)).save(tmp_path / part / "picture.png")
    np.save(tmp_path / "table.npy", np.eye(3))
    write(tmp_path / "one" / "sound.wav", sine(440, 8000, 0.1), 8000)
    own = {name: [f"dataset.path={tmp_path}"] for name in ("image_folder", "paired_folder", "sound_folder")}
    own["unpaired_folders"] = [f"dataset.path_a={tmp_path / 'one'}", f"dataset.path_b={tmp_path / 'train'}"]
    own |= {"array": [f"dataset.path={tmp_path / 'table.npy'}"]}
    cfg = config(f"dataset={dataset}", "trainer.steps=100000", *own.get(dataset, []))
    source = build(plain(cfg.dataset), "dataset")
    keys = [key for metric in build_metrics(cfg, source, build_game(cfg)).values() for key in metric.keys]
    assert cfg.metrics.best == (source.followed or f"metrics/{keys[0]}")
    assert cfg.metrics.best.removeprefix("metrics/") in keys


@pytest.mark.parametrize(("steps", "batch"), [(700, 64), (3500, 64), (10_000, 64), (100_000, 256)])
def test_one_sample_is_judged_for_thirty_that_are_trained_on(steps: int, batch: int) -> None:
    cfg = config(f"trainer.steps={steps}", f"trainer.batch_size={batch}")
    evaluations = steps // cfg.metrics.every if cfg.metrics.every else 1
    assert evaluations * cfg.metrics.n <= 1.05 * steps * batch / 30
    assert cfg.metrics.n == 1000


def test_how_many_samples_are_judged_follows_from_the_data_alone() -> None:
    long = config("dataset=mnist", "trainer.steps=100000")
    short = config("dataset=mnist", "trainer.steps=1000")
    assert long.metrics.n == short.metrics.n == 2500
    assert short.metrics.every is None
    assert short.metrics.use


def test_a_number_of_samples_that_was_set_for_a_metric_stays() -> None:
    cfg = config("metrics.known.mind.samples=3000")
    assert metric_named("mind_pixels", cfg.metrics)["samples"] == 3000
    assert metric_named("fid_pixels", cfg.metrics)["samples"] == cfg.metrics.n == 1000
    own = config("+metrics.known.own={_target_:mine.Own,space:{_target_:gantrain.metrics.Pixels}}")
    assert "samples" not in metric_named("own", own.metrics)


def test_a_name_that_ends_in_nothing_is_no_metric() -> None:
    assert metric_named("fid_", config().metrics) is None


@pytest.mark.parametrize("figure", ["diversity_pixels", "nearest_distance_pixels", "density_pixels"])
def test_what_is_right_at_a_value_between_ranks_no_checkpoints(figure: str) -> None:
    use = "metrics.use=[diversity,memorised,density_coverage_pixels]"
    with pytest.raises(UserError, match=f"{figure} is best at a value between"):
        build_game(config(use, f"metrics.best=metrics/{figure}"))


def test_a_run_too_short_for_one_evaluation_has_none() -> None:
    short = config("trainer.steps=10")
    assert (list(short.metrics.use), short.metrics.best, short.metrics.every) == ([], None, None)


def test_what_is_chosen_stays() -> None:
    chosen = config("metrics.use=[diversity]")
    assert (list(chosen.metrics.use), chosen.metrics.every, chosen.metrics.n) == (["diversity"], None, None)
    often = config("metrics.every=100", "metrics.n=1234", "metrics.best=metrics/diversity_pixels")
    assert (often.metrics.every, often.metrics.n) == (100, 1234)
    assert often.metrics.best == "metrics/diversity_pixels"
    assert list(config("metrics=none").metrics.use) == list(config("metrics.use=[]").metrics.use) == []
